"""The addresses of the service, a module for what they are about."""
