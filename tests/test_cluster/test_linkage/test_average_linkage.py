"""Average linkage against scipy's, which keeps all n^2 distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from scipy.spatial.distance import pdist
from sklearn.metrics import adjusted_rand_score

from cluster.linkage.average_linkage import average_linkage, cut
from support.vectors import unit_vectors, vector_sets


def scipy_linkage(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    return linkage(pdist(vectors.astype(np.float64), "sqeuclidean"), "average")


def without_near_ties(heights: NDArray[np.float64], threshold: float) -> bool:
    return bool(np.abs(heights - threshold).min() > 1e-5)


@settings(deadline=None)
@given(vector_sets(least=2))
def test_heights_are_those_of_scipy(vectors: NDArray[np.float32]) -> None:
    ours, theirs = average_linkage(vectors), scipy_linkage(vectors)
    assert is_valid_linkage(ours)
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], atol=2e-6)


@settings(deadline=None)
@given(vector_sets(least=2), st.floats(0.01, 3.9))
def test_cuts_are_those_of_scipy(vectors: NDArray[np.float32], threshold: float) -> None:
    ours, theirs = average_linkage(vectors), scipy_linkage(vectors)
    if without_near_ties(theirs[:, 2], threshold):
        groups = cut(ours, len(vectors), threshold)
        expected = fcluster(theirs, threshold, "distance")
        assert adjusted_rand_score(groups, expected) == 1


@settings(deadline=None)
@given(vector_sets(), st.floats(0.0, 4.0))
def test_stopping_early_leaves_the_lower_merges_as_they_are(
    vectors: NDArray[np.float32], stop: float
) -> None:
    whole, stopped = average_linkage(vectors), average_linkage(vectors, stop=stop)
    lower = whole[:, 2] <= stop - 1e-5
    np.testing.assert_allclose(stopped[: lower.sum()], whole[lower], atol=2e-6)
    assert (stopped[:, 2] <= stop + 1e-5).all()


def test_many_vectors_give_the_rows_of_scipy() -> None:
    vectors = unit_vectors(1200, 32, seed=5)
    ours, theirs = average_linkage(vectors), scipy_linkage(vectors)
    np.testing.assert_array_equal(ours[:, [0, 1, 3]], theirs[:, [0, 1, 3]])
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], atol=1e-6)


def test_float16_vectors_count_with_the_length_they_have() -> None:
    vectors = unit_vectors(300, 32, seed=6).astype(np.float16)
    expected = scipy_linkage(vectors.astype(np.float32))
    np.testing.assert_allclose(average_linkage(vectors)[:, 2], expected[:, 2], atol=1e-6)


def test_equal_vectors_merge_at_zero() -> None:
    vectors = np.repeat(unit_vectors(40, 16, seed=7), 5, axis=0)
    result = average_linkage(vectors)
    assert (result[:160, 2] < 1e-6).all()
    assert (result[160:, 2] > 0.01).all()
    np.testing.assert_array_equal(np.bincount(cut(result, 200, 0.001)), np.full(40, 5))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_merge(count: int) -> None:
    result = average_linkage(np.ones((count, 3), np.float32))
    assert result.shape == (0, 4)
    assert cut(result, count, 1.0).tolist() == [0] * count


def test_the_input_is_left_as_it_was() -> None:
    vectors = unit_vectors(50, 8, seed=8)
    before = vectors.copy()
    average_linkage(vectors)
    np.testing.assert_array_equal(vectors, before)


def test_wrong_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(n, d\), got float64 \(3,\)"):
        average_linkage(np.ones(3))
    with pytest.raises(ValueError, match="int64"):
        average_linkage(np.ones((3, 2), np.int64))
    with pytest.raises(ValueError, match="row 1"):
        average_linkage(np.array([[1.0, 0.0], [np.nan, 0.0]]))
