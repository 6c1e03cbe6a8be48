"""Average-linkage clustering cut at a threshold, and how surely each vector belongs.

Up to :data:`MOST_DENSE` vectors every pair of clusters is looked at, in time that grows with their
square (``benchmarks/clustering.py``); beyond, those that a graph of nearest neighbours joins, in
far less (``benchmarks/clustering_scale.py``). Memory grows with their number either way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.cells import cell_graph
from cluster.confidence import confidence, graph_confidence
from cluster.constraints import Constraints, Resolved
from cluster.graph import Graph
from cluster.labels import check_ids, ordered_labels
from cluster.linkage import average_linkage, check_vectors, cut
from cluster.sparse_linkage import sparse_average_linkage
from cluster.types import Clustering

# Up to here the linkage of all pairs is the quicker one, and is exact.
MOST_DENSE = 20_000
# Of each vector in the graph that more of them are clustered by.
NEIGHBOURS = 32


def agglomerative(
    ids: NDArray[np.int64],
    vectors: NDArray[Any],
    threshold: float,
    *,
    min_size: int = 1,
    constraints: Constraints | Resolved | None = None,
    graph: Graph | None = None,
) -> Clustering:
    """Clusters of ``vectors`` (n, d) whose members are on average at most ``threshold`` apart.

    ``threshold`` is a mean squared Euclidean distance, in [0, 4] for unit vectors. A vector that
    joins no other is a cluster of one, as a person with one photo is still a person; clusters of
    fewer than ``min_size`` members are noise. ``constraints`` speak of rows of ``vectors``;
    contradictory ones are told by :func:`cluster.constraints.resolve`, whose result may be given
    here. The confidence is that of :func:`cluster.confidence.confidence`.

    With a ``graph`` of the vectors only pairs of clusters that it joins are looked at, which is
    close to looking at all (:mod:`cluster.sparse_linkage`); more than :data:`MOST_DENSE` vectors
    without one get that of about their :data:`NEIGHBOURS` nearest (:mod:`cluster.cells`). Raises
    ValueError on a wrong shape, dtype, threshold or size.
    """
    check_vectors(vectors)
    check_ids(ids, vectors)
    if not 0 <= threshold <= 4:
        raise ValueError(f"expected a threshold (squared distance) in [0, 4], got {threshold}")
    if min_size < 1:
        raise ValueError(f"expected a min_size of at least 1, got {min_size}")
    if graph is None and len(vectors) > MOST_DENSE:
        graph = cell_graph(vectors, NEIGHBOURS)
    linkage = (
        average_linkage(vectors, threshold, constraints)
        if graph is None
        else sparse_average_linkage(vectors, graph, threshold, constraints)
    )
    labels = ordered_labels(ids, cut(linkage, len(vectors), threshold), min_size)
    sure = (
        confidence(vectors, labels, threshold)
        if graph is None
        else graph_confidence(vectors, labels, threshold, graph)
    )
    return Clustering(ids, labels, sure)
