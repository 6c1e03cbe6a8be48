"""Galleries at rest under a key: sealed files, keys, and the gallery in memory while it is used."""
