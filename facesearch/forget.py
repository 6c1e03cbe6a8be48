"""Delete faces for good: from every answer at once, then from the disk.

The order makes a crash harmless. First :mod:`facesearch.gallery.tombstones` says which faces are
not to be found any more; from then on they are not live. Then all that is derived from them is
deleted, and at last each shard that holds one is replaced by one that does not. As long as a shard
still has to be, the work is unfinished, and :func:`forget` without any face finishes it.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from facesearch.clustering.dendrogram_cache import dendrogram_path
from facesearch.clustering.run_store import run_paths
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.photo_table import PhotoTable
from facesearch.gallery.state_cache import FILE as STATE_FILE
from facesearch.gallery.tombstones import Tombstone, Tombstones
from facesearch.images import sha256_of
from facesearch.images.discover import REPORT_MARKER
from facesearch.images.file_access import absolute
from facesearch.people.store import PeopleStore, normalise_name
from facesearch.search.gallery_index import IndexGoal, index_folder, rebuild
from facesearch.search.knn_graph import graph_path
from indexer.errors import IndexGoalError, MissingFaissError
from indexer.id_lookup import positions_of
from indexer.storage.atomic_files import partial_path, sync_file, sync_folder
from indexer.storage.shards import Shard, ShardContent, replace_shard, shard_path
from indexer.types import Ids, make_ids, split_ids

logger = logging.getLogger(__name__)

_GONE = {"status": b"gone", "sha256": b""}  # what a photo's row says once it may be indexed again
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Selection:
    """The faces to forget: all of ``photos``, those of ``ids``, and those of ``people`` by name."""

    photos: tuple[Path, ...] = ()
    ids: tuple[int, ...] = ()
    people: tuple[str, ...] = ()


@dataclass
class ForgetReport:
    """``faces`` forgotten now; ``named`` of all that were deleted had a name.

    ``shards`` were replaced and ``clusterings`` rewritten. ``removed`` are files and folders that
    were derived from faces now forgotten and can be made again.
    """

    faces: int = 0
    named: int = 0
    shards: int = 0
    clusterings: int = 0
    removed: list[str] = field(default_factory=list)


def forget(gallery: Gallery, selection: Selection = Selection()) -> ForgetReport:
    """Delete faces for good, and finish what an earlier call was kept from finishing.

    Their vectors, boxes and names are nowhere in the gallery's folder afterwards; their ids are
    never used again, and indexing their photos again does not bring them back. Raises InputError
    for a photo, face or name that the gallery does not have, BusyGalleryError when another process
    is writing.
    """
    with gallery.writing():
        ids = _selected(gallery, gallery.state(), selection)
        before = Tombstones.read(gallery.folder)
        new = ids[~before.among(ids)]
        forgotten = before.joined(_faces(gallery, new))
        report = ForgetReport(faces=len(forgotten.ids) - len(before.ids))
        if report.faces:
            forgotten.write(gallery.folder)
        # Also names of faces whose shards were lost.
        report.named = PeopleStore(gallery.folder).forget(ids)
        _delete(gallery, unfinished(gallery, forgotten.ids), report)
        return report


def lift(gallery: Gallery, photos: Sequence[Path]) -> ForgetReport:
    """Let the next job index ``photos`` as if the gallery had never seen their content.

    What is left of their faces is deleted too, with the names: all of them come back as new faces.
    Raises as :func:`forget` does.
    """
    forget(gallery)
    with gallery.writing():
        state = gallery.state()
        contents = {each for photo in photos for each in _contents(gallery, state, photo)}
        photo_ids = np.array(sorted(state.contents[each] for each in contents), np.int64)
        ids = [gallery.faces_of_photo(int(photo)) for photo in photo_ids]
        # First this: while the photos' rows are there, the same call finds what is left to do.
        Tombstones.read(gallery.folder).without_photos(contents).write(gallery.folder)
        report = ForgetReport()
        _delete(gallery, np.concatenate([_NONE, *ids]), report, photo_ids)
        return report


def unfinished(gallery: Gallery, ids: Ids) -> Ids:
    """Those of the forgotten ``ids``, ascending, whose shards still hold them."""
    held = [_NONE]
    for number, rows in _by_shard(ids):
        path = shard_path(gallery.shards_folder, number)
        if path.exists():
            with Shard.open(path) as shard:
                photos = shard.column("faces", "photo")
                there = rows[rows < len(photos)]
                held.append(make_ids(number, there[photos[there] >= 0]))
    return np.concatenate(held)


def _selected(gallery: Gallery, state: GalleryState, selection: Selection) -> Ids:
    """Ids of all faces selected, ascending."""
    ids = {*selection.ids}
    _require_faces(gallery, np.array(sorted(ids), np.int64))
    for name in selection.people:
        ids |= _faces_of_person(gallery, name)
    for photo in selection.photos:
        for content in _contents(gallery, state, photo):
            ids |= set(gallery.faces_of_photo(state.contents[content]).tolist())
    return np.array(sorted(ids), np.int64)


def _require_faces(gallery: Gallery, ids: Ids) -> None:
    counts = {}
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            counts[shard.number] = shard.count
    for number, rows in _by_shard(ids):
        wrong = rows[rows >= counts.get(number, 0)]
        if len(wrong):
            raise InputError(
                f"the gallery {gallery.folder} has no face {(number << 32) | int(wrong[0])}; "
                "facesearch search --json shows the ids of faces"
            )


def _faces_of_person(gallery: Gallery, name: str) -> set[int]:
    memberships = PeopleStore(gallery.folder).memberships()
    cleaned = normalise_name(name)
    ids = {face for face, each in memberships.by_id().items() if each == cleaned}
    if not ids:
        known = ", ".join(sorted(set(memberships.names))[:10]) or "none"
        raise InputError(f"no person in this gallery is named {cleaned!r}; named people: {known}")
    return ids


def _contents(gallery: Gallery, state: GalleryState, photo: Path) -> set[str]:
    """The SHA-256 of a photo, and of what was at its place earlier and is nowhere now."""
    places = {os.fsencode(absolute(photo)), os.fsencode(absolute(photo.resolve()))}
    found = set()
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            table = PhotoTable.read(shard)
        for row, location in enumerate(table.locations()):
            if location in places and state.holds(record := table.record(row)):
                elsewhere = state.shown.get(state.contents[record.sha256])
                if elsewhere is None or record.sha256 == state.photos[location].sha256:
                    found.add(record.sha256)
    if not found and photo.is_file() and (content := sha256_of(photo)) in state.contents:
        found.add(content)
    if not found:
        raise InputError(f"the gallery {gallery.folder} has no photo {photo}; name one that it has")
    return found


def _faces(gallery: Gallery, ids: Ids) -> Iterator[Tombstone]:
    """Which faces ``ids`` are, those that shards still hold."""
    for number, rows in _by_shard(unfinished(gallery, ids)):
        with Shard.open(shard_path(gallery.shards_folder, number)) as shard:
            contents = shard.column("photos", "sha256")
            photos, boxes = (shard.column("faces", name)[rows] for name in ("photo", "box"))
        for row, photo, box in zip(rows.tolist(), photos.tolist(), boxes.tolist(), strict=True):
            yield Tombstone((number << 32) | row, contents[photo].decode(), tuple(box))


def _delete(
    gallery: Gallery,
    ids: Ids,
    report: ForgetReport,
    photo_ids: Ids = _NONE,
) -> None:
    """Take faces out of everything; the rows of ``photo_ids`` become those of photos gone."""
    if not len(ids) and not len(photo_ids):
        return
    report.named += PeopleStore(gallery.folder).forget(ids)
    report.clusterings = sum(_take_out_of_run(path, ids) for path in run_paths(gallery))
    wish = IndexGoal.of(gallery)
    _remove_derived(gallery, report)
    photo_rows = dict(_by_shard(photo_ids))
    face_rows = dict(_by_shard(ids))
    # Last, since this is what tells that there is nothing left to do.
    for number in sorted({*face_rows, *photo_rows}):
        rows, photos = (each.get(number, _NONE) for each in (face_rows, photo_rows))
        _replace(shard_path(gallery.shards_folder, number), rows, photos)
        report.shards += 1
    try:
        rebuild(gallery, gallery.state(), wish)
    except (MissingFaissError, IndexGoalError) as error:
        logger.warning("the search index was not renewed: %s", error)


def _take_out_of_run(path: Path, ids: Ids) -> bool:
    """Rewrite a clustering without the lines of ``ids``, if it has any."""
    with h5py.File(path, "r") as file:
        held = file["ids"][()]
        kept = positions_of(held, ids, ascending=True) < 0
        if kept.all():
            return False
        attributes = dict(file.attrs)
        arrays = {name: file[name][()] for name in file}
    partial = partial_path(path)
    with h5py.File(partial, "w") as file:
        file.attrs.update(attributes)
        for name, values in arrays.items():
            lines = values[kept] if values.shape[:1] == kept.shape else values
            file.create_dataset(name, data=lines, fletcher32=bool(lines.size))
    sync_file(partial)
    partial.replace(path)
    sync_folder(path.parent)
    return True


def _remove_derived(gallery: Gallery, report: ForgetReport) -> None:
    """What holds forgotten faces among the rest, and partial files."""
    described = index_folder(gallery) / "index.json"
    described.unlink(missing_ok=True)  # first, so that nothing is described that is not there
    shutil.rmtree(index_folder(gallery), ignore_errors=True)
    (gallery.folder / STATE_FILE).unlink(missing_ok=True)
    for path in (graph_path(gallery), dendrogram_path(gallery)):
        if path.exists():
            path.unlink()
            report.removed.append(path.name)
    page = gallery.folder / "report"
    if (page / REPORT_MARKER).exists():
        for each in [page / "index.html", page / "album.json"]:
            each.unlink(missing_ok=True)
        shutil.rmtree(page)
        report.removed.append(page.name)
    for partial in gallery.folder.rglob(".*.partial"):
        partial.unlink(missing_ok=True)


def _replace(path: Path, rows: NDArray[np.int64], photos: NDArray[np.int64]) -> None:
    """Replace a shard by one with nothing in the face rows ``rows``; ``photos`` become gone."""
    with Shard.open(path) as shard:
        vectors = shard.vectors()
        vectors[rows] = np.eye(1, shard.dimension, dtype=np.float32)
        tables = {name: shard.table(name) for name in shard.table_names}
        content = ShardContent(shard.number, vectors, tables, dict(shard.attributes))
        dtype = shard.dtype
    for name, values in tables["faces"].items():
        before = values[rows]
        values[rows] = b"" if values.dtype == object else 0
        if name == "photo":  # the complement still tells which photo it was
            values[rows] = np.where(before >= 0, ~before, before)
    for name, value in _GONE.items():
        tables["photos"][name][photos] = value
    replace_shard(path, content, dtype)


def _by_shard(ids: Ids) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows of ascending ``ids``, shard by shard."""
    numbers, rows = split_ids(ids)
    for number in np.unique(numbers).tolist():
        yield number, rows[numbers == number]
