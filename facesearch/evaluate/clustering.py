"""How well clusterings of a labelled folder agree with its people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.clustering import adaptive_merges
from cluster.hdbscan_clustering import hdbscan_clustering
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.metrics import (
    Score,
    adjusted_mutual_information,
    adjusted_rand_index,
    bcubed_scores,
    normalized_mutual_information,
    pairwise_scores,
)
from cluster.types import NOISE
from facesearch.errors import InputError

SWEEP_POINTS = 36

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class ClusteringScores:
    """Scores of one clustering of n photos; ``threshold`` is None where the method has none.

    ``unclustered`` photos (noise, or without a face) count as clusters of their own in the scores
    and not in ``clusters``.
    """

    method: str
    threshold: float | None
    clusters: int
    unclustered: int
    pairwise: Score
    bcubed: Score
    nmi: float
    ami: float
    ari: float


@dataclass(frozen=True)
class ClusteringStudy:
    """Clusterings at settings chosen elsewhere, and a ``sweep`` over thresholds.

    The sweep shows how much the threshold matters. Its best point was found on the very photos it
    is reported on, so it is no result of a method that must choose without knowing the people.
    """

    photos: int
    people: int
    chosen: tuple[ClusteringScores, ...]
    sweep: tuple[ClusteringScores, ...]


def clustering_study(
    vectors: NDArray[np.float32],
    people: NDArray[np.integer],
    usable: NDArray[np.bool_] | None = None,
    *,
    threshold: float,
    from_gallery: bool = False,
    sweep: Sequence[float] | None = None,
    with_density: bool = False,
) -> ClusteringStudy:
    """Cluster the photos ``vectors`` float32 (n, d), unit length, of the people int (n,).

    Average linkage is cut at ``threshold`` and at each of ``sweep`` (default: a quarter to twice
    the threshold), which are mean squared distances in [0, 4]; ``with_density`` adds HDBSCAN.
    ``from_gallery`` puts before it what ``facesearch cluster`` does by default, where there are
    enough photos: the rule of the photos' own merges (:mod:`cluster.adaptive`), of which the
    threshold told is that of two single faces.
    Photos that are not ``usable`` join no cluster. Raises :class:`InputError` for a wrong threshold
    and where there is no photo.
    """
    grid = default_sweep(threshold) if sweep is None else sorted(sweep)
    if not all(0 <= each <= 4 for each in (threshold, *grid)):
        raise InputError(f"expected thresholds in [0, 4], got {threshold} and {list(grid)}")
    if not len(people):
        raise InputError("expected photos of people, got none")
    kept = np.flatnonzero(np.ones(len(people), np.bool_) if usable is None else usable)
    faces = np.ascontiguousarray(vectors[kept])
    linkage = (
        average_linkage(faces, stop=max([threshold, *grid])) if len(kept) else np.zeros((0, 4))
    )

    def score(method: str, at: float | None, groups: Labels) -> ClusteringScores:
        labels = np.full(len(people), NOISE, np.int32)
        labels[kept] = groups
        return _scores(method, at, people, labels)

    chosen = [score("average linkage", threshold, cut(linkage, len(kept), threshold))]
    learnt = adaptive_merges(faces, threshold) if from_gallery and len(kept) else None
    if learnt is not None:
        alone = learnt.rule.distance(1, 1)
        chosen.insert(0, score("rule of the gallery", alone, learnt.dendrogram.groups(0.0)))
    if with_density:
        chosen.append(
            score("HDBSCAN", None, hdbscan_clustering(kept.astype(np.int64), faces).labels)
        )
    return ClusteringStudy(
        photos=len(people),
        people=len(np.unique(people)),
        chosen=tuple(chosen),
        sweep=tuple(score("average linkage", at, cut(linkage, len(kept), at)) for at in grid),
    )


def default_sweep(threshold: float) -> list[float]:
    """Thresholds from a quarter of ``threshold`` to twice it, at most 4, the same steps apart."""
    grid = np.linspace(threshold / 4, min(2 * threshold, 4.0), SWEEP_POINTS)
    return [round(float(each), 4) for each in grid]


def _scores(
    method: str, threshold: float | None, people: NDArray[np.integer], labels: Labels
) -> ClusteringScores:
    return ClusteringScores(
        method=method,
        threshold=threshold,
        clusters=len(np.unique(labels[labels != NOISE])),
        unclustered=int((labels == NOISE).sum()),
        pairwise=pairwise_scores(people, labels),
        bcubed=bcubed_scores(people, labels),
        nmi=normalized_mutual_information(people, labels),
        ami=adjusted_mutual_information(people, labels),
        ari=adjusted_rand_index(people, labels),
    )
