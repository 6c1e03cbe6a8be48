"""What is reported of one row on LFW: on View 1, where rows are chosen, and on View 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recognition.all_pairs import FARS as ALL_PAIRS_FARS
from benchmarks.recognition.all_pairs import REPEATS, AllPairsRates, Floats, all_pairs
from facesearch.evaluate import verification as v

FARS = (1e-3, 1e-2)
IDENTIFICATION_FAR = 1e-4
SEED = 0


@dataclass(frozen=True)
class Views:
    """Pairs of View 1 (both its parts) and of View 2, and the photos they are of.

    ``other_photos`` are those of View 2 that View 1 does not have.
    """

    first: v.LabelledPairs
    second: v.LabelledPairs
    first_photos: tuple[str, ...]
    other_photos: tuple[str, ...]

    @property
    def photos(self) -> tuple[str, ...]:
        """All of them, those of View 1 first."""
        return self.first_photos + self.other_photos


def read_views(data: Path) -> Views:
    """The pair lists in LFW's folder."""
    train, test = (v.read_pairs(data / f"pairsDev{part}.txt") for part in ("Train", "Test"))
    first = v.LabelledPairs(
        train.first + test.first,
        train.second + test.second,
        np.concatenate([train.same, test.same]),
        np.concatenate([train.folds, test.folds + 1]),
    )
    second = v.read_pairs(data / "pairs.txt")
    photos = set(first.first + first.second)
    others = set(second.first + second.second) - photos
    return Views(first, second, tuple(sorted(photos)), tuple(sorted(others)))


@dataclass(frozen=True)
class Rates:
    """VAL float64 (rates,) at ``ALL_PAIRS_FARS``, and with people drawn again (repeats, rates)."""

    values: Floats
    draws: Floats


def pairs_of_view1(views: Views, vectors: NDArray[np.float32]) -> AllPairsRates:
    """Every two photos of View 1; ``vectors`` are those of ``views.photos``."""
    people = [path.partition("/")[0] for path in views.first_photos]
    return all_pairs(vectors[: len(people)], np.unique(people, return_inverse=True)[1])


def rates_of(everything: AllPairsRates) -> Rates:
    """VAL and how it varies; the draws are the same people for every row."""
    return Rates(everything.validation_rates(), everything.bootstrap(REPEATS, SEED))


def distances_of(pairs: v.LabelledPairs, views: Views, vectors: NDArray[np.float32]) -> v.Distances:
    """Squared distances of all pairs of a view."""
    rows = {path: row for row, path in enumerate(views.photos)}
    sides = (pairs.first, pairs.second)
    return v.pair_distances(*(vectors[[rows[path] for path in side]] for side in sides))


def view1_figures(
    pairs: v.LabelledPairs,
    distances: v.Distances,
    everything: AllPairsRates,
    rates: Rates,
    base: Rates,
) -> dict[str, Any]:
    """What rows are chosen by, VAL's difference to the row ``base``, and thresholds."""
    threshold = v.best_threshold(distances, pairs.same)
    difference = rates.draws - base.draws
    return {
        "pairs": len(pairs),
        "accuracy": estimate(_best_accuracy, distances, pairs.same),
        "tar_at_far": {str(FARS[0]): tar_estimate(distances, pairs.same, FARS[0])},
        "photos": int(everything.counts.sum()),
        "all_same_pairs": len(everything.same),
        "all_pairs_fars": ALL_PAIRS_FARS,
        "val": rates.values.tolist(),
        "val_standard_error": rates.draws.std(axis=0, ddof=1).tolist(),
        "val_difference": (rates.values - base.values).tolist(),
        "val_difference_standard_error": difference.std(axis=0, ddof=1).tolist(),
        "verification_threshold": threshold,
        "identification_threshold": float(everything.thresholds((IDENTIFICATION_FAR,))[0]),
    }


def view2_figures(
    pairs: v.LabelledPairs, distances: v.Distances, threshold: float
) -> dict[str, Any]:
    """View 2 by its protocol, and at the ``threshold`` of View 1."""
    folds = v.fold_accuracy(distances, pairs.same, pairs.folds)
    tar, far = v.rates(distances, pairs.same, threshold)
    return {
        "accuracy": {
            "mean": folds.mean,
            "standard_error": folds.standard_error,
            "folds": folds.accuracies.tolist(),
            "fold_thresholds": folds.thresholds.tolist(),
        },
        "tar_at_far": {str(far): tar_estimate(distances, pairs.same, far) for far in FARS},
        "area_under_roc": v.area_under_roc(distances, pairs.same),
        "equal_error_rate": estimate(v.equal_error_rate, distances, pairs.same),
        "at_view1_threshold": {
            "accuracy": v.accuracy(distances, pairs.same, threshold),
            "tar": tar,
            "far": far,
        },
    }


def tar_estimate(distances: v.Distances, same: v.Flags, far: float) -> dict[str, float]:
    """TAR at one FAR with its bootstrap interval."""
    return estimate(lambda d, s: v.tar_at_far(d, s, far), distances, same)


def estimate(
    figure: Callable[[v.Distances, v.Flags], float], distances: v.Distances, same: v.Flags
) -> dict[str, float]:
    """A figure with its bootstrap interval over pairs."""
    return asdict(v.bootstrap(figure, distances, same, seed=SEED))


def _best_accuracy(distances: v.Distances, same: v.Flags) -> float:
    return v.accuracy(distances, same, v.best_threshold(distances, same))
