"""HDBSCAN over a graph's edges: the package's own answers where the graph has every pair."""

from __future__ import annotations

import configparser
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hdbscan import HDBSCAN
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from packaging.requirements import Requirement
from sklearn.metrics import adjusted_rand_score

from cluster import hdbscan_clustering as module
from cluster.constraints import Constraints
from cluster.graph.knn_graph import KnnGraph, exact_knn_graph
from cluster.hdbscan_clustering import DensitySettings, density_result, hdbscan_clustering
from cluster.linkage.hdbscan_tree import graph_density, reachability_tree
from support.vectors import grouped_vectors, unit_vectors

Vectors = NDArray[np.float32]


def theirs(vectors: Vectors, size: int, samples: int) -> HDBSCAN:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = HDBSCAN(min_cluster_size=size, min_samples=samples, core_dist_n_jobs=1)
        return model.fit(vectors.astype(np.float64))


def people(seed: int) -> Vectors:
    """Groups of several sizes, and strangers."""
    rng = np.random.default_rng(seed)
    vectors, truth = grouped_vectors(12, 9, seed=seed, spread=0.7)
    kept = rng.random(len(truth)) < 0.7
    return np.concatenate([vectors[kept], unit_vectors(6, 64, seed=seed + 1000)])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 500), st.integers(2, 6), st.integers(1, 5))
def test_with_every_pair_it_is_hdbscan(seed: int, size: int, samples: int) -> None:
    vectors = people(seed)
    expected = theirs(vectors, size, samples)
    graph = exact_knn_graph(vectors, len(vectors) - 1)
    heights = reachability_tree(graph, samples)[:, 2]
    np.testing.assert_allclose(heights, expected.single_linkage_tree_.to_numpy()[:, 2], atol=1e-5)
    found = graph_density(graph, size, samples)
    if samples > 1:  # one density is the reach of many edges: ties, which each breaks its way
        return
    assert adjusted_rand_score(found.groups, expected.labels_) == 1
    assert ((found.groups < 0) == (expected.labels_ < 0)).all()
    np.testing.assert_allclose(found.strengths, expected.probabilities_, atol=1e-4)
    np.testing.assert_allclose(found.outlyingness, expected.outlier_scores_, atol=1e-4)


def test_a_graph_of_few_neighbours_finds_the_same_people() -> None:
    vectors, _ = grouped_vectors(60, 8, seed=3)
    ids = np.arange(len(vectors))
    whole = hdbscan_clustering(ids, vectors)
    part = hdbscan_clustering(ids, vectors, graph=exact_knn_graph(vectors, 10))
    assert adjusted_rand_score(whole.labels, part.labels) > 0.98


def test_parts_that_no_edge_joins_are_apart() -> None:
    rows = np.array([[1], [0], [3], [2], [5], [4]], np.int32)
    tree = reachability_tree(KnnGraph(rows, np.full((6, 1), 0.25, np.float32)), 1)
    assert tree[:, 2].tolist() == [0.5, 0.5, 0.5, np.inf, np.inf]
    assert tree[-1, 3] == 6


def test_many_vectors_are_clustered_by_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, truth = grouped_vectors(40, 8, seed=4)
    monkeypatch.setattr(module, "MOST_WHOLE", 100)
    found = hdbscan_clustering(np.arange(len(vectors)), vectors)
    assert adjusted_rand_score(truth, found.labels) > 0.95


@pytest.mark.parametrize("by_graph", [False, True])
def test_refining_takes_chains_apart(by_graph: bool) -> None:
    angles = np.concatenate([np.linspace(0, 1, 60), np.linspace(2.6, 2.7, 60)])
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    ids, graph = np.arange(120), exact_knn_graph(chain, 8) if by_graph else None
    assert hdbscan_clustering(ids, chain, graph=graph).labels[[0, 59]].tolist() == [0, 0]
    found = hdbscan_clustering(ids, chain, DensitySettings(refine=0.02), graph=graph)
    assert found.labels[0] != found.labels[59]
    for label in range(found.count):
        members = chain[found.labels == label].astype(np.float64)
        distances = ((members[:, None] - members[None]) ** 2).sum(axis=2)
        assert distances.mean() < 0.04
    assert (found.labels[60:] == found.labels[60]).all()


def test_constraints_hold_within_clusters_of_density() -> None:
    vectors, truth = grouped_vectors(10, 8, seed=6)
    ids = np.arange(len(vectors))
    photos = np.full(len(vectors), -1)
    photos[:2] = 7  # two faces of one person, who stand in one photo
    found = hdbscan_clustering(ids, vectors, constraints=Constraints(photos))
    assert found.labels[0] != found.labels[1]
    assert adjusted_rand_score(truth[8:], found.labels[8:]) == 1
    cannot = Constraints(cannot=np.array([[3, 4]]))
    apart = hdbscan_clustering(ids, vectors, DensitySettings(refine=1.0), constraints=cannot)
    assert apart.labels[3] != apart.labels[4]


def test_strangers_are_outliers() -> None:
    vectors = np.concatenate([grouped_vectors(10, 8, seed=7)[0], unit_vectors(5, 64, seed=8)])
    outlying = density_result(np.arange(85), vectors).outlyingness
    assert outlying[80:].mean() > outlying[:80].mean() + 0.2


def test_wrong_arguments_are_refused() -> None:
    vectors = unit_vectors(6, 8, seed=0)
    graph = exact_knn_graph(vectors, 2)
    with pytest.raises(ValueError, match="1 to the 2 neighbours"):
        hdbscan_clustering(np.arange(6), vectors, DensitySettings(min_samples=3), graph=graph)
    with pytest.raises(ValueError, match="graph of 5 vectors"):
        hdbscan_clustering(np.arange(5), vectors[:5], graph=graph)
    with pytest.raises(ValueError, match="got 5"):
        DensitySettings(refine=5)


def test_only_tested_releases_of_hdbscan_are_allowed() -> None:
    """What is used of it is private: a release to come may change it without a word."""
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[3] / "setup.cfg")
    (allowed,) = [
        requirement.specifier
        for line in config["options"]["install_requires"].strip().splitlines()
        if (requirement := Requirement(line)).name == "hdbscan"
    ]
    assert allowed.contains(version("hdbscan"))
    for untested in ("0.8.40", "0.8.45", "0.9", "1.0"):
        assert not allowed.contains(untested)
