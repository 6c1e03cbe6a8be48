"""Decisions about people that are made over HTTP, and suggestions of them."""
