"""Vectors of a gallery as a table that other programs read, and galleries of vectors made there."""
