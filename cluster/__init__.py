"""Neighbours to groups: agglomerative and density clustering of unit vectors, and their scores.

What is listed in ``__all__`` is public; each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.constraints import Constraints
    from cluster.estimators import AgglomerativeClustering, HdbscanClustering

__all__ = ["AgglomerativeClustering", "Constraints", "HdbscanClustering"]

_MODULES = {
    "AgglomerativeClustering": "estimators",
    "Constraints": "constraints",
    "HdbscanClustering": "estimators",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
