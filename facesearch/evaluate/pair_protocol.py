"""Verification on a list of pairs: the figures that papers report, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.evaluate import verification as v
from facesearch.evaluate.embedding import NEVER, EmbeddedPhotos

FARS = (1e-2, 1e-3, 1e-4)
REPEATS = 1000
_ROC_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """An error trade-off: ``far`` and ``tar`` float64 (n,), both ascending."""

    far: NDArray[np.float64]
    tar: NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """TAR at the highest threshold whose FAR is at most ``far``.

    ``allowed`` is how many different pairs that FAR lets pass. Where it is 0 the pairs cannot
    resolve the rate: the threshold is then just below the nearest different pair.
    """

    far: float
    allowed: int
    threshold: float
    tar: v.Estimate

    @property
    def resolved(self) -> bool:
        return self.allowed > 0


@dataclass(frozen=True)
class PairResult:
    """Verification on ``same`` and ``different`` pairs, ``missing`` of which lack a face.

    ``folds`` is None where the list has fewer than two folds.
    """

    same: int
    different: int
    missing: int
    folds: v.FoldAccuracy | None
    area: v.Estimate
    equal_error: v.Estimate
    points: tuple[OperatingPoint, ...]
    curve: Curve


def evaluate_pairs(
    distances: v.Distances,
    same: v.Flags,
    folds: NDArray[np.int64] | None = None,
    *,
    missing: int = 0,
    fars: Sequence[float] = FARS,
    repeats: int = REPEATS,
) -> PairResult:
    """The figures of n pairs by squared distance; intervals from ``repeats`` bootstrap draws."""
    several = folds is not None and len(np.unique(folds)) > 1
    return PairResult(
        int(same.sum()),
        int((~same).sum()),
        missing,
        v.fold_accuracy(distances, same, folds) if several and folds is not None else None,
        v.bootstrap(v.area_under_roc, distances, same, repeats),
        v.bootstrap(v.equal_error_rate, distances, same, repeats),
        tuple(_point(distances, same, far, repeats) for far in fars),
        roc_curve(distances, same),
    )


def _point(distances: v.Distances, same: v.Flags, far: float, repeats: int) -> OperatingPoint:
    tar = v.bootstrap(lambda d, s: v.tar_at_far(d, s, far), distances, same, repeats)
    allowed = int(np.floor(far * (~same).sum() + 1e-9))
    return OperatingPoint(far, allowed, v.threshold_at_far(distances, same, far), tar)


def roc_curve(distances: v.Distances, same: v.Flags) -> Curve:
    """TAR at FARs that different pairs can resolve, at most a few hundred, evenly on a log axis.

    A point's threshold is one of the different distances, so that its FAR is exact.
    """
    different, genuine = np.sort(distances[~same]), np.sort(distances[same])
    if not len(different) or not len(genuine):
        raise InputError("expected same and different pairs, got only one kind")
    ranks = np.unique(np.geomspace(1, len(different), _ROC_POINTS).round().astype(np.int64))
    thresholds = different[ranks - 1]
    far = np.searchsorted(different, thresholds, side="right") / len(different)
    tar = np.searchsorted(genuine, thresholds, side="right") / len(genuine)
    return Curve(far, tar)


def photos_of(pairs: v.Pairs) -> tuple[str, ...]:
    """Every photo that a list of pairs names, once, sorted."""
    return tuple(sorted({*pairs.first, *pairs.second}))


def distances_of(pairs: v.Pairs, photos: EmbeddedPhotos) -> tuple[v.Distances, int]:
    """Squared distances (n,) of the pairs, ``NEVER`` where a photo lacks a face; how many do."""
    rows = {path: row for row, path in enumerate(photos.paths)}
    try:
        first, second = (
            np.array([rows[path] for path in side], np.int64)
            for side in (pairs.first, pairs.second)
        )
    except KeyError as error:
        raise InputError(f"expected every photo of the pairs, {error} was not embedded") from None
    distances = v.pair_distances(photos.vectors[first], photos.vectors[second])
    present = photos.found[first] & photos.found[second]
    return np.where(present, distances, np.float32(NEVER)), int((~present).sum())


def read_pair_list(path: Path) -> v.Pairs:
    """Pairs in LFW's format, or as lines ``photo1<TAB>photo2<TAB>0|1[<TAB>fold]``.

    The second kind is known by two tabs or more in its first line that is not empty or a comment
    (``#``), of which LFW's header has at most one. Raises :class:`InputError` with the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8: {error}") from error
    body = [
        (number, line)
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    ]
    if not body:
        raise InputError(f"{path}: expected pairs of photos, found none")
    if body[0][1].count("\t") < 2:
        return v.read_pairs(path)
    return _tabbed([(f"{path}, line {number}", line.split("\t")) for number, line in body])


def _tabbed(rows: list[tuple[str, list[str]]]) -> v.Pairs:
    width = len(rows[0][1])
    for where, words in rows:
        if len(words) != width or width not in (3, 4) or words[2].strip() not in ("0", "1"):
            raise InputError(
                f"{where}: expected photo1, photo2, 0 or 1 and in every line or none a fold, "
                f"with tabs between, found {words!r}"
            )
    names = [words[3].strip() if width == 4 else "" for _, words in rows]
    folds = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return v.Pairs(
        tuple(words[0] for _, words in rows),
        tuple(words[1] for _, words in rows),
        np.array([words[2].strip() == "1" for _, words in rows]),
        folds,
    )
