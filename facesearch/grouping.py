"""Clusterings of a gallery: run, kept one file a run, named, and turned into an album."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from cluster.agglomerative import agglomerative
from cluster.attach import attach
from cluster.constraints import Constraints
from cluster.density import density
from cluster.types import NOISE, Clustering
from facesearch.album import Album, AlbumFace, FailedPhoto, build_album
from facesearch.encoders import ENCODERS, thresholds_of
from facesearch.errors import GalleryError, InputError
from facesearch.gallery import Gallery, GalleryState
from facesearch.people import Memberships, People
from facesearch.records import FaceRecord
from indexer.files import partial_path, sync_file, sync_folder

METHODS = ("agglomerative", "hdbscan")
FORMAT = "facesearch-clustering"
VERSION = 1


@dataclass(frozen=True)
class ClusterRun:
    """A clustering and how it came about.

    ``threshold`` is the mean squared distance below which two clusters merge (None for hdbscan);
    ``state`` is the digest of the live faces that were clustered. Faces of less quality than
    ``min_quality`` took no part in forming the clusters. ``same_photo`` tells whether two faces of
    one photo could come into one cluster.
    """

    clustering: Clustering
    method: str
    threshold: float | None
    created_at: str
    state: str
    min_quality: float
    same_photo: bool


@dataclass(frozen=True)
class ClusterOptions:
    """How to cluster; see :func:`run_clustering`.

    ``threshold`` is a mean squared distance, for agglomerative only; ``attach_threshold`` the one
    within which poor faces join, by any method. ``same_photo`` lets two faces of one photo be one
    person, as in collages; hdbscan always does.
    """

    method: str
    threshold: float
    min_size: int = 1
    min_quality: float = 0.0
    attach_threshold: float = 0.0
    same_photo: bool = False


def run_clustering(gallery: Gallery, state: GalleryState, options: ClusterOptions) -> ClusterRun:
    """Cluster all live faces; raises InputError for an unknown method.

    Faces of less quality than ``min_quality`` cannot join what does not belong together: clusters
    are formed by the other faces alone. Then each of the poor goes to the cluster whose members
    are nearest on average, if that is within ``attach_threshold``, or is noise. Faces whose quality
    was never measured count as good. Two faces of one photo are never put together, unless
    ``same_photo`` says so.
    """
    if options.method not in METHODS:
        raise InputError(f"expected method {' or '.join(METHODS)}, got {options.method!r}")
    blocks = list(gallery.blocks(state))
    none = np.zeros((0, gallery.contract.dimension), np.float32)
    ids = np.concatenate([np.zeros(0, np.int64), *(block.ids for block in blocks)])
    vectors = np.concatenate([none, *(block.vectors for block in blocks)])
    poor = gallery.qualities(ids) < options.min_quality  # NaN is not less
    photos = None if _same_photo(options) else gallery.photo_ids(ids)
    clustering = _formed(
        ids[~poor], vectors[~poor], None if photos is None else photos[~poor], options
    )
    if poor.any():
        clustering = attach(
            clustering,
            vectors[~poor],
            ids[poor],
            vectors[poor],
            options.attach_threshold,
            photos=None if photos is None else (photos[~poor], photos[poor]),
        )
    return ClusterRun(
        clustering,
        options.method,
        options.threshold if options.method == "agglomerative" else None,
        datetime.now(UTC).isoformat(timespec="seconds"),
        state.digest(),
        options.min_quality,
        _same_photo(options),
    )


def _same_photo(options: ClusterOptions) -> bool:
    return options.same_photo or options.method != "agglomerative"


def _formed(
    ids: NDArray[np.int64],
    vectors: NDArray[np.float32],
    photos: NDArray[np.int64] | None,
    options: ClusterOptions,
) -> Clustering:
    if options.method == "agglomerative":
        return agglomerative(
            ids,
            vectors,
            options.threshold,
            min_size=options.min_size,
            constraints=Constraints(photos),
        )
    return density(ids, vectors, min_cluster_size=max(2, options.min_size))


def save_run(gallery: Gallery, run: ClusterRun) -> Path:
    """Keep a run as ``clusters/NUMBER.h5``; returns the path.

    Raises BusyGalleryError when another process is writing.
    """
    folder = gallery.folder / "clusters"
    with gallery.writing():
        folder.mkdir(exist_ok=True)
        runs = run_paths(gallery)
        path = folder / f"{int(runs[-1].stem) + 1 if runs else 0:06d}.h5"
        partial = partial_path(path)
        _write_run(partial, run)
        sync_file(partial)
        partial.replace(path)
        sync_folder(folder)
    return path


def _write_run(path: Path, run: ClusterRun) -> None:
    with h5py.File(path, "w") as file:
        file.attrs.update(
            format=FORMAT,
            version=VERSION,
            method=run.method,
            threshold=np.nan if run.threshold is None else run.threshold,
            created_at=run.created_at,
            state=run.state,
            min_quality=run.min_quality,
            same_photo=run.same_photo,
        )
        for name in ("ids", "labels", "confidence"):
            file.create_dataset(name, data=getattr(run.clustering, name), fletcher32=True)


def latest_run(gallery: Gallery) -> ClusterRun:
    """The newest run; raises GalleryError when there is none or it cannot be read."""
    runs = run_paths(gallery)
    if not runs:
        raise GalleryError(
            f"the gallery {gallery.folder} has not been clustered; "
            f"run: facesearch cluster {gallery.folder}"
        )
    try:
        return read_run(runs[-1])
    except (OSError, KeyError, ValueError) as error:
        raise GalleryError(
            f"cannot read {runs[-1]}: {error}; delete it and cluster again"
        ) from error


def read_run(path: Path) -> ClusterRun:
    """One kept run; raises OSError, KeyError or ValueError when the file is damaged."""
    with h5py.File(path, "r") as file:
        if file.attrs["format"] != FORMAT or file.attrs["version"] != VERSION:
            raise ValueError(f"not a clustering of version {VERSION}")
        threshold = float(file.attrs["threshold"])
        return ClusterRun(
            Clustering(file["ids"][:], file["labels"][:], file["confidence"][:]),
            str(file.attrs["method"]),
            None if np.isnan(threshold) else threshold,
            str(file.attrs["created_at"]),
            str(file.attrs["state"]),
            float(file.attrs.get("min_quality", 0.0)),  # runs before there was any have none
            bool(file.attrs.get("same_photo", True)),
        )


def run_paths(gallery: Gallery) -> list[Path]:
    """The kept runs, oldest first."""
    folder = gallery.folder / "clusters"
    return sorted(path for path in folder.glob("*.h5") if re.fullmatch(r"\d{6}", path.stem))


def apply_names(
    clustering: Clustering, memberships: Memberships
) -> tuple[Clustering, dict[int, str]]:
    """Clusters under people's names: the clustering, and a name for each label that has one.

    An enrolled face always goes to its person. The other faces of a cluster go to the person
    most of its enrolled faces show; where two are equal, they stay unnamed.
    """
    position = {int(face_id): row for row, face_id in enumerate(clustering.ids)}
    enrolled = [
        (position[int(face_id)], name)
        for face_id, name in zip(memberships.ids, memberships.names, strict=True)
        if int(face_id) in position
    ]
    labels: NDArray[np.int32] = clustering.labels.copy()
    confidence = clustering.confidence.copy()
    label_of = {
        name: clustering.count + number
        for number, name in enumerate(sorted({name for _, name in enrolled}))
    }
    for label, name in _cluster_names(clustering, enrolled).items():
        labels[clustering.labels == label] = label_of[name]
    for row, name in enrolled:
        labels[row] = label_of[name]
        confidence[row] = 1.0
    dense = {int(old): new for new, old in enumerate(np.unique(labels[labels != NOISE]))}
    labels = np.array([dense.get(int(label), NOISE) for label in labels], np.int32)
    return (
        Clustering(clustering.ids, labels, confidence),
        {dense[label]: name for name, label in label_of.items()},
    )


def _cluster_names(clustering: Clustering, enrolled: list[tuple[int, str]]) -> dict[int, str]:
    votes: dict[int, Counter[str]] = {}
    for row, name in enrolled:
        label = int(clustering.labels[row])
        if label != NOISE:
            votes.setdefault(label, Counter())[name] += 1
    names = {}
    for label, counter in votes.items():
        (name, count), *others = counter.most_common(2)
        if not others or others[0][1] < count:
            names[label] = name
    return names


def gallery_album(gallery: Gallery, state: GalleryState, run: ClusterRun, title: str) -> Album:
    """The album of a run: its live faces grouped and named, and the photos that failed.

    Faces that came after the run are left out; faces that have gone since are dropped.
    """
    alive = np.isin(run.clustering.ids, state.live_ids())
    clustering = Clustering(
        run.clustering.ids[alive], run.clustering.labels[alive], run.clustering.confidence[alive]
    )
    clustering, names = apply_names(clustering, People(gallery.folder).memberships())
    records = gallery.faces(clustering.ids, state)
    present = [record for record in state.photos.values() if record.status != "gone"]
    return build_album(
        [_album_face(record, clustering, row) for row, record in enumerate(records)],
        gallery.vectors(clustering.ids),
        clustering,
        names,
        title=title,
        created_at=run.created_at,
        method=run.method,
        threshold=run.threshold,
        encoder=gallery.contract.name,
        photo_count=len(present),
        photos_without_faces=sum(
            state.holds(record) and state.contents[record.sha256] in state.faceless
            for record in present
        ),
        failed=[
            FailedPhoto(record.name, record.reason, record.detail)
            for record in sorted(present, key=lambda record: record.location_bytes)
            if record.status == "failed"
        ],
        outdated=outdated(gallery, state, run),
        scale=_scale(gallery, run),
    )


def _scale(gallery: Gallery, run: ClusterRun) -> float | None:
    """The distance at which this encoder's faces are grouped; another's: that of the run."""
    if gallery.contract.name in ENCODERS:
        return thresholds_of(gallery.contract).cluster
    return run.threshold


def outdated(gallery: Gallery, state: GalleryState, run: ClusterRun) -> str:
    """What a run does not know of, and what to do; "" when it is of the faces live now."""
    new = int((~np.isin(state.live_ids(), run.clustering.ids)).sum())
    if not new:
        return ""
    return (
        f"{new} face{'s were' if new > 1 else ' was'} added after this clustering and "
        f"{'are' if new > 1 else 'is'} not shown; run: facesearch cluster {gallery.folder}"
    )


def _album_face(record: FaceRecord, clustering: Clustering, row: int) -> AlbumFace:
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
    )
