"""Index recipes: which index for a number of vectors, a memory limit and a recall."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from indexer.argument_checks import number
from indexer.exact.int8_kernel import BYTES
from indexer.ivf.index import IvfRecipe
from indexer.ivf.scalar_quantizer import BITS
from indexer.types import Vectors

EXACT, LEAST_RECALL = 1.0, 0.5
DEFAULT_RECALL = 0.99  # where exact search does not fit the memory
_VARIANCES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999)  # that components may hold
_LEAST_CELLS, _MOST_CELLS = 16, 65_536
_CELLS = 2  # times the root of the number of vectors
_ROW_BYTES = 8  # of a row beside its codes: term and place
_FLAT_BYTES = 8  # of a vector beside its components: its id


@dataclass(frozen=True)
class RecipeGoal:
    """``recall``: the share of searches that give the nearest vector, 1 for exact search.

    ``memory`` is how many bytes the index may take.
    """

    recall: float
    memory: float

    def __post_init__(self) -> None:
        number(self.recall, "a recall", LEAST_RECALL, EXACT)
        if not number(self.memory, "bytes of memory", 0, math.inf):
            raise ValueError("expected more than 0 bytes of memory, got 0")


def flat_bytes(count: int, dimension: int) -> int:
    """Memory of exact search, codes included that make it faster once it was asked often."""
    return count * (dimension * 4 + _FLAT_BYTES + dimension + 4)


def cell_bytes(count: int, recipe: IvfRecipe) -> float:
    """Memory of an index by cells."""
    each = recipe.components * recipe.bits / 8 + _ROW_BYTES
    return count * each + recipe.cells * recipe.components * 4


def cell_count(count: int) -> int:
    """Cells for so many vectors: the power of two next to twice the root of their number."""
    power = round(math.log2(max(1.0, _CELLS * math.sqrt(count))))
    return max(_LEAST_CELLS, min(1 << power, _MOST_CELLS))


def cell_recipes(sample: Vectors, count: int, memory: float) -> list[IvfRecipe]:
    """Ways to code ``count`` vectors like ``sample`` (n, d) within ``memory``, the smallest first.

    Components are those that hold certain shares of the variance.
    """
    centred = sample - sample.mean(axis=0, dtype=np.float64)
    variances = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    shares = np.cumsum(np.maximum(variances, 0)) / max(variances.sum(), np.finfo(float).tiny)
    kept = {int(np.searchsorted(shares, share)) + 1 for share in _VARIANCES}
    components = {-(-min(each, len(shares)) // BYTES) * BYTES for each in kept}
    recipes = [IvfRecipe(cell_count(count), c, bits) for c in components for bits in BITS]
    fitting = [recipe for recipe in recipes if cell_bytes(count, recipe) <= memory]
    return sorted(fitting, key=lambda recipe: (cell_bytes(count, recipe), recipe.components))
