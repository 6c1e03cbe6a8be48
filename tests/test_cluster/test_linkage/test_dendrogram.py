"""Merges that are kept: every cut is the clustering that merged as far and was cut there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.agglomerative import agglomerative, clusters_at, merged
from cluster.constraints import Constraints
from cluster.graph.knn_graph import exact_knn_graph
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.linkage.dendrogram import Dendrogram
from support.vectors import grouped_vectors, unit_vectors, vector_sets

Vectors = NDArray[np.float32]


@settings(deadline=None)
@given(vector_sets(least=2), st.floats(0, 4), st.floats(0, 1), st.data())
def test_a_cut_is_the_run_that_stops_there(
    vectors: Vectors, reach: float, share: float, data: st.DataObject
) -> None:
    photos = data.draw(st.lists(st.integers(-1, 8), min_size=len(vectors), max_size=len(vectors)))
    constraints, ids = Constraints(np.array(photos)), np.arange(len(vectors))
    threshold = reach * share
    for graph in (None, exact_knn_graph(vectors, len(vectors) - 1)):
        kept = merged(vectors, reach, constraints=constraints, graph=graph)
        found = clusters_at(ids, vectors, kept, threshold)
        stopped = agglomerative(ids, vectors, threshold, constraints=constraints, graph=graph)
        heights = np.concatenate([[-1], kept.heights, [5]])
        # Elsewhere rounding may order merges, or put them beyond the threshold.
        if np.abs(heights - threshold).min() > 1e-5 and np.diff(heights).min() > 1e-5:
            np.testing.assert_array_equal(found.labels, stopped.labels)
            np.testing.assert_allclose(found.confidence, stopped.confidence, atol=1e-6)


@settings(deadline=None)
@given(vector_sets(least=1), st.floats(0, 4))
def test_groups_are_those_of_the_linkage(vectors: Vectors, threshold: float) -> None:
    rows = average_linkage(vectors)
    kept = Dendrogram.of(rows, len(vectors), 4)
    assert kept.pairs.tolist() == rows[:, :2].tolist()
    if not len(rows) or np.abs(rows[:, 2] - threshold).min() > 1e-6:
        np.testing.assert_array_equal(kept.groups(threshold), cut(rows, len(vectors), threshold))


@settings(deadline=None)
@given(vector_sets(least=2))
def test_a_merge_at_the_threshold_is_never_lost_to_rounding(vectors: Vectors) -> None:
    rows = average_linkage(vectors)
    kept = Dendrogram.of(rows, len(vectors), 4)
    for merges, height in enumerate(rows[:, 2].tolist(), 1):
        assert len(np.unique(kept.groups(height))) <= len(vectors) - merges


def test_the_same_input_gives_the_same_merges() -> None:
    vectors, _ = grouped_vectors(30, 9, seed=1, spread=1.5)
    for graph in (None, exact_knn_graph(vectors, 5)):
        one, two = (merged(vectors, 1.5, graph=graph) for _ in range(2))
        np.testing.assert_array_equal(one.pairs, two.pairs)
        np.testing.assert_array_equal(one.heights, two.heights)


def test_wrong_merges_are_refused() -> None:
    vectors = unit_vectors(4, 8, seed=0)
    kept = merged(vectors, 2.0)
    with pytest.raises(ValueError, match=r"at most 2\.0.*got 2\.5"):
        kept.groups(2.5)
    with pytest.raises(ValueError, match="merges of 3 vectors, got those of 4"):
        clusters_at(np.arange(3), vectors[:3], kept, 1.0)
    whole = merged(vectors, 4.0)
    with pytest.raises(ValueError, match="expected pairs of vectors and earlier merges"):
        replace(whole, pairs=whole.pairs + np.int32(1))
    with pytest.raises(ValueError, match="heights that ascend"):
        replace(whole, heights=whole.heights[::-1].copy())
    with pytest.raises(ValueError, match="expected heights float32"):
        replace(whole, heights=whole.heights.astype(np.float64))
    with pytest.raises(ValueError, match=r"expected neighbours int32 \(4, 2\)"):
        replace(whole, neighbours=np.zeros((3, 2), np.int32))
    for wrong in (-2, 4):
        with pytest.raises(ValueError, match="expected neighbours from -1 to 3, got"):
            replace(whole, neighbours=np.array([[0], [1], [2], [wrong]], np.int32))
    assert replace(whole, neighbours=np.array([[-1]] * 3 + [[3]], np.int32)).count == 4
    with pytest.raises(ValueError, match=r"expected neighbours int32 \(4, 4\)"):
        replace(whole, neighbours=np.zeros(4, np.int32))
