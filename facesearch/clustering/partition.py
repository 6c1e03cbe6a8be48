"""The clusters of a set of faces, by merging, cutting, growing or HDBSCAN; poor faces join last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.clustering import adaptive_merges
from cluster.adaptive.merge_rule import MergeRule
from cluster.adaptive.scored_linkage import MOST_COMPLETE
from cluster.agglomerative import MOST_APART, clusters_at, merged, most_dense
from cluster.attach_outliers import attach
from cluster.constraints import ResolvedConstraints
from cluster.graph.approximate_knn import NEIGHBOURS
from cluster.hdbscan_clustering import MOST_WHOLE, DensitySettings, hdbscan_clustering
from cluster.incremental import grow_clusters
from cluster.partitioned.runner import LocalRunner, PartitionRunner
from cluster.types import NOISE, Clustering
from facesearch.clustering.dendrogram_cache import CachedDendrogram, dendrogram_key, read_dendrogram
from facesearch.clustering.face_set import FaceSet, rows_among
from facesearch.clustering.graph_source import clustering_graph, kept_graph
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.partitioned import Room, partitioned_clusters
from facesearch.clustering.run_store import RunInfo
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.projection import NOBODY
from indexer.storage.scratch_arrays import scratch_array
from indexer.types import Ids, Vectors

_WERE_CUT = "saved merges were cut at the threshold"


@dataclass(frozen=True)
class Partition:
    """The clusters, how they were formed, and the merges made for it, if any.

    ``threshold`` is the mean squared distance at which two faces that are alone merge.
    """

    clustering: Clustering
    how: RunInfo
    threshold: float
    merges: CachedDendrogram | None = None


def partition_faces(
    gallery: Gallery,
    state: GalleryState,
    faces: FaceSet,
    constraints: ResolvedConstraints,
    barred: NDArray[np.int64],
    *,
    options: ClusterOptions,
    how: RunInfo,
    runner: PartitionRunner | None = None,
) -> Partition:
    """The clusters of ``faces``: of the good ones, as ``constraints`` of them say, then the poor.

    ``barred`` int64 (c, 2): rows of poor faces, each with a good one whose cluster it may not join.
    ``runner`` does the work of partitions, where there are any; by default this process does.
    Raises InputError for complete linkage of too many faces.
    """
    room: Room | None = None
    if options.partitions:
        room = partial(scratch_array, gallery.folder)
        made = _in_partitions(
            gallery, state, faces, constraints, options=options, how=how,
            runner=runner or LocalRunner(), room=room,
        )  # fmt: skip
    else:
        made = _of_good(gallery, state, faces, constraints, options=options, how=how)
    clustering = _with_poor(made, faces, barred, options, room)
    return replace(made, clustering=clustering)


def _in_partitions(
    gallery: Gallery,
    state: GalleryState,
    faces: FaceSet,
    constraints: ResolvedConstraints,
    *,
    options: ClusterOptions,
    how: RunInfo,
    runner: PartitionRunner,
    room: Room,
) -> Partition:
    made = partitioned_clusters(
        gallery,
        state,
        (faces.good_ids, faces.good_vectors),
        constraints,
        options=options,
        runner=runner,
        room=room,
    )
    how = replace(
        how,
        graph=made.graph,
        edge_recall=made.edge_recall,
        partitions=made.partitions,
        worker_bytes=made.worker_bytes,
    )
    return Partition(made.clustering, how, options.threshold)


def _of_good(
    gallery: Gallery,
    state: GalleryState,
    faces: FaceSet,
    constraints: ResolvedConstraints,
    *,
    options: ClusterOptions,
    how: RunInfo,
) -> Partition:
    ids, vectors = faces.good_ids, faces.good_vectors
    if options.method != "agglomerative":
        return _by_density(gallery, state, (ids, vectors), constraints, options=options, how=how)
    if not how.full:
        grown = _grown((ids, vectors), faces, constraints, options, how.merge_rule)
        return Partition(grown, how, options.threshold)
    if options.from_gallery:
        by_rule = _by_rule(gallery, state, (ids, vectors), constraints, options=options, how=how)
        if by_rule is not None:
            return by_rule
    merges, made = _merges(gallery, state, (ids, vectors), constraints, options)
    how = replace(
        how,
        graph=merges.graph,
        edge_recall=merges.edge_recall,
        cut=not made,
        exact=options.linkage != "single" or _has_all(merges, options.threshold),
    )
    if not made:
        how = replace(how, why=f"{how.why}; {_WERE_CUT}")
    clustering = clusters_at(
        ids, vectors, merges.dendrogram, options.threshold, min_size=options.min_size
    )
    return Partition(clustering, how, options.threshold, merges if made else None)


def _by_density(
    gallery: Gallery,
    state: GalleryState,
    good: tuple[Ids, Vectors],
    constraints: ResolvedConstraints,
    *,
    options: ClusterOptions,
    how: RunInfo,
) -> Partition:
    """Dense clusters, taken apart by the gallery's rule, or beyond a threshold."""
    ids, vectors = good
    graph, rule = None, None
    if len(ids) > MOST_WHOLE:
        graph = clustering_graph(vectors, kept_graph(gallery, state, ids))
        how = replace(how, graph=graph.source, edge_recall=graph.recall)
    edges = None if graph is None else graph.graph
    if options.from_gallery:
        learnt = adaptive_merges(vectors, options.threshold, constraints=constraints, graph=edges)
        rule = None if learnt is None else learnt.rule
    threshold = options.cut
    if rule is not None:
        threshold = rule.distance(1, 1)
        how = replace(how, rule=rule.as_dict(), threshold_from="gallery")
    clustering = hdbscan_clustering(
        ids,
        vectors,
        DensitySettings(max(2, options.min_size), refine=None if rule else options.cut, rule=rule),
        graph=edges,
        constraints=constraints,
    )
    return Partition(clustering, how, threshold)


def _by_rule(
    gallery: Gallery,
    state: GalleryState,
    good: tuple[Ids, Vectors],
    constraints: ResolvedConstraints,
    *,
    options: ClusterOptions,
    how: RunInfo,
) -> Partition | None:
    """The clusters of the gallery's rule; None where there are too few faces to learn one."""
    ids, vectors = good
    many = len(ids) > MOST_COMPLETE
    kept = kept_graph(gallery, state, ids) if many else None
    graph_made = f"made, {NEIGHBOURS}" if many else ""
    key = dendrogram_key(
        ids, constraints, options.threshold, graph_made if kept is None else kept, "by rule"
    )
    merges = None if options.full else read_dendrogram(gallery, key, len(ids))
    cut = merges is not None
    if merges is None:
        graph = clustering_graph(vectors, kept) if many else None
        learnt = adaptive_merges(
            vectors,
            options.threshold,
            constraints=constraints,
            graph=None if graph is None else graph.graph,
        )
        if learnt is None:
            return None
        merges = CachedDendrogram(key, learnt.dendrogram, rule=learnt.rule)
        if graph is not None:
            merges = replace(merges, graph=graph.source, edge_recall=graph.recall)
    rule = merges.rule
    if rule is None:
        return None
    alone = rule.distance(1, 1)
    how = replace(
        how,
        rule=rule.as_dict(),
        threshold_from="gallery",
        graph=merges.graph,
        edge_recall=merges.edge_recall,
        cut=cut,
        why=f"{how.why}; {_WERE_CUT}" if cut else how.why,
    )
    clustering = clusters_at(
        ids, vectors, merges.dendrogram, 0.0, min_size=options.min_size, alone=alone
    )
    return Partition(clustering, how, alone, None if cut else merges)


def _merges(
    gallery: Gallery,
    state: GalleryState,
    good: tuple[Ids, Vectors],
    constraints: ResolvedConstraints,
    options: ClusterOptions,
) -> tuple[CachedDendrogram, bool]:
    """The merges of these faces, and whether they were made now."""
    ids, vectors = good
    average = options.linkage == "average"
    reach = options.reach if average and options.threshold <= options.reach else MOST_APART
    most = most_dense(options.linkage)
    many = len(ids) > most  # too many to look at all pairs
    if many and options.linkage == "complete":
        raise InputError(
            f"expected at most {most} faces for complete linkage, which looks at all pairs, "
            f"got {len(ids)}; take average linkage, or keep more poor faces out with --min-quality"
        )
    kept = kept_graph(gallery, state, ids) if many else None
    graph_made = f"made, {NEIGHBOURS}" if many else ""
    key = dendrogram_key(
        ids, constraints, reach, graph_made if kept is None else kept, options.linkage
    )
    if not options.full and (found := read_dendrogram(gallery, key, len(ids))) is not None:
        return found, False
    graph = clustering_graph(vectors, kept) if many else None
    dendrogram = merged(
        vectors,
        reach,
        constraints=constraints,
        graph=None if graph is None else graph.graph,
        linkage=options.linkage,
    )
    if graph is None:
        return CachedDendrogram(key, dendrogram), True
    return CachedDendrogram(key, dendrogram, graph.source, graph.recall), True


def _has_all(merges: CachedDendrogram, threshold: float) -> bool:
    """Whether every pair within ``threshold`` was looked at, as far as is known."""
    return merges.edge_recall == 1 and threshold < merges.dendrogram.horizon


def _grown(
    good: tuple[Ids, Vectors],
    faces: FaceSet,
    constraints: ResolvedConstraints,
    options: ClusterOptions,
    rule: MergeRule | None,
) -> Clustering:
    """The clusters of before, of the good faces, with those that are new."""
    ids, vectors = good
    before = np.where(faces.undone, NOBODY, faces.before)[~faces.poor]
    _, dense = np.unique(before, return_inverse=True)
    nobody = int((before == NOBODY).any())
    groups = np.where(before == NOBODY, NOISE, dense - nobody).astype(np.int32)
    return grow_clusters(
        Clustering(ids, groups, faces.sure[~faces.poor]),
        vectors,
        options.threshold,
        min_size=options.min_size,
        constraints=constraints,
        rule=rule,
    )


def _with_poor(
    made: Partition,
    faces: FaceSet,
    barred: NDArray[np.int64],
    options: ClusterOptions,
    room: Room | None,
) -> Clustering:
    """The clustering ``made`` of the good faces, and after it the poor ones."""
    poor, clustering = faces.poor, made.clustering
    if not poor.any():
        return clustering
    photos = faces.photos
    return attach(
        clustering,
        faces.good_vectors,
        faces.ids[poor],
        faces.poor_vectors,
        options.attach_threshold,
        photos=None if photos is None else (photos[~poor], photos[poor]),
        cannot=np.concatenate([barred, _poor_and_good(faces)]),
        rivals=faces.apart_among(poor),
        rule=made.how.merge_rule,
        room=None if room is None else room((clustering.count, faces.good_vectors.shape[1])),
    )


def _poor_and_good(faces: FaceSet) -> NDArray[np.int64]:
    """Pairs seen together of which one is poor: its row among the poor, and the good one's."""
    poor = faces.poor[faces.apart]
    mixed, first = faces.apart[poor[:, 0] != poor[:, 1]], poor[poor[:, 0] != poor[:, 1], 0]
    mixed = np.where(first[:, None], mixed, mixed[:, ::-1])
    return np.stack(
        [
            rows_among(mixed[:, 0], faces.poor),
            rows_among(mixed[:, 1], ~faces.poor),
        ],
        axis=1,
    )
