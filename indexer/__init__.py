"""Vectors at rest and their neighbours: HDF5 shards, exact search and FAISS indices.

Knows nothing of photos and faces: its currency is the :class:`indexer.types.Block`. What is listed
in ``__all__`` is public; each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from indexer.errors import (
        DeviceError,
        IndexerError,
        IndexGoalError,
        InvalidVectorsError,
        MissingFaissError,
        ShardError,
        StaleIndexError,
        StorageError,
    )
    from indexer.types import Neighbours
    from indexer.vector_index import VectorIndex, create_index, load_index

__all__ = [
    "DeviceError",
    "IndexGoalError",
    "IndexerError",
    "InvalidVectorsError",
    "MissingFaissError",
    "Neighbours",
    "ShardError",
    "StaleIndexError",
    "StorageError",
    "VectorIndex",
    "create_index",
    "load_index",
]

_MODULES = {
    "DeviceError": "errors",
    "IndexGoalError": "errors",
    "IndexerError": "errors",
    "InvalidVectorsError": "errors",
    "MissingFaissError": "errors",
    "Neighbours": "types",
    "ShardError": "errors",
    "StaleIndexError": "errors",
    "StorageError": "errors",
    "VectorIndex": "vector_index",
    "create_index": "vector_index",
    "load_index": "vector_index",
}

if not TYPE_CHECKING:  # to a type checker any misspelt name would be there
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
