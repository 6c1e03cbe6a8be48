"""Vectors at rest and their neighbours: HDF5 shards, exact search and FAISS indices.

Knows nothing of photos and faces: its currency is the :class:`indexer.types.Block`. What is listed
in ``__all__`` is public; each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from indexer.errors import IndexerError, IndexGoalError, InvalidVectorsError, StaleIndexError
    from indexer.types import Neighbours
    from indexer.vector_index import VectorIndex, create_index, load_index

__all__ = [
    "IndexGoalError",
    "IndexerError",
    "InvalidVectorsError",
    "Neighbours",
    "StaleIndexError",
    "VectorIndex",
    "create_index",
    "load_index",
]

_MODULES = {
    "IndexGoalError": "errors",
    "IndexerError": "errors",
    "InvalidVectorsError": "errors",
    "Neighbours": "types",
    "StaleIndexError": "errors",
    "VectorIndex": "vector_index",
    "create_index": "vector_index",
    "load_index": "vector_index",
}

if not TYPE_CHECKING:  # to a type checker any misspelt name would be there
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
