"""Vectors at rest and their neighbours: HDF5 shards, exact search and FAISS indices.

Knows nothing of photos and faces: its currency is the :class:`indexer.types.Block`.
"""
