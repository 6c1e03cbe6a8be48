"""Clusters cut where the gallery's own evidence says that merges become wrong; no threshold."""
