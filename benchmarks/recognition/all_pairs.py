"""VAL at low false accept rates over every two photos, with errors from drawing people again.

View 1 has 3,200 pairs, too few to distinguish pipelines; its photos make
12 million. VAL and FAR are the paper's (FaceNet, section 4): the shares of all same and of all
different pairs at or below a threshold. Pairs that share a person depend on each other, so the
bootstrap draws people, not pairs, and a pair counts as often as its two people were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FARS = (1e-3, 1e-4, 1e-5)
REPEATS = 300
_KEPT = 10  # times the nearest different pairs that the highest of FARS needs are kept
_BLOCK = 1024  # photos

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AllPairsRates:
    """Every two of n photos, by squared distance, ascending; a ``weight`` is of each person.

    ``same`` float32 (s,) and ``same_person`` int64 (s,): pairs of one person. ``different``
    float32 (d,) and ``different_people`` int64 (d, 2): the nearest pairs of two people, of
    ``counts`` int64 (people,) photos each.
    """

    same: NDArray[np.float32]
    same_person: NDArray[np.int64]
    different: NDArray[np.float32]
    different_people: NDArray[np.int64]
    counts: NDArray[np.int64]

    def thresholds(self, fars: tuple[float, ...] = FARS, weight: Floats | None = None) -> Floats:
        """The highest threshold at each rate, float64 (rates,)."""
        weight = np.ones(len(self.counts)) if weight is None else weight
        pairs = weight[self.different_people[:, 0]] * weight[self.different_people[:, 1]]
        photos = weight * self.counts
        total = (photos.sum() ** 2 - (photos**2).sum()) / 2
        # The first pair beyond the allowed weight; the threshold lies just below it.
        allowed = np.array(fars) * total * (1 + 1e-9)
        beyond = np.searchsorted(np.cumsum(pairs), allowed, side="right")
        if beyond.max() >= len(self.different):
            raise ValueError(f"expected rates of at most {max(FARS)}, got {fars}")
        return np.nextafter(self.different[beyond], np.float32(-np.inf)).astype(np.float64)

    def validation_rates(
        self, fars: tuple[float, ...] = FARS, weight: Floats | None = None
    ) -> Floats:
        """The share of same pairs accepted at each rate, float64 (rates,)."""
        weight = np.ones(len(self.counts)) if weight is None else weight
        accepted = np.searchsorted(self.same, self.thresholds(fars, weight), side="right")
        cumulative = np.concatenate([[0.0], np.cumsum(weight[self.same_person])])
        return np.asarray(cumulative[accepted] / cumulative[-1])

    def bootstrap(self, repeats: int = REPEATS, seed: int = 0) -> Floats:
        """``validation_rates`` float64 (repeats, rates), each with people drawn again.

        With one seed the draws are the same for every pipeline over the same people, so the
        differences of two results tell how sure the difference of two pipelines is.
        """
        generator, people = np.random.default_rng(seed), len(self.counts)
        draws = generator.multinomial(people, np.full(people, 1 / people), size=repeats)
        return np.stack([self.validation_rates(weight=draw.astype(np.float64)) for draw in draws])


def all_pairs(vectors: NDArray[np.float32], people: NDArray[np.int64]) -> AllPairsRates:
    """Every two rows of unit vectors float32 (n, d); ``people`` int64 (n,) from 0 say whose."""
    counts = np.bincount(people)
    total = (len(people) ** 2 - (counts**2).sum()) // 2
    keep = int(_KEPT * max(FARS) * total) + 1
    same, same_rows = [], []
    near, near_rows = [np.zeros(0, np.float32)], [np.zeros((0, 2), np.int64)]
    for start in range(0, len(vectors), _BLOCK):
        block = slice(start, start + _BLOCK)
        distances = np.maximum(2 - 2 * (vectors[block] @ vectors.T), 0).astype(np.float32)
        later = np.arange(len(vectors)) > np.arange(len(vectors))[block, None]
        equal = people[block, None] == people
        rows = np.argwhere(later & equal)
        same.append(distances[tuple(rows.T)])
        same_rows.append(people[block][rows[:, 0]])
        rows = np.argwhere(later & ~equal)
        found = distances[tuple(rows.T)]
        near.append(found)
        near_rows.append(np.stack([people[block][rows[:, 0]], people[rows[:, 1]]], axis=1))
        near, near_rows = _nearest(near, near_rows, keep)
    order = np.argsort(np.concatenate(same))
    return AllPairsRates(
        np.concatenate(same)[order], np.concatenate(same_rows)[order], near[0], near_rows[0], counts
    )


def _nearest(
    distances: list[NDArray[np.float32]], people: list[NDArray[np.int64]], keep: int
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.int64]]]:
    joined, pairs = np.concatenate(distances), np.concatenate(people)
    order = np.argsort(joined)[:keep]
    return [joined[order]], [pairs[order]]
