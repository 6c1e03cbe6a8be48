"""Verification figures of a list of pairs: accuracy by folds, AUC, EER, TAR at fixed FARs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from facesearch.evaluate import verification as v
from facesearch.evaluate.curves import Curve, roc

FARS = (1e-2, 1e-3, 1e-4)
BOOTSTRAPS = 1000


@dataclass(frozen=True)
class TarAtFar:
    """TAR at the highest ``threshold`` whose FAR on the n different pairs is at most ``far``.

    Fewer than 1 / far different pairs cannot resolve the rate: ``resolved`` is False, no false
    accept at all was allowed, and the true FAR may well be higher.
    """

    far: float
    threshold: float
    tar: v.Estimate
    resolved: bool


@dataclass(frozen=True)
class AtThreshold:
    """What a threshold that was chosen elsewhere does on these pairs."""

    threshold: float
    accuracy: float
    tar: float
    far: float


@dataclass(frozen=True)
class PairFigures:
    """Figures of labelled pairs; ``folds`` where they come in folds, ``at_threshold`` if asked.

    ``best_accuracy`` is that of the best threshold for these very pairs, so no honest accuracy;
    it tells what another choice of threshold could still gain.
    """

    same_pairs: int
    different_pairs: int
    folds: v.FoldAccuracy | None
    best_accuracy: float
    area_under_roc: v.Estimate
    equal_error_rate: v.Estimate
    tar_at_far: tuple[TarAtFar, ...]
    at_threshold: AtThreshold | None
    roc: Curve


def pair_figures(
    distances: v.Distances,
    same: v.Flags,
    folds: NDArray[np.integer] | None = None,
    *,
    threshold: float | None = None,
    fars: Sequence[float] = FARS,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
) -> PairFigures:
    """All figures of pairs with squared ``distances`` float (n,) and ``same`` bool (n,).

    ``folds`` int (n,) is used where it holds two folds or more. Raises
    :class:`facesearch.errors.InputError` unless there are pairs of both kinds.
    """
    draw = partial(v.bootstrap, distances=distances, same=same, repeats=bootstraps, seed=seed)
    several = folds is not None and len(np.unique(folds)) > 1
    best = v.best_threshold(distances, same)
    return PairFigures(
        same_pairs=int(same.sum()),
        different_pairs=int((~same).sum()),
        folds=v.fold_accuracy(distances, same, folds) if folds is not None and several else None,
        best_accuracy=v.accuracy(distances, same, best),
        area_under_roc=draw(v.area_under_roc),
        equal_error_rate=draw(v.equal_error_rate),
        tar_at_far=tuple(
            TarAtFar(
                far=far,
                threshold=v.threshold_at_far(distances, same, far),
                tar=draw(partial(v.tar_at_far, far=far)),
                resolved=resolves(int((~same).sum()), far),
            )
            for far in fars
        ),
        at_threshold=None if threshold is None else at_threshold(distances, same, threshold),
        roc=roc(distances, same),
    )


def at_threshold(distances: v.Distances, same: v.Flags, threshold: float) -> AtThreshold:
    """Accuracy, TAR and FAR of one threshold."""
    tar, far = v.rates(distances, same, threshold)
    return AtThreshold(threshold, v.accuracy(distances, same, threshold), tar, far)


def resolves(trials: int, rate: float) -> bool:
    """Whether so many trials can show a rate: at least one error may be made at it."""
    return trials * rate >= 1 - 1e-9
