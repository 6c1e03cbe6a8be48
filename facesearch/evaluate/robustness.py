"""What JPEG compression and few pixels cost: the validation rate of photos made worse.

FaceNet, section 5.3 and table 4: validation rate at FAR 1e-3 by JPEG quality and by image size.
Both photos of a pair are made worse alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesearch.evaluate import verification as v
from facesearch.evaluate.all_pairs import ValidationRate, all_pairs
from facesearch.evaluate.datasets.embedded_photos import EmbeddedPhotos, State, distances_of
from facesearch.evaluate.degradation import ORIGINAL, Degradation
from facesearch.evaluate.verification_metrics import resolves

FAR = 1e-3


class PairSource(Protocol):
    """The pairs whose rates are reported."""

    def counts(self) -> tuple[int, int]:
        """How many same and different pairs there are."""
        ...

    def rates(self, embedded: EmbeddedPhotos, far: float) -> ValidationRate:
        """VAL at the highest threshold of this FAR."""
        ...

    def rates_at(self, embedded: EmbeddedPhotos, threshold: float) -> ValidationRate:
        """VAL and FAR of a threshold."""
        ...


@dataclass(frozen=True)
class EveryPair:
    """Every two of the photos, of the people int (n,)."""

    people: NDArray[np.integer]
    missing: str

    def counts(self) -> tuple[int, int]:
        sizes = np.unique(self.people, return_counts=True)[1]
        same = int((sizes * (sizes - 1) // 2).sum())
        return same, len(self.people) * (len(self.people) - 1) // 2 - same

    def rates(self, embedded: EmbeddedPhotos, far: float) -> ValidationRate:
        usable = embedded.usable(self.missing)
        return all_pairs(embedded.vectors, self.people, usable, fars=(far,)).at_far[0]

    def rates_at(self, embedded: EmbeddedPhotos, threshold: float) -> ValidationRate:
        usable = embedded.usable(self.missing)
        judged = all_pairs(embedded.vectors, self.people, usable, fars=(), thresholds=(threshold,))
        return judged.at_thresholds[0]


@dataclass(frozen=True)
class ListedPairs:
    """The pairs of a file."""

    pairs: v.LabelledPairs
    missing: str

    def counts(self) -> tuple[int, int]:
        return int(self.pairs.same.sum()), int((~self.pairs.same).sum())

    def rates(self, embedded: EmbeddedPhotos, far: float) -> ValidationRate:
        distances = distances_of(embedded, self.pairs.first, self.pairs.second, self.missing)
        return self._rates(distances, v.threshold_at_far(distances, self.pairs.same, far), far)

    def rates_at(self, embedded: EmbeddedPhotos, threshold: float) -> ValidationRate:
        distances = distances_of(embedded, self.pairs.first, self.pairs.second, self.missing)
        return self._rates(distances, threshold, None)

    def _rates(self, distances: v.Distances, threshold: float, far: float | None) -> ValidationRate:
        tar, measured = v.rates(distances, self.pairs.same, threshold)
        asked = measured if far is None else far
        return ValidationRate(asked, threshold, tar, measured, resolves(self.counts()[1], asked))


@dataclass(frozen=True)
class RobustnessRow:
    """One degradation: VAL at ``threshold``, the highest of the FAR asked for on these photos.

    ``kept_validation_rate`` and ``kept_far`` are those of the threshold of the photos as they are,
    which is what a user who has set a threshold meets. ``missing`` photos have no face found.
    """

    degradation: Degradation
    threshold: float
    validation_rate: float
    kept_validation_rate: float
    kept_far: float
    missing: int


@dataclass(frozen=True)
class Robustness:
    """Rows of one set of pairs, the first of photos as they are; ``resolved`` as for FAR."""

    of: str
    far: float
    resolved: bool
    same_pairs: int
    different_pairs: int
    rows: tuple[RobustnessRow, ...]


def robustness(
    variants: Sequence[EmbeddedPhotos],
    degradations: Sequence[Degradation],
    pairs: PairSource,
    of: str = "face",
    far: float = FAR,
) -> Robustness:
    """Rates of the photos as they are, the first of ``variants``, and with each degradation.

    Raises :class:`facesearch.errors.InputError` unless there are pairs of both kinds.
    """
    as_is = pairs.rates(variants[0], far)
    same, different = pairs.counts()
    rows = []
    for degradation, embedded in zip((ORIGINAL, *degradations), variants, strict=True):
        at_far = pairs.rates(embedded, far)
        kept = pairs.rates_at(embedded, as_is.threshold)
        rows.append(
            RobustnessRow(
                degradation=degradation,
                threshold=at_far.threshold,
                validation_rate=at_far.validation_rate,
                kept_validation_rate=kept.validation_rate,
                kept_far=kept.measured_far,
                missing=len(embedded.paths) - embedded.count(State.FOUND),
            )
        )
    return Robustness(of, far, as_is.resolved, same, different, tuple(rows))
