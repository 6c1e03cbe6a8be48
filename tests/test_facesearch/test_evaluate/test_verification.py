"""Verification figures against plain, slow versions of their definitions and scikit-learn."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from facesearch.errors import InputError
from facesearch.evaluate import verification as v

Labelled = tuple[NDArray[np.float32], NDArray[np.bool_]]


@st.composite
def labelled_distances(draw: st.DrawFn) -> Labelled:
    """Distances with many ties, and at least one pair of either kind."""
    count = draw(st.integers(2, 40))
    steps = draw(arrays(np.int64, count, elements=st.integers(0, 12)))
    same = draw(arrays(np.bool_, count))
    same[:2] = True, False
    return (steps / 8).astype(np.float32), same


def normal_distances(count: int = 1000, seed: int = 0) -> Labelled:
    generator = np.random.default_rng(seed)
    same = generator.random(count) < 0.5
    return (2 + generator.normal(size=count) - 1.5 * same).astype(np.float32), same


@given(labelled_distances())
def test_best_threshold_is_the_lowest_best_of_all(pairs: Labelled) -> None:
    distances, same = pairs
    values = np.unique(distances)
    candidates = [values[0] - 1, *(values[:-1] + values[1:]) / 2, values[-1]]
    accuracies = [np.mean((distances <= t) == same) for t in candidates]
    best = v.best_threshold(distances, same)
    assert v.accuracy(distances, same, best) == max(accuracies)
    assert best == candidates[int(np.argmax(accuracies))]


@given(labelled_distances(), st.sampled_from([0.0, 0.001, 0.1, 0.5, 0.99]))
def test_tar_at_far_is_the_best_of_all_thresholds_allowed(pairs: Labelled, far: float) -> None:
    distances, same = pairs
    best = 0.0
    for threshold in [-1.0, *distances.tolist()]:
        if np.mean(distances[~same] <= threshold) <= far:
            best = max(best, float(np.mean(distances[same] <= threshold)))
    assert v.tar_at_far(distances, same, far) == best
    assert v.rates(distances, same, v.threshold_at_far(distances, same, far))[1] <= far


def test_far_of_a_thousandth_of_3000_allows_three() -> None:
    distances = np.concatenate([np.full(3000, 0.5), np.arange(3000) + 1]).astype(np.float32)
    distances[:1000] = 3.5  # within reach of the fourth different pair, beyond the third
    distances[1000:1500] = 4.0  # tied with the fourth
    same = np.arange(6000) < 3000
    tar, far = v.rates(distances, same, v.threshold_at_far(distances, same, 1e-3))
    assert far == 3 / 3000
    assert tar == 2500 / 3000


@given(labelled_distances())
def test_area_under_roc_agrees_with_scikit_learn(pairs: Labelled) -> None:
    distances, same = pairs
    assert v.area_under_roc(distances, same) == pytest.approx(roc_auc_score(same, -distances))


@given(labelled_distances())
def test_equal_error_rate_lies_on_the_roc_of_scikit_learn(pairs: Labelled) -> None:
    distances, same = pairs
    far, tar, _ = roc_curve(same, -distances, drop_intermediate=False)
    grid = np.linspace(0, 1, 20_001)
    along = np.interp(grid, np.arange(len(far)) / (len(far) - 1), far)
    misses = 1 - np.interp(grid, np.arange(len(far)) / (len(far) - 1), tar)
    closest = int(np.argmin(np.abs(along - misses)))
    assert v.equal_error_rate(distances, same) == pytest.approx(along[closest], abs=2e-3)


def test_equal_error_rate_of_known_cases() -> None:
    same = np.array([True, True, False, False])
    assert v.equal_error_rate(np.array([0.1, 0.2, 0.3, 0.4]), same) == 0
    assert v.equal_error_rate(np.array([0.3, 0.4, 0.1, 0.2]), same) == 1
    assert v.equal_error_rate(np.array([0.1, 0.3, 0.2, 0.4]), same) == 0.5
    assert v.equal_error_rate(np.ones(4), same) == 0.5


def test_fold_accuracy_by_hand_and_never_from_its_fold() -> None:
    distances, same = normal_distances()
    folds = np.arange(len(same)) % 10
    found = v.fold_accuracy(distances, same, folds)
    for fold in range(10):
        rest = folds != fold
        threshold = v.best_threshold(distances[rest], same[rest])
        assert found.thresholds[fold] == threshold
        assert found.accuracies[fold] == np.mean((distances[~rest] <= threshold) == same[~rest])
    assert found.mean == pytest.approx(np.mean(found.accuracies))
    spread = np.sqrt(np.sum((found.accuracies - found.mean) ** 2) / 9)
    assert found.standard_error == pytest.approx(spread / np.sqrt(10))
    changed = distances.copy()
    changed[folds == 3] += 100
    assert v.fold_accuracy(changed, same, folds).thresholds[3] == found.thresholds[3]


def test_bootstrap_error_of_an_accuracy_is_the_binomial_one() -> None:
    distances, same = normal_distances(4000)
    estimate = v.bootstrap(lambda d, s: v.accuracy(d, s, 1.25), distances, same, repeats=500)
    hits = (distances <= 1.25) == same
    shares = [(kind.mean(), np.mean(hits[kind])) for kind in (same, ~same)]
    expected = np.sqrt(sum(w * p * (1 - p) for w, p in shares) / len(same))
    assert estimate.value == np.mean(hits)
    assert estimate.standard_error == pytest.approx(expected, rel=0.15)
    assert estimate.low < estimate.value < estimate.high
    again = v.bootstrap(lambda d, s: v.accuracy(d, s, 1.25), distances, same, repeats=500)
    assert again == estimate


def test_pair_distances_are_squared() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
    expected = [np.linalg.norm(a - b) ** 2 for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(v.pair_distances(first, second), expected, rtol=1e-5)


def test_pairs_in_folds_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("2\t1\nA\t1\t2\nA\t3\tB\t12\nC_D\t4\t5\nC_D\t1\tE\t1\n")
    pairs = v.read_pairs(path)
    assert pairs.first == ("A/A_0001.jpg", "A/A_0003.jpg", "C_D/C_D_0004.jpg", "C_D/C_D_0001.jpg")
    assert pairs.second == ("A/A_0002.jpg", "B/B_0012.jpg", "C_D/C_D_0005.jpg", "E/E_0001.jpg")
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.folds.tolist() == [0, 0, 1, 1]


def test_pairs_without_folds_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pairsDevTest.txt"
    path.write_text("1\nA\t1\t2\nA\t3\tB\t12\n")
    pairs = v.read_pairs(path)
    assert pairs.same.tolist() == [True, False]
    assert pairs.folds.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected numbers"),
        ("A 1 2\n", "line 1: expected numbers"),
        ("1\nA 1 2\n", "expected 2 pairs, found 1"),
        ("1\nA 1 2\nB 1 2\n", "line 3: expected two names"),
        ("1\nA 1 B 2\nA 1 B 2\n", "line 2: expected a name and two numbers"),
        ("1\nA one 2\nA 1 B 2\n", "line 2: expected a name and two numbers"),
    ],
)
def test_other_files_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        v.read_pairs(path)


def test_the_real_lists_are_read_whole() -> None:
    root = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw"
    if not root.is_dir():
        pytest.skip(f"no pair lists at {root}; set FACESEARCH_TEST_DATA")
    pairs = v.read_pairs(root / "pairs.txt")
    assert np.bincount(pairs.folds).tolist() == [600] * 10
    assert pairs.same.sum() == 3000
    assert all((root / "images" / path).is_file() for path in (*pairs.first, *pairs.second))
    assert len(v.read_pairs(root / "pairsDevTrain.txt")) == 2200
    assert len(v.read_pairs(root / "pairsDevTest.txt")) == 1000


def test_impossible_input_is_refused() -> None:
    distances, same = np.array([0.1, 0.2, 0.3]), np.array([True, False, True])
    with pytest.raises(InputError, match="expected finite distances"):
        v.best_threshold(np.array([0.1, np.nan, 0.3]), same)
    with pytest.raises(InputError, match="got only one kind"):
        v.area_under_roc(distances, np.ones(3, bool))
    with pytest.raises(InputError, match="expected n distances and n bools"):
        v.equal_error_rate(distances, same[:2])
    with pytest.raises(InputError, match="expected n distances and n bools"):
        v.accuracy(distances, same.astype(int), 0.2)
    with pytest.raises(InputError, match=r"in \[0, 1\), got 1"):
        v.tar_at_far(distances, same, 1)
    with pytest.raises(InputError, match="two folds or more"):
        v.fold_accuracy(distances, same, np.zeros(3, int))
