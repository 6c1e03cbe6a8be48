"""Centres of cells, and the nearest of them."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.exact.int8_kernel import LANES
from indexer.ivf import kmeans as centres_module
from indexer.ivf.kmeans import CentroidFinder, learn_centroids
from support.vectors import grouped_vectors, unit_vectors

pytestmark = pytest.mark.skipif(not LANES, reason="the processor multiplies no bytes (AVX2)")


def nearest_by_loops(centres: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.array([np.square(centres - vector).sum(axis=1).argmin() for vector in vectors])


def test_few_centres_are_all_compared() -> None:
    centres, vectors = unit_vectors(40, 16, 0), unit_vectors(900, 16, 1)
    found = CentroidFinder(centres).nearest(vectors)
    assert (found == nearest_by_loops(centres, vectors)).mean() > 0.995


def test_many_centres_by_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centres_module, "_FEW", 50)
    monkeypatch.setattr(centres_module, "_GROUP", 8)
    centres, _ = grouped_vectors(60, 8, seed=0)
    vectors, _ = grouped_vectors(60, 20, seed=0)
    for threads in (1, 3):
        found = CentroidFinder(centres, threads).nearest(vectors)
        assert (found == nearest_by_loops(centres, vectors)).mean() > 0.9


def test_no_vectors() -> None:
    assert len(CentroidFinder(unit_vectors(4, 8, 0)).nearest(np.zeros((0, 8), np.float32))) == 0


def test_learnt_centres_are_means_of_bunches() -> None:
    vectors, people = grouped_vectors(12, 50, seed=3, spread=0.1)
    centres = learn_centroids(vectors, 24)
    assert len(centres) == 24
    distances = np.square(vectors[:, None] - centres).sum(axis=2)
    spread = np.square(vectors - np.array([vectors[people == p].mean(0) for p in people])).sum(1)
    assert distances.min(axis=1).mean() < 1.5 * spread.mean()


def test_more_centres_than_vectors_and_equal_ones() -> None:
    vectors = unit_vectors(5, 8, 0)
    np.testing.assert_array_equal(np.sort(learn_centroids(vectors, 9), 0), np.sort(vectors, 0))
    same = np.repeat(vectors[:1], 30, axis=0)
    np.testing.assert_allclose(
        learn_centroids(same, 4), np.repeat(vectors[:1], 4, axis=0), atol=1e-6
    )
