"""The clusters of a set of faces, by merging, cutting, growing or HDBSCAN; poor faces join last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cluster.agglomerative import MOST_APART, clusters_at, merged, most_dense
from cluster.attach_outliers import attach
from cluster.constraints import ResolvedConstraints
from cluster.graph.approximate_knn import NEIGHBOURS
from cluster.hdbscan_clustering import MOST_WHOLE, DensitySettings, hdbscan_clustering
from cluster.incremental import grow_clusters
from cluster.types import NOISE, Clustering
from facesearch.clustering.dendrogram_cache import CachedDendrogram, dendrogram_key, read_dendrogram
from facesearch.clustering.graph_source import clustering_graph, kept_graph
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run_store import RunInfo
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.assignment import NOBODY
from indexer.types import Ids, Vectors


@dataclass(frozen=True)
class FaceSet:
    """The faces to cluster: ids (n,), vectors (n, d), and for each face:

    whether its quality is too ``poor`` to form clusters; its photo (None: photos do not matter);
    its person ``before`` and how ``sure`` that was; the person it was ``decided`` to be; and
    whether a decision about its person was ``undone``, so that ``before`` does not bind."""

    ids: Ids
    vectors: Vectors
    poor: NDArray[np.bool_]
    photos: NDArray[np.int64] | None
    before: NDArray[np.int64]
    sure: NDArray[np.float32]
    decided: NDArray[np.int64]
    undone: NDArray[np.bool_]


@dataclass(frozen=True)
class Partition:
    """The clusters, how they were formed, and the merges made for it, if any."""

    clustering: Clustering
    how: RunInfo
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
) -> Partition:
    """The clusters of ``faces``: of the good ones, as ``constraints`` of them say, then the poor.

    ``barred`` int64 (c, 2): rows of poor faces, each with a good one whose cluster it may not join.
    Raises InputError for complete linkage of too many faces.
    """
    made = _of_good(gallery, state, faces, constraints, options=options, how=how)
    return replace(made, clustering=_with_poor(made.clustering, faces, barred, options))


def _of_good(
    gallery: Gallery,
    state: GalleryState,
    faces: FaceSet,
    constraints: ResolvedConstraints,
    *,
    options: ClusterOptions,
    how: RunInfo,
) -> Partition:
    good = ~faces.poor
    ids, vectors = faces.ids[good], faces.vectors[good]
    if options.method != "agglomerative":
        graph = None
        if len(ids) > MOST_WHOLE:
            graph = clustering_graph(vectors, kept_graph(gallery, state, ids))
            how = replace(how, graph=graph.source, edge_recall=graph.recall)
        clustering = hdbscan_clustering(
            ids,
            vectors,
            DensitySettings(max(2, options.min_size), refine=options.cut),
            graph=None if graph is None else graph.graph,
            constraints=constraints,
        )
        return Partition(clustering, how)
    if not how.full:
        return Partition(_grown(ids, vectors, faces, constraints, options), how)
    merges, made = _merges(gallery, state, (ids, vectors), constraints, options)
    how = replace(
        how,
        graph=merges.graph,
        edge_recall=merges.edge_recall,
        cut=not made,
        exact=options.linkage != "single" or _has_all(merges, options.threshold),
    )
    if not made:
        how = replace(how, why=f"{how.why}; saved merges were cut at the threshold")
    clustering = clusters_at(
        ids, vectors, merges.dendrogram, options.threshold, min_size=options.min_size
    )
    return Partition(clustering, how, merges if made else None)


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
    ids: Ids,
    vectors: Vectors,
    faces: FaceSet,
    constraints: ResolvedConstraints,
    options: ClusterOptions,
) -> Clustering:
    """The clusters of before, of the good faces, with those that are new."""
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
    )


def _with_poor(
    clustering: Clustering, faces: FaceSet, barred: NDArray[np.int64], options: ClusterOptions
) -> Clustering:
    """``clustering`` of the good faces, and after it the poor ones."""
    poor = faces.poor
    if not poor.any():
        return clustering
    photos = faces.photos
    return attach(
        clustering,
        faces.vectors[~poor],
        faces.ids[poor],
        faces.vectors[poor],
        options.attach_threshold,
        photos=None if photos is None else (photos[~poor], photos[poor]),
        cannot=barred,
    )
