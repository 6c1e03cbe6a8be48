"""Vectors put to clusters afterwards: to the nearest, by a slow reckoning; nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.adaptive.impostor_law import ImpostorLaw
from cluster.adaptive.merge_rule import MergeRule
from cluster.agglomerative import agglomerative
from cluster.attach_outliers import MARGIN, attach
from cluster.types import NOISE, Clustering
from support.vectors import grouped_vectors, unit_vectors


def slow_attach(
    clustering: Clustering, vectors: NDArray[np.float32], other: NDArray[np.float32]
) -> list[float]:
    """The mean squared distance of one vector to the members of each cluster."""
    return [
        float(np.mean([np.sum((other - v) ** 2) for v in vectors[clustering.labels == label]]))
        for label in range(clustering.count)
    ]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**16), st.integers(1, 20), st.integers(0, 8), st.floats(0.1, 3))
def test_each_goes_to_the_nearest_cluster_within_the_threshold(
    seed: int, n: int, m: int, threshold: float
) -> None:
    generator = np.random.default_rng(seed)
    vectors, others = unit_vectors(n + m, 6, seed=seed)[:n], unit_vectors(n + m, 6, seed=seed)[n:]
    raw = generator.integers(-1, 4, n)
    dense = np.unique(np.append(raw, -1), return_inverse=True)[1][:-1].astype(np.int32) - 1
    before = Clustering(np.arange(n), dense, generator.random(n).astype(np.float32))
    after = attach(before, vectors, np.arange(n, n + m), others, threshold)
    assert np.array_equal(after.labels[:n], before.labels)
    assert np.array_equal(after.confidence[:n], before.confidence)
    assert after.ids.tolist() == list(range(n + m))
    for row, other in enumerate(others):
        means = slow_attach(before, vectors, other)
        label, sure = int(after.labels[n + row]), float(after.confidence[n + row])
        if label == NOISE:
            assert sure == 0 and all(mean > threshold - 1e-5 for mean in means)
            continue
        assert means[label] <= min([threshold, *means]) + 1e-5
        beyond = min([mean for k, mean in enumerate(means) if k != label], default=2.0)
        expected = (beyond - means[label]) / max(beyond, means[label])
        assert sure == pytest.approx(min(max(expected, 0), 1), abs=1e-4)


def test_result_does_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = grouped_vectors(9, 5, seed=4, spread=1.0)
    formed = agglomerative(np.arange(30), vectors[:30], 0.5)
    whole = attach(formed, vectors[:30], np.arange(30, 45), vectors[30:], 0.9)
    monkeypatch.setattr("cluster.attach_outliers._BLOCK_CELLS", 1)
    pieces = attach(formed, vectors[:30], np.arange(30, 45), vectors[30:], 0.9)
    assert np.array_equal(whole.labels, pieces.labels)
    np.testing.assert_allclose(whole.confidence, pieces.confidence, atol=1e-5)


def test_without_clusters_all_are_noise() -> None:
    vectors = unit_vectors(3, 8, seed=0)
    empty = Clustering(np.arange(0), np.zeros(0, np.int32), np.zeros(0, np.float32))
    assert attach(empty, vectors[:0], np.arange(3), vectors, 4.0).labels.tolist() == [-1] * 3


def test_ids_already_there_are_refused() -> None:
    vectors = unit_vectors(3, 8, seed=0)
    formed = agglomerative(np.arange(2), vectors[:2], 0.1)
    with pytest.raises(ValueError, match="not clustered yet"):
        attach(formed, vectors[:2], np.arange(1), vectors[2:], 0.1)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(0, 8), st.floats(0.5, 4))
def test_no_two_of_one_photo_meet_nor_what_cannot(
    seed: int, n: int, m: int, threshold: float
) -> None:
    generator = np.random.default_rng(seed)
    every, photos = unit_vectors(n + m, 6, seed=seed), generator.integers(-1, 5, n + m)
    raw = np.append(generator.integers(-1, 4, n), -1)
    labels = (np.unique(raw, return_inverse=True)[1][:n] - 1).astype(np.int32)
    before = Clustering(np.arange(n), labels, (labels != NOISE).astype(np.float32))
    pairs = int(generator.integers(0, 6)) if m else 0
    cannot = np.stack([generator.integers(0, m or 1, pairs), generator.integers(0, n, pairs)], 1)
    after = attach(
        before,
        every[:n],
        np.arange(n, n + m),
        every[n:],
        threshold,
        photos=(photos[:n], photos[n:]),
        cannot=cannot,
    )
    assert np.array_equal(after.labels[:n], labels)
    wanted: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for row in range(n, n + m):
        to = slow_attach(before, every[:n], every[row])
        taken = {int(labels[i]) for i in range(n) if photos[i] == photos[row] >= 0}
        taken |= {int(labels[i]) for other, i in cannot.tolist() if n + other == row}
        open_ones = [label for label in range(before.count) if label not in taken]
        near = min(open_ones, key=lambda label: to[label], default=None)
        if near is None or to[near] > threshold:
            assert after.labels[row] == NOISE
        else:
            key = (int(photos[row]), near) if photos[row] >= 0 else (-1 - row, near)
            wanted.setdefault(key, []).append((to[near], row))
    for (_, label), asking in wanted.items():
        nearest = min(asking)[1]
        for _, row in asking:
            assert after.labels[row] == (label if row == nearest else NOISE)
    assert (after.confidence[after.labels == NOISE] == 0).all()


LOOSE = MergeRule(ImpostorLaw(0.6, 0.3), 0.14, 0.6, -1.0, 4.0, -0.5, 0.6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**16), st.integers(4, 30), st.integers(1, 10), st.floats(0.1, 1.2))
def test_by_a_rule_each_goes_where_it_is_surely_nearest(
    seed: int, n: int, m: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    centres = unit_vectors(3, 8, seed=seed)
    drawn = centres[rng.integers(0, 3, n + m)] + spread * rng.standard_normal((n + m, 8)) / 3
    drawn = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    vectors, others = drawn[:n], drawn[n:]
    labels = np.unique(rng.integers(0, 4, n), return_inverse=True)[1].astype(np.int32)
    before = Clustering(np.arange(n), labels, np.ones(n, np.float32))
    after = attach(before, vectors, np.arange(n, n + m), others, 0.0, rule=LOOSE)
    scale, weights = LOOSE.weights(others, among=vectors), LOOSE.weights(vectors)
    sizes = np.bincount(labels)
    wanted: dict[int, list[tuple[float, int]]] = {}
    for row, other in enumerate(others):
        distance = [
            np.mean(
                [
                    scale[row] * weights[k] * float(((other - vectors[k]) ** 2).sum())
                    for k in np.flatnonzero(labels == label)
                ]
            )
            for label in range(len(sizes))
        ]
        excess = [
            float(LOOSE.excess(d, 1, int(size))) if size > 1 else np.inf
            for d, size in zip(distance, sizes, strict=True)
        ]
        first, second = np.argsort(excess, kind="stable")[:2] if len(excess) > 1 else (0, None)
        beyond = np.inf if second is None else excess[second]
        if excess[first] <= 0 and beyond - excess[first] >= MARGIN:
            wanted.setdefault(int(first), []).append((float(distance[first]), row))
    expected = np.full(m, NOISE)
    for label, found in wanted.items():
        for _, row in sorted(found)[: sizes[label]]:
            expected[row] = label
    np.testing.assert_array_equal(after.labels[n:], expected)
    assert ((after.confidence[n:] > 0) <= (expected != NOISE)).all()


def test_poor_vectors_never_lead_a_cluster() -> None:
    vectors, _ = grouped_vectors(4, 3, seed=1)
    others, _ = grouped_vectors(4, 30, seed=1)
    labels = np.repeat(np.arange(4, dtype=np.int32), 3)
    labels[9:] = [3, 4, 5]  # of the last person every face is alone
    before = Clustering(np.arange(12), labels, np.ones(12, np.float32))
    after = attach(before, vectors, np.arange(12, 132), others, 0.0, rule=LOOSE)
    joined = np.bincount(after.labels[12:][after.labels[12:] >= 0], minlength=6)
    assert joined[:3].tolist() == [3, 3, 3]
    assert not joined[3:].any()


def test_by_a_rule_photos_and_pairs_are_kept_apart() -> None:
    vectors, _ = grouped_vectors(3, 4, seed=2)
    labels = np.repeat(np.arange(3, dtype=np.int32), 4)
    before = Clustering(np.arange(12), labels, np.ones(12, np.float32))
    ids = np.arange(12, 15)
    others = vectors[[0, 4, 8]]
    photos = (np.arange(12), np.array([1, 50, 51]))  # the first is in a photo of its cluster
    after = attach(
        before, vectors, ids, others, 0.0, photos=photos, cannot=np.array([[1, 5]]), rule=LOOSE
    )
    assert after.labels[12:].tolist() == [NOISE, NOISE, 2]
