"""Figures and curves of listed pairs, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.evaluate import verification as v
from facesearch.evaluate.curves import POINTS_A_DECADE, roc
from facesearch.evaluate.verification_metrics import pair_figures, resolves


def labelled(seed: int, count: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Distances in eighths, so with many ties, of pairs of both kinds."""
    rng = np.random.default_rng(seed)
    same = rng.random(count) < 0.5
    same[:2] = True, False
    return (rng.integers(0, 24, count) / 8).astype(np.float32), same


@given(st.integers(0, 2**32 - 1), st.integers(2, 300))
def test_the_curve_is_made_of_the_pairs_rates(seed: int, count: int) -> None:
    distances, same = labelled(seed, count)
    curve = roc(distances, same)
    for threshold, far, tar in zip(curve.thresholds, curve.far, curve.tar, strict=True):
        assert (tar, far) == v.rates(distances, same, threshold)
    for values in (curve.thresholds, curve.far, curve.tar):
        assert (np.diff(values) >= 0).all()
    assert (curve.far[0], curve.tar[0], curve.far[-1], curve.tar[-1]) == (0, 0, 1, 1)
    best = {far: v.tar_at_far(distances, same, far) for far in curve.far[:-1].tolist() if far < 1}
    shown = {far: curve.tar[curve.far == far].max() for far in best}
    assert shown == best


def test_long_curves_are_thinned() -> None:
    rng = np.random.default_rng(0)
    distances = rng.random(200_000)
    curve = roc(distances, np.arange(200_000) % 2 == 0)
    assert len(curve.far) < 6 * POINTS_A_DECADE
    assert curve.far[curve.far > 0][0] == 1 / 100_000
    assert (np.diff(curve.far[curve.far > 1e-3]) < 0.05).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(20, 100))
def test_figures_are_those_of_verification(seed: int, count: int) -> None:
    distances, same = labelled(seed, count)
    folds = np.arange(count) % 5
    found = pair_figures(distances, same, folds, threshold=1.5, bootstraps=20, seed=3)
    assert found.same_pairs + found.different_pairs == count
    assert found.folds is not None
    assert found.folds.mean == v.fold_accuracy(distances, same, folds).mean
    assert found.area_under_roc == v.bootstrap(v.area_under_roc, distances, same, 20, 3)
    assert found.equal_error_rate.value == v.equal_error_rate(distances, same)
    assert found.best_accuracy >= np.average(found.folds.accuracies, weights=np.bincount(folds))
    assert found.at_threshold is not None
    assert found.at_threshold.accuracy == v.accuracy(distances, same, 1.5)
    for at in found.tar_at_far:
        assert at.tar.value == v.tar_at_far(distances, same, at.far)
        assert at.resolved == (found.different_pairs >= 1 / at.far)
    order = np.random.default_rng(seed).permutation(count)
    again = pair_figures(distances[order], same[order], folds[order], bootstraps=20)
    assert again.folds is not None
    np.testing.assert_array_equal(again.folds.accuracies, found.folds.accuracies)
    np.testing.assert_array_equal(again.roc.tar, found.roc.tar)


def test_pairs_without_folds_have_no_fold_accuracy() -> None:
    distances, same = labelled(0, 50)
    assert pair_figures(distances, same, bootstraps=5).folds is None
    assert pair_figures(distances, same, np.zeros(50, int), bootstraps=5).folds is None
    assert pair_figures(distances, same, bootstraps=5).at_threshold is None


def test_all_distances_equal_tell_nothing() -> None:
    same = np.arange(2000) < 1000
    found = pair_figures(np.ones(2000), same, bootstraps=5)
    assert found.area_under_roc.value == found.equal_error_rate.value == found.best_accuracy == 0.5
    assert [at.tar.value for at in found.tar_at_far] == [0, 0, 0]
    assert [at.resolved for at in found.tar_at_far] == [True, True, False]


def test_a_rate_is_resolved_by_one_trial_in_as_many() -> None:
    assert resolves(1000, 1e-3)
    assert not resolves(999, 1e-3)
    assert resolves(3_000, 1 / 3_000)


def test_impossible_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="only one kind"):
        pair_figures(np.ones(3), np.ones(3, np.bool_))
    with pytest.raises(InputError, match="finite"):
        pair_figures(np.array([1, np.nan]), np.array([True, False]))
    with pytest.raises(InputError, match="only one kind"):
        roc(np.ones(0), np.ones(0, np.bool_))
