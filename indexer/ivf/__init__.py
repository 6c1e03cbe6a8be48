"""Approximate nearest neighbours: inverted files with a scalar quantiser."""
