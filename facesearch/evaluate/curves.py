"""Error rates over all thresholds, thinned to as many points as a plot shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.evaluate.verification import Distances, Flags, check_both_kinds

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

POINTS_A_DECADE = 60


@dataclass(frozen=True)
class Curve:
    """TAR and FAR, float64 (n,) each, at ``thresholds``, all ascending."""

    thresholds: Floats
    far: Floats
    tar: Floats


def roc(distances: Distances, same: Flags) -> Curve:
    """The receiver operating characteristic of labelled pairs.

    From FAR 0 to 1, with at most :data:`POINTS_A_DECADE` points a decade of FAR; each is the
    highest threshold of its FAR, so that nothing between them is hidden but steps in FAR.
    """
    check_both_kinds(distances, same)
    thresholds = np.unique(distances)
    accepted = [
        np.searchsorted(np.sort(distances[kind]), thresholds, side="right")
        for kind in (same, ~same)
    ]
    return curve_of_counts(thresholds, accepted[0], accepted[1])


def curve_of_counts(thresholds: NDArray[np.floating], same: Counts, different: Counts) -> Curve:
    """The curve of ascending ``thresholds`` and the pairs accepted at each, of which the last
    accepts all; a first threshold that accepts nothing is added in front."""
    thresholds = np.concatenate([[-1.0], thresholds])
    tar = np.concatenate([[0.0], same / same[-1]])
    far = np.concatenate([[0.0], different / different[-1]])
    kept = thinned(different)
    kept = np.concatenate([[0], kept + 1])
    return Curve(thresholds[kept].astype(np.float64), far[kept], tar[kept])


def thinned(counts: Counts) -> NDArray[np.intp]:
    """Rows of ascending ``counts`` worth plotting: the last of each of a grid of values.

    The grid holds 0 and from 1 on :data:`POINTS_A_DECADE` values a decade.
    """
    last = max(int(counts[-1]), 1)
    points = int(np.ceil(np.log10(last) * POINTS_A_DECADE)) + 1
    grid = np.concatenate([[0], np.geomspace(1, last, points).astype(np.int64), [last]])
    return np.unique(np.searchsorted(counts, grid, side="right") - 1).clip(0)
