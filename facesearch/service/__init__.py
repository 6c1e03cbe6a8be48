"""Galleries over HTTP: warm, for several people at once, with a web application."""
