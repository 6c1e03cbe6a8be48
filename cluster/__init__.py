"""Neighbours to groups: agglomerative and density clustering of unit vectors, and their scores."""
