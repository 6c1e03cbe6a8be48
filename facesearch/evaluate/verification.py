"""Verification: are two photos of one person? Pair lists, accuracy by folds, and error rates.

Pair lists and the way of reporting are those of Labeled Faces in the Wild: settings are chosen on
View 1, and View 2 is reported as the mean over ten folds of the accuracy of a threshold chosen on
the other nine (Huang, Ramesh, Berg and Learned-Miller, "Labeled Faces in the Wild", UMass Amherst
Technical Report 07-49, 2007). Throughout, a pair is accepted as the same person when its distance
is at or below a threshold; TAR is the share of same pairs accepted, FAR that of different pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError

Distances = NDArray[np.floating]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledPairs:
    """n pairs of photos: relative paths, ``same`` bool (n,) and ``folds`` int64 (n,) from 0."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    same: Flags
    folds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)


def read_pairs(path: Path) -> LabelledPairs:
    """The pairs in one of the text files of LFW: ``pairs.txt`` or those of View 1.

    The first line has the number of folds, if there are several, and of pairs of either kind in
    each; a fold is its same pairs (``name n1 n2``), then its different ones (``name1 n1 name2
    n2``). Raises :class:`InputError` with the line number where the file is anything else.
    """
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    header = lines[0] if lines else []
    if not 1 <= len(header) <= 2 or not all(word.isdecimal() for word in header):
        raise InputError(f"{path}, line 1: expected numbers of folds and pairs, found {header}")
    folds, each = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
    body = [words for words in lines[1:] if words]
    if len(body) != folds * each * 2:
        raise InputError(f"{path}: expected {folds * each * 2} pairs, found {len(body)}")
    same = np.tile(np.repeat([True, False], each), folds)
    photos = [
        _read_pair(words, bool(is_same), f"{path}, line {number}")
        for number, (words, is_same) in enumerate(zip(body, same, strict=True), start=2)
    ]
    first, second = zip(*photos, strict=True) if photos else ((), ())
    return LabelledPairs(first, second, same, np.repeat(np.arange(folds), each * 2))


def _read_pair(words: list[str], same: bool, where: str) -> tuple[str, str]:
    numbers = (words[1:3] if same else words[1::2]) if len(words) == (3 if same else 4) else []
    if not numbers or not all(number.isdecimal() for number in numbers):
        expected = "a name and two numbers" if same else "two names, each with a number"
        raise InputError(f"{where}: expected {expected}, found {' '.join(words)!r}")
    names = (words[0], words[0]) if same else (words[0], words[2])
    first, second = (
        f"{name}/{name}_{int(number):04d}.jpg" for name, number in zip(names, numbers, strict=True)
    )
    return first, second


def pair_distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> Distances:
    """Squared Euclidean distances float32 (n,) of the rows of two arrays float32 (n, d)."""
    difference = first - second
    distances: Distances = np.einsum("ij,ij->i", difference, difference)
    return distances


def best_threshold(distances: Distances, same: Flags) -> float:
    """The threshold of highest accuracy; of several, the lowest.

    Candidates lie half-way between neighbouring distances, where a threshold generalises best,
    and at the two ends, where it accepts nothing or everything.
    """
    check_both_kinds(distances, same)
    values, positions = np.unique(distances, return_inverse=True)
    gain = np.bincount(positions, weights=np.where(same, 1.0, -1.0))
    right = np.concatenate([[0.0], np.cumsum(gain)])  # accepted same minus accepted different
    between = (values[:-1] + values[1:]) / 2
    candidates = np.concatenate([[values[0] - 1.0], between, [values[-1]]])
    return float(candidates[np.argmax(right)])


def accuracy(distances: Distances, same: Flags, threshold: float) -> float:
    """Share of the pairs that ``threshold`` judges rightly."""
    _check(distances, same)
    return float(np.mean((distances <= threshold) == same))


@dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy float64 (folds,) of each fold at ``thresholds`` chosen on the other folds."""

    accuracies: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def mean(self) -> float:
        return float(self.accuracies.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean: sample standard deviation over the root of the number of folds."""
        return float(self.accuracies.std(ddof=1) / np.sqrt(len(self.accuracies)))


def fold_accuracy(distances: Distances, same: Flags, folds: NDArray[np.integer]) -> FoldAccuracy:
    """Each fold's accuracy at the best threshold of all the other folds, which are two or more."""
    check_both_kinds(distances, same)
    numbers = np.unique(folds)
    if folds.shape != same.shape or len(numbers) < 2:
        raise InputError(
            f"expected {len(same)} fold numbers of two folds or more, got shape {folds.shape} "
            f"with {len(numbers)}"
        )
    thresholds = [best_threshold(distances[folds != n], same[folds != n]) for n in numbers]
    accuracies = [
        accuracy(distances[folds == n], same[folds == n], threshold)
        for n, threshold in zip(numbers, thresholds, strict=True)
    ]
    return FoldAccuracy(np.array(accuracies), np.array(thresholds))


def rates(distances: Distances, same: Flags, threshold: float) -> tuple[float, float]:
    """TAR and FAR of one threshold."""
    check_both_kinds(distances, same)
    accepted = distances <= threshold
    return float(accepted[same].mean()), float(accepted[~same].mean())


def threshold_at_far(distances: Distances, same: Flags, far: float) -> float:
    """The highest threshold whose FAR on these pairs is at most ``far``.

    With n different pairs, floor(far n) of them may be accepted, so the threshold lies just below
    the next of their distances. Nothing is interpolated.
    """
    check_both_kinds(distances, same)
    if not 0 <= far < 1:
        raise InputError(f"expected a false accept rate in [0, 1), got {far}")
    return highest_threshold(distances[~same], far)


def tar_at_far(distances: Distances, same: Flags, far: float) -> float:
    """The share of same pairs accepted by :func:`threshold_at_far`."""
    return rates(distances, same, threshold_at_far(distances, same, far))[0]


def highest_threshold(different: Distances, far: float) -> float:
    """The highest threshold that accepts at most floor(``far`` n) of n ``different`` distances."""
    allowed = int(np.floor(far * len(different) + 1e-9))  # 0.29 * 100 is a bit less than 29
    return float(
        np.nextafter(np.partition(different, allowed)[allowed], different.dtype.type(-np.inf))
    )


def area_under_roc(distances: Distances, same: Flags) -> float:
    """The probability that a same pair is nearer than a different one, ties counted half."""
    check_both_kinds(distances, same)
    different = np.sort(distances[~same])
    nearer = len(different) - np.searchsorted(different, distances[same], side="right")
    tied_or_nearer = len(different) - np.searchsorted(different, distances[same], side="left")
    return float((nearer + tied_or_nearer).mean() / (2 * len(different)))


def equal_error_rate(distances: Distances, same: Flags) -> float:
    """The rate at which false accepts and false rejects are equal.

    Between the two neighbouring thresholds where they cross, both are taken to be linear.
    """
    check_both_kinds(distances, same)
    thresholds = np.concatenate([[-np.inf], np.unique(distances)])
    far = np.searchsorted(np.sort(distances[~same]), thresholds, side="right") / (~same).sum()
    frr = 1 - np.searchsorted(np.sort(distances[same]), thresholds, side="right") / same.sum()
    after = int(np.argmax(far >= frr))
    rise, fall = far[after] - far[after - 1], frr[after - 1] - frr[after]
    part = (frr[after - 1] - far[after - 1]) / (rise + fall)
    return float(far[after - 1] + part * rise)


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap standard error and 95 % percentile interval."""

    value: float
    standard_error: float
    low: float
    high: float


def bootstrap(
    figure: Callable[[Distances, Flags], float],
    distances: Distances,
    same: Flags,
    repeats: int = 1000,
    seed: int = 0,
) -> Estimate:
    """``figure`` of the pairs, and how it varies when the pairs are drawn again.

    Same and different pairs are drawn apart and with replacement. Pairs that share a person
    depend on each other, so the interval is somewhat too narrow.
    """
    check_both_kinds(distances, same)
    generator = np.random.default_rng(seed)
    kinds = np.flatnonzero(same), np.flatnonzero(~same)
    drawn = np.empty(repeats)
    for repeat in range(repeats):
        rows = np.concatenate([generator.choice(rows, len(rows)) for rows in kinds])
        drawn[repeat] = figure(distances[rows], same[rows])
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(figure(distances, same), float(drawn.std(ddof=1)), float(low), float(high))


def check_both_kinds(distances: Distances, same: Flags) -> None:
    """Raise InputError unless there are n finite distances and n flags, of both kinds."""
    _check(distances, same)
    if not same.any() or same.all():
        raise InputError("expected same and different pairs, got only one kind")


def _check(distances: Distances, same: Flags) -> None:
    if distances.ndim != 1 or same.shape != distances.shape or same.dtype != np.bool_:
        raise InputError(
            f"expected n distances and n bools, got {distances.shape} and {same.dtype} {same.shape}"
        )
    if not np.isfinite(distances).all():
        raise InputError("expected finite distances, got NaN or infinity")
