"""The faces of a clustering: which form clusters, which are poor, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import no_pairs
from facesearch.clustering.options import ClusterOptions
from facesearch.gallery.face_table import FaceTable
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.assignment import decided_rows
from facesearch.people.projection import NOBODY, DecisionState
from facesearch.video.overlap import overlapping
from indexer.id_lookup import contained, positions_of
from indexer.storage.scratch_arrays import scratch_array
from indexer.types import Ids, Vectors

NO_PHOTO = -1  # stands for the photo of a track, which may be one person with others of its video

# For faces (n,): the person that each had before, and how sure that was.
Previously = Callable[[Ids], tuple[NDArray[np.int64], NDArray[np.float32]]]


@dataclass(frozen=True)
class FaceSet:
    """The faces to cluster: ids (n,), and for each face:

    whether its quality is too ``poor`` to form clusters; its photo (None: photos do not matter),
    negative of a track of a video; its person ``before`` and how ``sure`` that was; the person it
    was ``decided`` to be; and whether a decision about its person was ``undone``, so that
    ``before`` does not bind. ``apart`` int64 (c, 2) are rows of tracks that are seen together.
    ``good_vectors`` (g, d) and ``poor_vectors`` (p, d) are those of the faces that are not poor,
    and that are, in order. ``alike`` (n,) is the person in the last run with the same options, if
    that is another run."""

    ids: Ids
    good_vectors: Vectors
    poor_vectors: Vectors
    poor: NDArray[np.bool_]
    photos: NDArray[np.int64] | None
    before: NDArray[np.int64]
    sure: NDArray[np.float32]
    decided: NDArray[np.int64]
    undone: NDArray[np.bool_]
    apart: NDArray[np.int64]
    alike: NDArray[np.int64] | None = None

    @property
    def good_ids(self) -> Ids:
        """Of the faces that are not poor."""
        return self.ids[~self.poor]

    def apart_among(self, which: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The pairs of ``apart`` both of ``which`` (n,), as rows of these."""
        return rows_among(self.apart[which[self.apart].all(axis=1)], which)


def rows_among(rows: NDArray[np.int64], which: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``rows`` of all as rows of those of ``which`` (n,)."""
    places: NDArray[np.int64] = (np.cumsum(which) - 1)[rows]
    return places


def read_faces(
    gallery: Gallery,
    state: GalleryState,
    options: ClusterOptions,
    decided: DecisionState,
    previously: Previously,
) -> FaceSet:
    """The live faces of ``state``, without what was decided to be none.

    Where ``options`` ask for partitions, vectors are in files without a name.
    """
    in_files = options.partitions > 0
    table = FaceTable.read(gallery, state, with_vectors=not in_files)
    if decided.not_faces:
        table = table.rows(~contained(table.ids, no_faces(state, decided)))
    of_people = decided_rows(table.ids, decided)
    before, sure = previously(table.ids)
    poor = (table.quality < options.min_quality) & (of_people == NOBODY)  # NaN is not less
    if in_files:
        good_vectors, poor_vectors = _vectors_in_files(gallery, state, table.ids, poor)
    else:
        good_vectors, poor_vectors = table.vectors[~poor], table.vectors[poor]
    return FaceSet(
        table.ids,
        good_vectors,
        poor_vectors,
        poor,
        None if options.same_photo else np.where(table.seen[:, 0] < 0, table.photo, NO_PHOTO),
        before,
        sure,
        of_people,
        np.zeros(len(table), bool),
        no_pairs() if options.same_photo else _seen_together(table, of_people),
    )


def no_faces(state: GalleryState, decided: DecisionState) -> Ids:
    """What was detected, and is no face as somebody said; int64 (m,)."""
    live = state.live_ids()
    return live[contained(live, np.array(list(decided.not_faces), np.int64))]


def _vectors_in_files(
    gallery: Gallery, state: GalleryState, ids: Ids, poor: NDArray[np.bool_]
) -> tuple[Vectors, Vectors]:
    """The vectors of the faces ``ids`` (n,), ascending: of those not ``poor`` (n,), and the poor.

    They are read block by block into files of the gallery's folder, which nobody else can open.
    """
    dimension, count = gallery.contract.dimension, int(poor.sum())
    kinds = [
        (~poor, scratch_array(gallery.folder, (len(ids) - count, dimension))),
        (poor, scratch_array(gallery.folder, (count, dimension))),
    ]
    ends = [0, 0]
    for block in gallery.blocks(state):
        rows = positions_of(block.ids, ids, ascending=True)
        block_vectors = block.vectors[rows >= 0]
        for kind, (which, vectors) in enumerate(kinds):
            wanted = which[rows[rows >= 0]]
            start, ends[kind] = ends[kind], ends[kind] + int(wanted.sum())
            vectors[start : ends[kind]] = block_vectors[wanted]
    return kinds[0][1], kinds[1][1]


def _seen_together(table: FaceTable, of_people: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tracks that are seen in a video at one time, int64 (c, 2), but for those that people decided
    to be one person: who decided had the video to look at."""
    pairs = overlapping(table.photo, table.seen)
    decided = of_people[pairs]
    return np.asarray(pairs[(decided[:, 0] != decided[:, 1]) | (decided[:, 0] == NOBODY)])
