"""Attach vectors to existing clusters, without changing these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.merge_rule import MergeRule
from cluster.constraints import no_pairs
from cluster.labels import check_ids
from cluster.review.silhouette import UNRELATED, moments
from cluster.types import NOISE, Clustering
from cluster.vectors import check_vectors
from indexer.id_lookup import contained, distinct

# By how many deviations of impostors the next cluster has to be farther, for a poor vector to be
# put to the nearest: with less, most went to another's (benchmarks/clustering/poor_faces.py).
MARGIN = 1.5
_LEAST_MEMBERS = 2
_BLOCK_CELLS = 2**22

_Measure = Callable[[NDArray[Any]], tuple[NDArray[np.float32], NDArray[np.float32]]]
# Label, distance to that cluster and confidence of each of the others.
_Placed = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]


def attach(
    clustering: Clustering,
    vectors: NDArray[Any],
    ids: NDArray[np.int64],
    others: NDArray[Any],
    threshold: float,
    *,
    photos: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    cannot: NDArray[np.int64] | None = None,
    rivals: NDArray[np.int64] | None = None,
    rule: MergeRule | None = None,
    room: NDArray[np.float32] | None = None,
) -> Clustering:
    """``clustering`` of ``vectors`` (n, d), and after it ``ids`` (m,) of ``others`` (m, d).

    Each of the others goes to the cluster whose members are on average nearest to it, if their
    mean squared distance is at most ``threshold``, and is noise if not. Nothing changes for what
    was clustered before, and the others do not count as members for one another. Their confidence
    is how much nearer that cluster is than the next, as :func:`confidence`
    has it. Raises ValueError on wrong shapes or dtypes, or an id that is there already.

    ``photos`` are numbers of the photo of each clustered vector, int64 (n,), and of each other,
    int64 (m,); negative is none. None of the others then goes to a cluster with a vector of its
    photo, and of several of one photo that want the same cluster the nearest has it. ``cannot``
    int64 (c, 2) are pairs of a row of ``others`` and a row of ``vectors``: that other does not go
    to the cluster of that vector. ``rivals`` int64 (r, 2) are pairs of rows of ``others`` that are
    not both in one cluster: the nearer has it.

    With a ``rule`` (:mod:`cluster.adaptive`) the cluster of the least excess is meant instead, and
    one of the others goes there only if the rule would merge them and the next cluster's excess is
    :data:`MARGIN` greater: poor vectors are near to many. It needs two members at least, and takes
    no more of the others than it has members, the nearest; so others never lead a cluster.

    Without a rule means of clusters are put into ``room`` (clusters, d), if there is any: it may be
    a file, as ``vectors`` may.
    """
    check_vectors(others)
    check_ids(clustering.ids, vectors)
    check_ids(ids, others)
    if contained(ids, clustering.ids).any():
        raise ValueError("expected ids that are not clustered yet, got some that are")
    labels = np.full(len(ids), NOISE, np.int32)
    confidence = np.zeros(len(ids), np.float32)
    if clustering.count:
        kept = np.flatnonzero(clustering.labels != NOISE)
        members = clustering.labels[kept]
        barred = _barred(clustering, kept, cannot, photos)
        measure = _measure_by(rule, vectors, members, kept, room)
        limits = (threshold, 0.0) if rule is None else (0.0, MARGIN)
        labels, distances, confidence = _nearest_of_all(
            measure, others, clustering.count, barred, limits
        )
        photo = photos[1] if photos else None
        most = None if rule is None else np.bincount(members)
        _leave_nearest((labels, distances, confidence), photo, rivals, most)
    return Clustering(
        np.concatenate([clustering.ids, ids]),
        np.concatenate([clustering.labels, labels]),
        np.concatenate([clustering.confidence, confidence]),
    )


def _nearest_of_all(
    measure: _Measure,
    others: NDArray[Any],
    count: int,
    barred: NDArray[np.int64],
    limits: tuple[float, float],
) -> _Placed:
    """As :func:`_nearest` has it for all ``others`` (m, d) and ``count`` clusters, in blocks.

    ``barred`` int64 (b, 2) are rows of others and clusters that they may not go to.
    """
    labels = np.full(len(others), NOISE, np.int32)
    distances = np.full(len(others), np.inf, np.float32)
    confidence = np.zeros(len(others), np.float32)
    barred = barred[np.argsort(barred[:, 0], kind="stable")]
    rows = max(1, _BLOCK_CELLS // count)
    for start in range(0, len(others), rows):
        block = slice(start, start + rows)
        found, sought = measure(others[block])
        within = slice(*np.searchsorted(barred[:, 0], (start, start + rows)))
        found[barred[within, 0] - start, barred[within, 1]] = np.inf
        sought[barred[within, 0] - start, barred[within, 1]] = np.inf
        labels[block], distances[block], confidence[block] = _nearest(found, sought, limits)
    return labels, distances, confidence


def _leave_nearest(
    placed: _Placed,
    photos: NDArray[np.int64] | None,
    rivals: NDArray[np.int64] | None,
    most: NDArray[np.int64] | None,
) -> None:
    """Make noise of what is ``placed`` where a nearer one of its photo or a nearer rival is, and of
    more than the ``most`` (k,) that a cluster takes; each where it is given."""
    labels, distances, confidence = placed
    if photos is not None:
        _make_noise(labels, confidence, _not_nearest_of_photo(labels, distances, photos))
    if rivals is not None:
        _make_noise(labels, confidence, _not_nearest_of_rivals(labels, distances, rivals))
    if most is not None:
        _make_noise(labels, confidence, _too_many(labels, distances, most))


def _make_noise(
    labels: NDArray[np.int32], confidence: NDArray[np.float32], rows: NDArray[np.intp]
) -> None:
    labels[rows], confidence[rows] = NOISE, 0


def _distances(
    others: NDArray[Any], means: NDArray[np.float32], squares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean squared distances (m, k) to clusters of these mean vectors and mean squared lengths."""
    points = np.asarray(others, np.float32)
    lengths = np.einsum("ij,ij->i", points, points)
    distances: NDArray[np.float32] = np.maximum(
        lengths[:, None] + squares[None] - 2 * (points @ means.T), 0
    )
    return distances


def _measure_by(
    rule: MergeRule | None,
    vectors: NDArray[Any],
    labels: NDArray[np.int32],
    kept: NDArray[np.intp],
    room: NDArray[np.float32] | None,
) -> _Measure:
    """What measures mean distances (m, k) of others to clusters, and what is sought to be least:
    the same, or the excess by the rule."""
    if rule is None:
        means = moments(vectors, labels, kept, room)

        def plainly(others: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            distances = _distances(others, *means)
            return distances, distances.copy()

        return plainly
    sizes = np.bincount(labels).astype(np.float64)
    weights = rule.weights(vectors)[kept].astype(np.float32)
    centres = np.zeros((len(sizes), vectors.shape[1]), np.float64)
    np.add.at(centres, labels, np.asarray(vectors[kept], np.float32) * weights[:, None])
    centres /= sizes[:, None]
    mean_weights = np.bincount(labels, weights) / sizes

    def by_rule(others: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scale = rule.weights(others, among=vectors)[:, None]
        points = np.asarray(others, np.float32) * scale
        distances = np.maximum(2 * (scale * mean_weights - points @ centres.T), 0)
        excess = rule.excess(distances, np.ones((1, 1)), sizes[None])
        excess[:, sizes < _LEAST_MEMBERS] = np.inf
        return distances.astype(np.float32), excess.astype(np.float32)

    return by_rule


def _too_many(
    labels: NDArray[np.int32], distances: NDArray[np.float32], sizes: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Rows beyond as many of each cluster as it has members, the farthest."""
    rows = np.flatnonzero(labels != NOISE)
    order = rows[np.lexsort((rows, distances[rows], labels[rows]))]
    first = np.searchsorted(labels[order], labels[order], "left")
    late: NDArray[np.intp] = order[np.arange(len(order)) - first >= sizes[labels[order]]]
    return late


def _nearest(
    distances: NDArray[np.float32], sought: NDArray[np.float32], limits: tuple[float, float]
) -> _Placed:
    """Label, distance and confidence of each line of ``distances`` (m, k): the label of what is
    least of what is ``sought`` (m, k), if within the first of ``limits`` and by the second less
    than the next. Overwrites both."""
    each = np.arange(len(distances))
    label = sought.argmin(axis=1).astype(np.int32)
    to_label, least = distances[each, label], sought[each, label]
    distances[each, label], sought[each, label] = np.inf, np.inf
    beyond = distances.min(axis=1)
    beyond[~np.isfinite(beyond)] = UNRELATED  # there is no other cluster that it may go to
    near = (least <= limits[0]) & (sought.min(axis=1) >= least + limits[1])
    reached = np.where(near, to_label, 0)
    largest = np.maximum(np.maximum(reached, beyond), np.finfo(np.float32).tiny)
    confidence = np.where(near, np.clip((beyond - reached) / largest, 0, 1), 0)
    return np.where(near, label, NOISE).astype(np.int32), to_label, confidence.astype(np.float32)


def _barred(
    clustering: Clustering,
    kept: NDArray[np.intp],
    cannot: NDArray[np.int64] | None,
    photos: tuple[NDArray[np.int64], NDArray[np.int64]] | None,
) -> NDArray[np.int64]:
    """Rows of others and clusters that they may not go to, int64 (b, 2); ``kept`` are the rows in
    clusters."""
    barred = _of_vectors(clustering.labels, cannot)
    if photos is None:
        return barred
    return np.concatenate([barred, _shown(clustering.labels[kept], photos[0][kept], photos[1])])


def _of_vectors(labels: NDArray[np.int32], cannot: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """``cannot`` with the cluster of each vector in its place, but for noise; int64 (b, 2)."""
    if cannot is None:
        return no_pairs()
    clusters = labels[cannot[:, 1]].astype(np.int64)
    barred: NDArray[np.int64] = np.stack([cannot[:, 0], clusters], axis=1)[clusters != NOISE]
    return barred


def _shown(
    labels: NDArray[np.int32], photos: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows of ``wanted`` photos, each with the label of a cluster that the photo is in already;
    int64 (b, 2)."""
    order = np.argsort(photos, kind="stable")
    first = np.searchsorted(photos[order], wanted, "left")
    counts = np.where(wanted < 0, 0, np.searchsorted(photos[order], wanted, "right") - first)
    rows = np.repeat(np.arange(len(wanted)), counts)
    steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([rows, labels[order[first[rows] + steps]]], axis=1).astype(np.int64)


def _not_nearest_of_rivals(
    labels: NDArray[np.int32], distances: NDArray[np.float32], rivals: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows that a nearer rival, in the same cluster, is before; ties by row."""
    one, two = rivals.T
    both = rivals[(labels[one] != NOISE) & (labels[one] == labels[two])]
    second = (distances[both[:, 1]] > distances[both[:, 0]]) | (
        (distances[both[:, 1]] == distances[both[:, 0]]) & (both[:, 1] > both[:, 0])
    )
    late: NDArray[np.int64] = distinct(np.where(second, both[:, 1], both[:, 0]))
    return late


def _not_nearest_of_photo(
    labels: NDArray[np.int32], distances: NDArray[np.float32], photos: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Rows that another of their photo, in the same cluster, is before; ties by row."""
    rows = np.flatnonzero((labels != NOISE) & (photos >= 0))
    order = rows[np.lexsort((rows, distances[rows], labels[rows], photos[rows]))]
    again = (np.diff(photos[order]) == 0) & (np.diff(labels[order]) == 0)
    late: NDArray[np.intp] = order[1:][again]
    return late
