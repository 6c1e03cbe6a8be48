"""Merge trees: linkages over all pairs or over the edges of a graph."""
