"""HDBSCAN behind our types: quality on plain groups, and the inputs it would stumble over."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.hdbscan_clustering import DensitySettings, hdbscan_clustering
from cluster.metrics import bcubed_scores
from support.vectors import grouped_vectors, unit_vectors, vector_sets


def test_people_far_apart_are_found_and_strangers_are_noise() -> None:
    vectors, truth = grouped_vectors(20, 8, seed=1)
    strangers = unit_vectors(10, 64, seed=99)
    everyone = np.concatenate([vectors, strangers])
    labels = np.concatenate([truth, np.full(10, -1)])
    found = hdbscan_clustering(np.arange(170), everyone)
    assert bcubed_scores(labels, found.labels).f > 0.95
    assert found.confidence[:160].mean() > 0.8


def test_more_samples_leave_more_noise() -> None:
    vectors, _ = grouped_vectors(20, 4, seed=2, spread=1.5)
    noise = [
        int(
            (
                hdbscan_clustering(
                    np.arange(80), vectors, DensitySettings(min_samples=samples)
                ).labels
                < 0
            ).sum()
        )
        for samples in (1, 3)
    ]
    assert noise[1] > noise[0]


def test_no_cluster_is_smaller_than_asked_for() -> None:
    vectors, _ = grouped_vectors(12, 4, seed=3, spread=0.8)
    found = hdbscan_clustering(np.arange(48), vectors, DensitySettings(min_cluster_size=4))
    assert found.count
    assert (np.bincount(found.labels[found.labels >= 0]) >= 4).all()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("min_cluster_size", [2, 5])
def test_too_few_vectors_are_noise(count: int, min_cluster_size: int) -> None:
    found = hdbscan_clustering(
        np.arange(count),
        unit_vectors(count, 8, seed=4),
        DensitySettings(min_cluster_size, min_samples=9),
    )
    assert found.labels.tolist() == [-1] * count
    assert found.confidence.tolist() == [0] * count


def test_equal_vectors_belong_fully() -> None:
    found = hdbscan_clustering(np.arange(20), np.repeat(unit_vectors(5, 8, seed=5), 4, axis=0))
    assert found.labels.tolist() == np.repeat(np.arange(5), 4).tolist()
    np.testing.assert_array_equal(found.confidence, 1)


@settings(deadline=None, max_examples=40)
@given(vector_sets(), st.integers(2, 5), st.integers(1, 5))
def test_result_is_well_formed(
    vectors: NDArray[np.float32], min_cluster_size: int, min_samples: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = hdbscan_clustering(
            np.arange(len(vectors)),
            vectors,
            DensitySettings(min_cluster_size, min_samples),
        )
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=found.count)
    assert (np.diff(sizes) <= 0).all()
    assert (sizes > 0).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    assert (found.confidence[found.labels < 0] == 0).all()


def test_wrong_arguments_are_refused() -> None:
    vectors = unit_vectors(3, 8, seed=0)
    with pytest.raises(ValueError, match="got 1 and 2"):
        DensitySettings(min_cluster_size=1)
    with pytest.raises(ValueError, match="got 2 and 0"):
        DensitySettings(min_samples=0)
    with pytest.raises(ValueError, match="finite"):
        hdbscan_clustering(np.arange(3), vectors * np.float32(np.nan))
    with pytest.raises(ValueError, match="ids int64"):
        hdbscan_clustering(np.arange(4), vectors)
