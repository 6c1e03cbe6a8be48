"""How well found clusters agree with the truth, from the counts of their intersections.

Everything here takes two label arrays (n,) of any integers, negative for noise. **A noise vector
counts as a cluster of its own**, in the truth and in what was found, so leaving a face out is paid
for in recall and never in precision. Time is that of sorting n labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.runtime.numba_jit import jit

Labels = NDArray[np.integer[Any]]

_NEGLIGIBLE = 1e-17  # of the likeliest overlap


@dataclass(frozen=True)
class Score:
    """``precision`` and ``recall`` in [0, 1], and their harmonic mean ``f``."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def pairwise_scores(truth: Labels, found: Labels) -> Score:
    """Over pairs of vectors: precision, the share of pairs put together that belong together;
    recall, the share of pairs that belong together that were put together. A share of no pairs
    at all is 1."""
    counts = _Counts(truth, found)
    both, found_pairs, true_pairs = (
        int((sizes * (sizes - 1) // 2).sum())
        for sizes in (counts.cells, counts.found, counts.truth)
    )
    return Score(
        both / found_pairs if found_pairs else 1.0, both / true_pairs if true_pairs else 1.0
    )


def bcubed_scores(truth: Labels, found: Labels) -> Score:
    """BCubed (Bagga and Baldwin 1998): for each vector, the share of its found cluster that is of
    its true one (precision) and of its true cluster that is in its found one (recall), itself
    included; then the mean over all vectors. 1 where there is no vector."""
    counts = _Counts(truth, found)
    if not counts.total:
        return Score(1.0, 1.0)
    squares = counts.cells.astype(np.float64) ** 2
    return Score(
        float((squares / counts.found[counts.cell_found]).sum() / counts.total),
        float((squares / counts.truth[counts.cell_truth]).sum() / counts.total),
    )


def normalized_mutual_information(truth: Labels, found: Labels) -> float:
    """Mutual information over the arithmetic mean of both entropies, in [0, 1]; 1 where both
    entropies are 0 (Vinh, Epps and Bailey 2010, "Information theoretic measures", table 2)."""
    counts = _Counts(truth, found)
    entropies = _entropy(counts.truth) + _entropy(counts.found)
    if not entropies:
        return 1.0
    shared = entropies - _entropy(counts.cells)
    return float(min(max(2 * shared / entropies, 0.0), 1.0))


def adjusted_mutual_information(truth: Labels, found: Labels) -> float:
    """Mutual information adjusted for chance, over the arithmetic mean of both entropies (Vinh,
    Epps and Bailey 2010, table 2): 1 for equal partitions, about 0 for random ones. Small clusters
    share much by chance, which this takes out and NMI does not."""
    counts = _Counts(truth, found)
    one, two = _entropy(counts.truth), _entropy(counts.found)
    if len(counts.cells) == len(counts.truth) == len(counts.found):
        return 1.0  # equal partitions, of which some share no less by chance
    chance = expected_mutual_information(counts.truth, counts.found)
    largest, shared = (one + two) / 2, one + two - _entropy(counts.cells)
    return float((shared - chance) / max(largest - chance, np.finfo(np.float64).eps))


def adjusted_rand_index(truth: Labels, found: Labels) -> float:
    """The Rand index adjusted for chance (Hubert and Arabie 1985): 1 for equal partitions, about
    0 for random ones."""
    counts = _Counts(truth, found)
    cells, found_pairs, true_pairs = (
        int((sizes * (sizes - 1) // 2).sum())
        for sizes in (counts.cells, counts.found, counts.truth)
    )
    pairs = counts.total * (counts.total - 1) // 2
    largest = (found_pairs + true_pairs) / 2
    expected = found_pairs * true_pairs / pairs if pairs else 0.0
    return (cells - expected) / (largest - expected) if largest != expected else 1.0


class _Counts:
    """Sizes of the true clusters, the found clusters and their intersections that are not empty."""

    def __init__(self, truth: Labels, found: Labels) -> None:
        truth, found = _numbered(truth, "truth"), _numbered(found, "found")
        if truth.shape != found.shape:
            raise ValueError(
                f"expected as many true labels as found ones, got {len(truth)} and {len(found)}"
            )
        self.total = len(truth)
        self.truth, self.found = np.bincount(truth), np.bincount(found)
        columns = len(self.found)
        pairs, self.cells = np.unique(truth * columns + found, return_counts=True)
        self.cell_truth, self.cell_found = np.divmod(pairs, max(columns, 1))


def _numbered(labels: Labels, what: str) -> NDArray[np.int64]:
    """``labels`` renumbered 0, 1, ... without gaps, each negative one a number of its own."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or not (np.issubdtype(labels.dtype, np.integer) or not len(labels)):
        raise ValueError(f"expected {what} labels int (n,), got {labels.dtype} {labels.shape}")
    distinct, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.astype(np.int64)
    noise = np.flatnonzero(labels < 0)
    numbers[noise] = len(distinct) + np.arange(len(noise))
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _entropy(sizes: NDArray[np.int64]) -> float:
    shares = sizes / max(int(sizes.sum()), 1)
    return float(-(shares * np.log(shares)).sum())


def expected_mutual_information(one: NDArray[np.int64], two: NDArray[np.int64]) -> float:
    """What two partitions share by chance, in nats, from the sizes of their parts.

    ``one`` (r,) and ``two`` (c,) are 1 or more, of equal sums. Over all partitions with these sizes
    the overlap of a part of a and one of b of n elements is hypergeometric (Vinh, Epps and Bailey
    2010, equation 24). Parts of equal size are alike, and each overlap is summed from its most
    likely value outwards, so time grows with the pairs of different sizes, of which n elements have
    no more than 2 n. That of scikit-learn grows with the pairs of parts: for thousands of people
    it is hundreds of times slower.
    """
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
