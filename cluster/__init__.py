"""Neighbours to groups: agglomerative and density clustering of unit vectors, and their scores.

What is listed in ``__all__`` is public; each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from cluster.constraints import Constraints
    from cluster.estimators import AgglomerativeClustering, HdbscanClustering

__all__ = ["AgglomerativeClustering", "Constraints", "HdbscanClustering"]

_MODULES = {
    "AgglomerativeClustering": "estimators",
    "Constraints": "constraints",
    "HdbscanClustering": "estimators",
}

if not TYPE_CHECKING:  # to a type checker any misspelt name would be there
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
