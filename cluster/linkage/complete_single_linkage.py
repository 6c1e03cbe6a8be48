"""Complete and single linkage: groups by their farthest, or their nearest, two members.

Complete linkage looks at all pairs, by scipy's nearest-neighbour chain (Muellner 2011, "Modern
hierarchical, agglomerative clustering algorithms"). Groups that may not merge count as farther
apart than any two vectors: of a merged group the farthest counts, so it inherits that.

Single linkage is the minimum spanning forest (Gower and Ross 1969), which Kruskal's algorithm makes
edge by edge, leaving out those between groups that may not merge: they never may again, so this is
always merging the nearest two groups that may. Over the edges of a graph it is exact up to the
distance within which the graph has every edge (:func:`cluster.graph.knn_graph.horizon`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import squareform

from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.graph.knn_graph import KnnGraph
from cluster.linkage.average_linkage import Linkage, as_scipy_rows
from cluster.linkage.minimum_spanning_forest import check_places, edge_keys, spanning_forest
from cluster.union_find import CannotLinks, Forest, Rows, forest_of, join, root
from cluster.vectors import check_vectors, squared_lengths

# Up to here all pairs fit in a gigabyte or two.
MOST_PAIRS = 10_000

_LINES = 256  # of distances, at a time


def complete_linkage(
    vectors: NDArray[Any],
    stop: float = np.inf,
    constraints: Constraints | ResolvedConstraints | None = None,
) -> Linkage:
    """The dendrogram of ``vectors`` (n, d) by the greatest squared distance between two groups.

    Rows are as :func:`average_linkage` has them, with ``stop`` and ``constraints``
    as there. Memory is some 25 bytes for each pair of vectors. Raises ValueError
    unless these are two-dimensional, floating, finite, and at most :data:`MOST_PAIRS`.
    """
    points, resolved, forest = _prepared(vectors, constraints)
    between = np.empty((len(points), len(points)), np.float32)
    for lines, distances in _distances(points):
        between[lines] = distances
    roots, groups = np.unique(_roots(forest), return_inverse=True)
    if len(roots) < len(points):
        order = np.argsort(groups, kind="stable")
        starts = np.searchsorted(groups[order], np.arange(len(roots)))
        between = np.maximum.reduceat(between[order], starts, axis=0)
        between = np.maximum.reduceat(between[:, order], starts, axis=1)
    farthest = float(between.max(initial=0))
    for members in _sets(resolved.apart):
        apart = np.unique(groups[members])
        between[np.ix_(apart, apart)] = 2 * farthest + 1
    np.fill_diagonal(between, 0)
    members, heights = np.zeros((0, 2), np.int64), np.zeros(0)
    if len(roots) > 1:
        rows = scipy_linkage(squareform(between, checks=False), "complete")
        rows = rows[rows[:, 2] <= min(stop, farthest)]
        members, heights = _members(rows, roots), rows[:, 2]
    return _linkage(resolved.joined, members, heights, len(points))


def single_linkage(
    vectors: NDArray[Any],
    stop: float = np.inf,
    constraints: Constraints | ResolvedConstraints | None = None,
    graph: KnnGraph | None = None,
) -> Linkage:
    """The dendrogram of ``vectors`` (n, d) by the least squared distance between two groups.

    Rows are as :func:`average_linkage` has them, with ``stop`` and ``constraints``
    as there. With a ``graph`` its edges and their distances are all that is looked at; without one
    all pairs are, in 8 bytes each. Raises ValueError unless the vectors are two-dimensional,
    floating, finite, and at most :data:`MOST_PAIRS` where there is no graph of them.
    """
    points, resolved, forest = _prepared(vectors, constraints, graph)
    if graph is None:
        rows, keys = _all_pairs(points, stop)
    else:
        rows = graph.rows
        near = np.where(graph.distances <= stop, graph.distances, np.float32(np.inf))
        keys = edge_keys(rows, near, np.zeros(len(points), np.float32))
    keys.sort()
    members, heights = spanning_forest(rows, keys, forest)
    return _linkage(resolved.joined, members, heights, len(points))


def _prepared(
    vectors: NDArray[Any],
    constraints: Constraints | ResolvedConstraints | None,
    graph: KnnGraph | None = None,
) -> tuple[NDArray[np.float32], ResolvedConstraints, Forest]:
    """The vectors, what they have to respect, and the forest in which must-linked ones are one."""
    check_vectors(vectors)
    if graph is None and len(vectors) > MOST_PAIRS:
        raise ValueError(
            f"expected at most {MOST_PAIRS} vectors to look at all pairs of, got {len(vectors)}"
        )
    if graph is not None and len(graph) != len(vectors):
        raise ValueError(f"expected a graph of {len(vectors)} vectors, got one of {len(graph)}")
    if graph is not None:
        check_places(graph.rows)
    if not isinstance(constraints, ResolvedConstraints):
        constraints = resolve(constraints or Constraints(), len(vectors))
    points = np.ascontiguousarray(vectors, np.float32)
    squared_lengths(points)
    forest = forest_of(len(points), constraints.apart)
    for pair in constraints.joined.tolist():
        one, two = (root(forest.parents, vector) for vector in pair)
        join(forest, min(one, two), max(one, two))
    return points, constraints, forest


def _distances(points: NDArray[np.float32]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Squared distances of some of ``points`` to all of them, line by line."""
    lengths = squared_lengths(points).astype(np.float32)
    for start in range(0, len(points), _LINES):
        lines = slice(start, start + _LINES)
        far = lengths[lines, None] + lengths - 2 * (points[lines] @ points.T)
        yield lines, np.maximum(far, 0)


def _all_pairs(points: NDArray[np.float32], stop: float) -> tuple[NDArray[np.int32], Rows]:
    """Every pair at most ``stop`` apart as keys of places in the first array, (n, n)."""
    count = len(points)
    rows = np.broadcast_to(np.arange(count, dtype=np.int32), (count, count))
    keys = [np.zeros(0, np.int64)]
    for lines, distances in _distances(points):
        one, two = np.nonzero(distances <= stop)
        once = one + lines.start < two
        one, two = one[once], two[once]
        bits = distances[one, two].view(np.int32).astype(np.int64)
        keys.append((bits << 32) | ((one + lines.start) * count + two))
    return rows, np.concatenate(keys)


def _roots(forest: Forest) -> Rows:
    return np.array([root(forest.parents, each) for each in range(len(forest.parents))], np.int64)


def _sets(apart: CannotLinks) -> list[Rows]:
    return np.split(apart.members, apart.member_starts[1:-1]) if len(apart.members) else []


def _members(rows: Linkage, roots: Rows) -> Rows:
    """A vector of both groups of each of scipy's ``rows``, of groups with these ``roots``."""
    pairs = rows[:, :2].astype(np.int64)
    vectors = np.concatenate([roots, np.empty(len(pairs), np.int64)])
    for row, (one, _) in enumerate(pairs.tolist()):
        vectors[len(roots) + row] = vectors[one]
    members: Rows = vectors[pairs]
    return members


def _linkage(joined: Rows, members: Rows, heights: NDArray[np.float64], count: int) -> Linkage:
    """Merges after the must-links, which are at 0."""
    rows: Linkage = as_scipy_rows(
        np.concatenate([joined, members]),
        np.concatenate([np.zeros(len(joined)), heights]),
        count,
    )
    return rows
