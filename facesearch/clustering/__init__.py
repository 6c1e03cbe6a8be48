"""Clusterings of a gallery: run, matched to earlier ones, kept."""
