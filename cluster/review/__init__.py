"""Confidence of clusters, and suggestions for review."""
