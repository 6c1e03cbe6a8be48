"""Encoders whose network is a graph in a file."""
