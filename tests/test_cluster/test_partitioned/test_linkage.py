"""Average linkage in partitions: against the exact one, its guarantee, constraints, quality."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery
from cluster.constraints import Constraints, resolve
from cluster.graph.knn_graph import KnnGraph, exact_knn_graph
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from cluster.metrics import bcubed_scores, pairwise_scores
from cluster.partitioned import knn_blocks
from cluster.partitioned.knn_blocks import VectorSlice, knn_slices
from cluster.partitioned.linkage import PartitionedMerges, graph_slices, partitioned_linkage
from indexer.exact.int8_search import is_available

SLACK = 1e-5  # of float32 distances


def points(count: int, seed: int, dimension: int = 3) -> NDArray[np.float32]:
    """Unit vectors in a few loose groups."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(1, count // 4), dimension))
    made = centres[random.integers(0, len(centres), count)] + random.normal(
        size=(count, dimension), scale=0.4
    )
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def merges(
    vectors: NDArray[np.float32],
    graph: KnnGraph,
    stop: float,
    constraints: Constraints | None = None,
    **options: float,
) -> PartitionedMerges:
    slices = graph_slices(vectors, graph.rows, graph.distances, parts=3)
    return partitioned_linkage(slices, len(vectors), stop, constraints, **options)  # type: ignore[arg-type]


def constraints_of(count: int, seed: int) -> Constraints:
    """Photos of several vectors, and some pairs that must and that cannot link."""
    random = np.random.default_rng([seed, 1])

    def pairs(many: int) -> NDArray[np.int64]:
        drawn = random.integers(0, count, (many, 2))
        return drawn[drawn[:, 0] != drawn[:, 1]]

    photos = random.integers(-1, max(2, count // 2), count)
    return Constraints(photos.astype(np.int64), pairs(count // 6), pairs(count // 3))


def groups_at(linkage: NDArray[np.float64], count: int, threshold: float) -> list[frozenset[int]]:
    labels = cut(linkage, count, threshold)
    return sorted(
        (frozenset(np.flatnonzero(labels == each).tolist()) for each in np.unique(labels)), key=min
    )


@settings(max_examples=40)
@given(st.integers(2, 40), st.integers(0, 10**6), st.integers(2, 12), st.booleans())
def test_with_epsilon_0_it_is_exact_average_linkage(
    count: int, seed: int, most: int, constrained: bool
) -> None:
    vectors = points(count, seed)
    constraints = constraints_of(count, seed) if constrained else None
    found = merges(
        vectors, exact_knn_graph(vectors, count - 1), 1.5, constraints, most=most, epsilon=0.0
    )
    expected = average_linkage(vectors, 1.5, constraints)
    assert len(found.linkage) == len(expected)
    assert np.allclose(found.linkage[:, 2], expected[:, 2], atol=SLACK)
    middles = (expected[1:, 2] + expected[:-1, 2]) / 2
    apart = expected[1:, 2] - expected[:-1, 2] > 10 * SLACK
    for threshold in middles[apart]:
        assert groups_at(found.linkage, count, threshold) == groups_at(expected, count, threshold)


def replayed(
    linkage: NDArray[np.float64], vectors: NDArray[np.float32], cannot: NDArray[np.bool_]
) -> Iterator[tuple[float, float, float]]:
    """Of each merge: its distance, its height, and the least distance of two groups before it.

    From all pairs of vectors, in float64. ``cannot`` (n, n) are pairs that keep groups apart.
    """
    pairs = ((vectors[:, None].astype(np.float64) - vectors[None]) ** 2).sum(axis=2)
    groups = {number: [number] for number in range(len(vectors))}
    for row, (one, two, height, _) in enumerate(linkage):
        names = list(groups)
        least = np.inf
        for at, first in enumerate(names):
            for second in names[at + 1 :]:
                block = np.ix_(groups[first], groups[second])
                if not cannot[block].any():
                    least = min(least, float(pairs[block].mean()))
        block = np.ix_(groups[int(one)], groups[int(two)])
        yield float(pairs[block].mean()), float(height), least
        assert not cannot[block].any()
        groups[len(vectors) + row] = groups.pop(int(one)) + groups.pop(int(two))


@settings(max_examples=30)
@given(
    st.integers(2, 24),
    st.integers(0, 10**6),
    st.integers(2, 8),
    st.sampled_from([0.0, 0.1, 0.5, 2.0]),
)
def test_each_merge_is_within_epsilon_of_the_nearest_two_groups(
    count: int, seed: int, most: int, epsilon: float
) -> None:
    vectors = points(count, seed)
    drawn = constraints_of(count, seed)
    constraints = Constraints(cannot=drawn.cannot)
    cannot = np.zeros((count, count), bool)
    assert drawn.cannot is not None
    cannot[drawn.cannot[:, 0], drawn.cannot[:, 1]] = True
    cannot |= cannot.T
    graph = exact_knn_graph(vectors, count - 1)
    found = merges(vectors, graph, 1.2, constraints, most=most, epsilon=epsilon)
    for distance, height, least in replayed(found.linkage, vectors, cannot):
        assert distance <= (1 + epsilon) * least + SLACK
        assert height >= distance - SLACK
    # Nothing that could still merge is left.
    labels = cut(found.linkage, count, 1.2)
    pairs = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    for one in np.unique(labels):
        for two in np.unique(labels[labels > one]):
            block = np.ix_(labels == one, labels == two)
            assert cannot[block].any() or pairs[block].mean() > 1.2 - SLACK


@settings(max_examples=30)
@given(st.integers(2, 30), st.integers(0, 10**6), st.integers(2, 8))
def test_decisions_are_honoured(count: int, seed: int, most: int) -> None:
    vectors = points(count, seed)
    constraints = constraints_of(count, seed)
    resolved = resolve(constraints, count)
    found = merges(
        vectors, exact_knn_graph(vectors, min(5, count - 1)), 2.0, constraints, most=most
    )
    labels = cut(found.linkage, count, 2.0)
    for one, two in resolved.joined.tolist():
        assert labels[one] == labels[two]
    assert constraints.cannot is not None
    for one, two in constraints.cannot.tolist():
        assert labels[one] != labels[two]
    assert (np.diff(found.linkage[:, 2]) >= 0).all()


def test_over_a_sparse_graph_it_is_that_of_one_machine() -> None:
    vectors = points(300, 5, dimension=6)
    graph = exact_knn_graph(vectors, 8)
    constraints = constraints_of(300, 5)
    found = merges(vectors, graph, 0.5, constraints, most=40, epsilon=0.0)
    expected = graph_average_linkage(vectors, graph, 0.5, constraints)
    assert found.rounds > 1
    assert groups_at(found.linkage, 300, 0.5) == groups_at(expected, 300, 0.5)


def test_quality_is_that_of_one_machine() -> None:
    gallery = MadeGallery(6000, FaceModel.load(), seed=3)
    blocks = list(gallery.blocks())
    vectors = np.concatenate([block.vectors for block in blocks])
    people = gallery.people(np.concatenate([block.ids for block in blocks]))
    graph = exact_knn_graph(vectors, 16)
    found = merges(vectors, graph, 0.12, most=1500)
    one = graph_average_linkage(vectors, graph, 0.12)
    scores = [
        (pairwise_scores(people, labels).f, bcubed_scores(people, labels).f)
        for labels in (cut(found.linkage, 6000, 0.12), cut(one, 6000, 0.12))
    ]
    assert np.abs(np.subtract(*scores)).max() < 0.005
    assert found.largest_bytes < vectors.nbytes


@pytest.mark.parametrize(("most", "epsilon"), [(1, 0.1), (10, -0.1)])
def test_settings_out_of_range(most: int, epsilon: float) -> None:
    with pytest.raises(ValueError, match="expected epsilon"):
        partitioned_linkage([], 0, 1.0, most=most, epsilon=epsilon)


@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 5), st.integers(0, 10**6))
def test_the_graph_by_blocks_is_that_of_one_machine(
    count: int, k: int, parts: int, seed: int
) -> None:
    vectors = points(count, seed)
    vectors[count // 2 :] = vectors[: count - count // 2]  # so that there are ties
    cuts = np.linspace(0, count, parts + 1).astype(int)
    slices = [VectorSlice(int(a), vectors[a:b]) for a, b in pairwise(cuts)]
    lines = knn_slices(slices, k)
    expected = exact_knn_graph(vectors, k)
    assert np.array_equal(np.concatenate([line.neighbours for line in lines]), expected.rows)
    assert np.array_equal(np.concatenate([line.distances for line in lines]), expected.distances)


def test_the_graph_of_many_is_found_by_bytes_and_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not is_available(16):
        pytest.skip("needs a processor with AVX2")
    monkeypatch.setattr(knn_blocks, "MANY_VECTORS", 100)
    vectors = points(500, 3, dimension=16)
    slices = [VectorSlice(start, vectors[start : start + 250]) for start in (0, 250)]
    lines = knn_slices(slices, 7)
    expected = exact_knn_graph(vectors, 7)
    assert np.array_equal(np.concatenate([line.neighbours for line in lines]), expected.rows)
    assert np.array_equal(np.concatenate([line.distances for line in lines]), expected.distances)
