"""Commands that run the service and say who may use it."""
