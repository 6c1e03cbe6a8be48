"""The mutual information that two partitions have by chance, from the sizes of their parts.

Vinh, Epps and Bailey 2010 ("Information theoretic measures for clusterings comparison", equation
24): over all partitions with these sizes, the overlap of a part of a and one of b of n elements is
hypergeometric. Parts of equal size are alike, and each overlap is summed from its most likely value
outwards, so time grows with the pairs of different sizes, of which n elements have no more than
2 n, and not with the pairs of parts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from indexer.runtime.numba_jit import jit

_NEGLIGIBLE = 1e-17  # of the likeliest overlap


def expected_mutual_information(one: NDArray[np.int64], two: NDArray[np.int64]) -> float:
    """In nats, for parts of sizes ``one`` (r,) and ``two`` (c,), 1 or more, of equal sums."""
    sizes_one, counts_one = np.unique(one, return_counts=True)
    sizes_two, counts_two = np.unique(two, return_counts=True)
    total = int(one.sum())
    if not total:
        return 0.0
    return float(_summed(sizes_one, counts_one, sizes_two, counts_two, total))


@jit
def _summed(
    sizes_one: NDArray[np.int64],
    counts_one: NDArray[np.int64],
    sizes_two: NDArray[np.int64],
    counts_two: NDArray[np.int64],
    total: int,
) -> float:
    expected = 0.0
    for row in range(len(sizes_one)):
        for column in range(len(sizes_two)):
            each = _expected_overlap(sizes_one[row], sizes_two[column], total)
            expected += each * counts_one[row] * counts_two[column]
    return expected


@jit
def _expected_overlap(one: int, two: int, total: int) -> float:
    """The expectation of (m / n) ln(n m / (a b)) over overlaps m of parts of a and b among n."""
    least, most = max(1, one + two - total), min(one, two)
    if least > most:
        return 0.0
    likely = min(max(((one + 1) * (two + 1)) // (total + 2), least), most)
    logarithm = (
        math.lgamma(one + 1.0)
        + math.lgamma(two + 1.0)
        + math.lgamma(total - one + 1.0)
        + math.lgamma(total - two + 1.0)
        - math.lgamma(total + 1.0)
        - math.lgamma(likely + 1.0)
        - math.lgamma(one - likely + 1.0)
        - math.lgamma(two - likely + 1.0)
        - math.lgamma(total - one - two + likely + 1.0)
    )
    scale = math.log(total) - math.log(one) - math.log(two)
    rest = float(total - one - two)
    expected = 0.0
    # Relative to the likeliest, for a probability may be too small for a float.
    chance, overlap = 1.0, likely
    while chance > _NEGLIGIBLE:
        expected += chance * overlap * (scale + math.log(overlap))
        if overlap == most:
            break
        chance *= (one - overlap) / (overlap + 1.0) * ((two - overlap) / (rest + overlap + 1.0))
        overlap += 1
    chance, overlap = 1.0, likely
    while overlap > least:
        chance *= overlap / (one - overlap + 1.0) * ((rest + overlap) / (two - overlap + 1.0))
        overlap -= 1
        if chance <= _NEGLIGIBLE:
            break
        expected += chance * overlap * (scale + math.log(overlap))
    return expected / total * math.exp(logarithm)
