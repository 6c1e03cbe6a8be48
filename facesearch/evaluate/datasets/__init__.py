"""Labelled photos: read, chosen and embedded."""
