"""Vectors at rest and their neighbours: HDF5 shards, exact search and FAISS indices.

Knows nothing of photos and faces: its currency is the :class:`indexer.types.Block`. What is listed
in ``__all__`` is public; each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
