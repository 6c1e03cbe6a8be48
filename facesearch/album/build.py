"""The album of a gallery, from a clustering."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cluster.types import NOISE, Clustering
from facesearch.album.model import (
    AdviceBasis,
    Album,
    AlbumFace,
    AlbumInfo,
    FailedPhoto,
    build_album,
)
from facesearch.album.photo_place import PhotoPlace
from facesearch.clustering.current_people import clustering_of
from facesearch.clustering.run_store import ClusterRun
from facesearch.encoders import thresholds_of
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import FaceRecord, PhotoRecord
from facesearch.people.assignment import PersonAssignment, assign_people, cannot_link_faces
from facesearch.people.projection import DecisionState
from facesearch.people.store import PeopleStore
from indexer.id_lookup import contained
from indexer.types import Ids


def gallery_album(gallery: Gallery, state: GalleryState, run: ClusterRun, title: str) -> Album:
    """The album of a run: its live faces grouped and named, and the photos that failed.

    Faces that came after the run are left out; faces that have gone since are dropped, and so are
    those of hidden people and what is no face.
    """
    decided = PeopleStore(gallery.folder).decided()
    now = assign_people(
        clustering_of(run.clustering, _faces_of(state, decided)),
        run.numbers,
        decided,
        known=run.how.decisions,
    )
    clustering, names, person_ids = _shown(now)
    faces = gallery.faces_with_vectors(clustering.ids, state)
    scale = _scale(gallery, run)
    copies = state.photos.copies({record.photo.sha256 for record in faces.records})
    return build_album(
        [
            _album_face(record, clustering, row, copies.get(record.photo.sha256, []))
            for row, record in enumerate(faces.records)
        ],
        faces.vectors,
        clustering,
        names,
        person_ids,
        about=_about(gallery, state, run, title),
        basis=None
        if scale is None
        else AdviceBasis(scale, cannot_link_faces(now, decided), decided.faces.keys()),
        covers={
            face for number, face in decided.covers.items() if decided.faces.get(face) == number
        },
    )


def _faces_of(state: GalleryState, decided: DecisionState) -> Ids:
    """The live faces, without what was said to be none."""
    live = state.live_ids()
    return live[~contained(live, np.array(list(decided.not_faces), np.int64))]


def _about(gallery: Gallery, state: GalleryState, run: ClusterRun, title: str) -> AlbumInfo:
    return AlbumInfo(
        title=title,
        created_at=run.created_at,
        method=run.method,
        threshold=run.threshold,
        encoder=gallery.contract.name,
        photo_count=len(state.photos) - state.count("gone"),
        photos_without_faces=state.faceless_count,
        failed=_listed(state.having("failed")),
        partial=_listed(state.partial()),
        outdated=outdated(gallery, unclustered(state.live_ids(), run)),
        gallery=gallery.folder,
        linkage=run.how.linkage,
    )


def _listed(records: Iterable[PhotoRecord]) -> tuple[FailedPhoto, ...]:
    return tuple(FailedPhoto(each.name, each.reason, each.detail) for each in records)


def _shown(now: PersonAssignment) -> tuple[Clustering, dict[int, str], dict[int, str]]:
    """The faces of all but hidden people, without gaps in the labels, and by label the names of
    these and what commands call them; those of runs from before people had numbers: nothing."""
    hidden = np.array([each.hidden for each in now.people], bool)
    dense = np.where(hidden, NOISE, np.cumsum(~hidden) - 1).astype(np.int32)
    labels = now.clustering.labels
    kept = (labels == NOISE) | ~np.append(hidden, False)[labels]
    clustering = Clustering(
        now.clustering.ids[kept],
        np.append(dense, np.int32(NOISE))[labels[kept]],
        now.clustering.confidence[kept],
    )
    shown = [(int(dense[row]), each) for row, each in enumerate(now.people) if not each.hidden]
    names = {label: each.name for label, each in shown if each.name is not None}
    return clustering, names, {label: each.key for label, each in shown if each.id > 0}


def _scale(gallery: Gallery, run: ClusterRun) -> float | None:
    """The distance at which this encoder's faces are grouped; another's: that of the run."""
    thresholds = thresholds_of(gallery.contract)
    return thresholds.cluster if thresholds.learned else run.threshold


def unclustered(live_ids: Ids, run: ClusterRun) -> int:
    """How many of ``live_ids``, int64 (n,), came after ``run``."""
    return int((~contained(live_ids, run.clustering.ids)).sum())


def outdated(gallery: Gallery, new: int) -> str:
    """Say that ``new`` faces came after a clustering, and what to do; "" for none."""
    if not new:
        return ""
    return (
        f"{new} face{'s were' if new > 1 else ' was'} added after this clustering and "
        f"{'are' if new > 1 else 'is'} not shown; run: facesearch cluster {gallery.folder}"
    )


def _album_face(
    record: FaceRecord, clustering: Clustering, row: int, places: Sequence[PhotoRecord]
) -> AlbumFace:
    return AlbumFace(
        face_id=record.face_id,
        photo=record.photo.location,
        name=record.photo.name,
        box=record.box,
        photo_size=record.size,
        score=record.score,
        confidence=float(clustering.confidence[row]),
        taken_at=record.taken_at,
        sha256=record.photo.sha256,
        quality=record.quality,
        copies=tuple(
            PhotoPlace(each.location, each.name)
            for each in places
            if each.location != record.photo.location
        ),
        span=record.span,
    )
