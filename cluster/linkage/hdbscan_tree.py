"""HDBSCAN over the edges of a neighbour graph: its tree is built here, and read by ``hdbscan``.

Density is the distance of a vector's neighbour number ``min_samples``; two vectors are as far
apart as the greatest of their distance and both densities (mutual reachability; Campello, Moulavi
and Sander 2013, definition 3.2). The minimum spanning forest of those edges, by Kruskal's
algorithm, is the single-linkage tree, in which parts that no edge joins are joined at infinity.
What comes after is ``condense_tree``, ``compute_stability``, ``get_clusters`` and
``outlier_scores`` of :mod:`hdbscan._hdbscan_tree`, as its own ``HDBSCAN`` calls them. They are
private and no public function takes a tree, so setup.cfg allows only releases that were tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints, resolve
from cluster.graph.knn_graph import KnnGraph
from cluster.linkage.average_linkage import Linkage, as_scipy_rows
from cluster.linkage.minimum_spanning_forest import check_places, edge_keys, spanning_forest
from cluster.union_find import Forest, Rows, forest_of


@dataclass(frozen=True)
class Density:
    """``groups`` int (n,), -1 for noise, ``strengths`` and ``outlyingness`` float64 (n,) in [0, 1].

    Strengths are how near the core of its cluster a vector is. Outlyingness is GLOSH (Campello et
    al. 2015): how much thinner it lies than the densest of the cluster it would fall out of.
    """

    groups: NDArray[Any]
    strengths: NDArray[np.float64]
    outlyingness: NDArray[np.float64]


def graph_density(graph: KnnGraph, min_cluster_size: int, min_samples: int) -> Density:
    """What HDBSCAN makes of the edges of ``graph``, of two vectors or more.

    It equals ``hdbscan`` where the graph has every pair, ties aside. Memory is 8 bytes for each
    edge beside some hundred for each vector. Raises ValueError for a graph of fewer neighbours
    than ``min_samples``.
    """
    from hdbscan._hdbscan_tree import (  # noqa: PLC0415 - takes seconds to import
        compute_stability,
        condense_tree,
        get_clusters,
        outlier_scores,
    )

    condensed = condense_tree(reachability_tree(graph, min_samples), min_cluster_size)
    with np.errstate(divide="ignore", invalid="ignore"):
        groups, strengths, _ = get_clusters(condensed, compute_stability(condensed))
        outlyingness = outlier_scores(condensed)
    return Density(groups, np.nan_to_num(strengths, nan=1.0), np.nan_to_num(outlyingness, nan=0.0))


def reachability_tree(graph: KnnGraph, min_samples: int) -> Linkage:
    """The single-linkage tree of mutual reachability, float64 (n - 1, 4), distances not squared."""
    rows, distances = graph.rows, graph.distances
    if not 1 <= min_samples <= rows.shape[1]:
        raise ValueError(
            f"expected min_samples of 1 to the {rows.shape[1]} neighbours of the graph, "
            f"got {min_samples}"
        )
    check_places(rows)
    keys = edge_keys(rows, distances, _cores(rows, distances, min_samples))
    keys.sort()
    forest = forest_of(len(rows), resolve(Constraints(), len(rows)).apart)
    members, squares = _connected(*spanning_forest(rows, keys, forest), forest)
    tree: Linkage = as_scipy_rows(members, np.sqrt(squares), len(rows))
    return tree


def _cores(
    rows: NDArray[np.int32], distances: NDArray[np.float32], min_samples: int
) -> NDArray[np.float32]:
    """Squared distance (n,) of each vector's neighbour number ``min_samples``; +inf: it has none.

    Neighbours of a line may be in any order.
    """
    known = np.where(rows >= 0, np.maximum(distances, 0), np.float32(np.inf))
    cores: NDArray[np.float32] = np.partition(known, min_samples - 1, axis=1)[:, min_samples - 1]
    return cores


def _connected(
    members: Rows, squares: NDArray[np.float64], forest: Forest
) -> tuple[Rows, NDArray[np.float64]]:
    """The merges of a forest of n vectors, and those at infinity of the parts it leaves."""
    parts = np.flatnonzero(forest.parents == np.arange(len(forest.parents)))[1:]
    beyond = np.stack([np.zeros_like(parts), parts], axis=1)
    return np.concatenate([members, beyond]), np.append(squares, np.full(len(parts), np.inf))
