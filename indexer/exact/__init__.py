"""Exact nearest neighbours: brute force, and the same answers faster."""
