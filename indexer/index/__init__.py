"""Indices on disk and in memory: saved, opened, kept up to date."""
