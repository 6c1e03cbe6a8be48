"""Delete faces for good: from every answer at once, then from the disk.

The order makes a crash harmless. First :mod:`facesearch.gallery.tombstones` says which faces are
not to be found any more; from then on they are not live. Then all that is derived from them is
deleted, and at last each shard that holds one is replaced by one that does not. As long as a shard
still has to be, the work is unfinished, and :func:`forget` without any face finishes it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.clustering.dendrogram_cache import dendrogram_path
from facesearch.clustering.run_store import read_run, run_paths, without_faces, write_run
from facesearch.embed_videos import FOLDER as UNFINISHED_VIDEOS
from facesearch.embed_videos import remove_unfinished
from facesearch.erasure.name_search import names_found
from facesearch.erasure.receipt import (
    ForgetReport,
    Receipt,
    Traces,
    files_below,
    write_receipt,
)
from facesearch.erasure.selection import (
    SelectedFaces,
    Selection,
    by_shard,
    photo_contents,
    select_faces,
    unfinished,
)
from facesearch.erasure.sidecars import noted_outputs, remove_sidecars, sidecars
from facesearch.errors import ChangedGalleryError
from facesearch.gallery.description import SHARDS
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import face_times
from facesearch.gallery.state_cache import FILE as STATE_FILE
from facesearch.gallery.tombstones import Tombstone, Tombstones
from facesearch.images.walk.left_out import REPORT_MARKER
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import IndexGoal, index_folder, rebuild
from facesearch.search.knn_graph import graph_path
from facesearch.text import count
from indexer.errors import IndexGoalError, MissingFaissError
from indexer.storage.shards import Shard, ShardContent, replace_shard, shard_path
from indexer.types import Ids

__all__ = ["ForgetReport", "SelectedFaces", "Selection", "forget", "lift", "preview", "unfinished"]

logger = logging.getLogger(__name__)

# Crops and small pictures that the service keeps, a folder of the gallery; derived.
PICTURES = "pictures"

_GONE = {"status": b"gone", "sha256": b""}  # what a photo's row says once it may be indexed again
_NONE = np.zeros(0, np.int64)
_NOTHING_NEW = Selection()
_DIGEST_LETTERS = 16  # enough to notice a change; it keeps no secret


def forget(
    gallery: Gallery,
    selection: Selection | SelectedFaces = _NOTHING_NEW,
    *,
    receipt: Path | None = None,
    previewed: str | None = None,
) -> ForgetReport:
    """Delete faces for good, and finish what an earlier call was kept from finishing.

    Their vectors, boxes and names are nowhere in the gallery's folder afterwards, nor are names in
    sidecars of ours beside their photos; their ids are never used again, and indexing their photos
    again does not bring them back. What was done is written to ``receipt``, by default a new file
    in the gallery's folder ``erasures``.

    Faces that were selected before are those that were so then, whatever was decided since: of the
    people among them the names go, and nobody else's. ``previewed`` is the digest of a preview that
    somebody looked at: where anything else would be deleted by now, nothing is, and
    ChangedGalleryError is raised. Raises InputError for a photo, face or name that the gallery does
    not have, BusyGalleryError when another process is writing, or writes a report for longer than a
    minute.
    """
    with gallery.writing():
        chosen = _chosen(gallery, selection)
        if previewed is not None:
            _require_previewed(gallery, chosen, previewed)
        before = Tombstones.read(gallery.folder)
        new = chosen.ids[~before.among(chosen.ids)]
        forgotten = before.joined(_faces(gallery, new))
        report = ForgetReport(
            len(forgotten.ids) - len(before.ids), chosen.decided, chosen.clustered
        )
        left = unfinished(gallery, forgotten.ids)
        people = PeopleStore(gallery.folder)
        names = (*chosen.names, *people.names_of(chosen.numbers))
        traces = Traces.of(gallery, left) if report.faces or names else Traces()
        if report.faces:
            forgotten.write(gallery.folder)
        with gallery.erasing():
            # Also names of faces whose shards were lost.
            report.named = people.forget(chosen.ids)
            named = sum(people.forget_name(name) for name in chosen.names)
            named += people.forget_names_of(chosen.numbers)
            report.sidecars = remove_sidecars(gallery, traces.contents, names)
            report.elsewhere = noted_outputs(gallery)
            if named and not len(left):
                _remove_report(gallery, report)
            _delete(gallery, left, report)
        if report.faces or named:
            found = traces.found(gallery.folder) + names_found(gallery.folder, names)
            report.found = sorted({*map(str, found)})
            report.searched = files_below(gallery.folder)
            report.receipt = write_receipt(gallery, Receipt.of(new, report, traces), receipt)
        return report


def preview(gallery: Gallery, selection: Selection | SelectedFaces) -> ForgetReport:
    """What :func:`forget` would delete; raises as it does, and changes nothing.

    With the ``digest`` of the answer, :func:`forget` deletes just this or nothing.
    """
    return _preview(gallery, _chosen(gallery, selection))


def _preview(gallery: Gallery, chosen: SelectedFaces) -> ForgetReport:
    new = chosen.ids[~Tombstones.read(gallery.folder).among(chosen.ids)]
    there = unfinished(gallery, new)
    report = ForgetReport(len(there), chosen.decided, chosen.clustered)
    contents = Traces.of(gallery, there).contents
    people = PeopleStore(gallery.folder)
    names = (*chosen.names, *people.names_of(chosen.numbers))
    report.sidecars = [str(path) for path in sidecars(gallery, contents, names)]
    report.elsewhere = noted_outputs(gallery)
    named = [sorted(people.was_named(name)) for name in chosen.names]
    counted = (chosen.decided, chosen.clustered)
    facts = (there.tolist(), counted, names, named, chosen.numbers, report.sidecars)
    report.digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:_DIGEST_LETTERS]
    return report


def _require_previewed(gallery: Gallery, chosen: SelectedFaces, previewed: str) -> None:
    """That ``chosen`` comes to what the preview with this digest showed."""
    now = _preview(gallery, chosen)
    if now.digest != previewed:
        raise ChangedGalleryError(
            f"expected to delete what the preview {previewed} showed, but faces, names or files "
            f"have changed since: by now it would be {count(now.faces, 'face')}; nothing was "
            "deleted: look at a new preview, then decide"
        )


def _chosen(gallery: Gallery, selection: Selection | SelectedFaces) -> SelectedFaces:
    if isinstance(selection, SelectedFaces):
        return selection
    return select_faces(gallery, gallery.state(), selection)


def lift(gallery: Gallery, photos: Sequence[Path]) -> ForgetReport:
    """Let the next job index ``photos`` as if the gallery had never seen their content.

    What is left of their faces is deleted too, with the names: all of them come back as new faces.
    Raises as :func:`forget` does.
    """
    forget(gallery)
    with gallery.writing():
        state = gallery.state()
        contents = {each for photo in photos for each in photo_contents(gallery, state, photo)}
        photo_ids = np.array(sorted(state.contents[each] for each in contents), np.int64)
        ids = [gallery.faces_of_photo(int(photo)) for photo in photo_ids]
        # First this: while the photos' rows are there, the same call finds what is left to do.
        Tombstones.read(gallery.folder).without_photos(contents).write(gallery.folder)
        report = ForgetReport()
        _delete(gallery, np.concatenate([_NONE, *ids]), report, photo_ids)
        return report


def _faces(gallery: Gallery, ids: Ids) -> Iterator[Tombstone]:
    """Which faces ``ids`` are, those that shards still hold."""
    for number, rows in by_shard(unfinished(gallery, ids)):
        with Shard.open(shard_path(gallery.shards_folder, number)) as shard:
            contents = shard.column("photos", "sha256")
            photos, boxes = (shard.column("faces", name)[rows] for name in ("photo", "box"))
            stills = face_times(shard, rows)[:, 2].tolist()
        places = zip(rows.tolist(), photos.tolist(), boxes.tolist(), stills, strict=True)
        for row, photo, box, still in places:
            yield Tombstone((number << 32) | row, contents[photo].decode(), tuple(box), still)


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
    photo_rows = dict(by_shard(photo_ids))
    face_rows = dict(by_shard(ids))
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
    """Rewrite a clustering without the lines of ``ids``, if it has any.

    One that cannot be read may hold them, and can be made again: it is removed.
    """
    try:
        run = read_run(path)
    except (OSError, KeyError, ValueError, TypeError) as error:
        logger.warning("%s cannot be read and was removed: %s", path, error)
        path.unlink()
        return True
    rest = without_faces(run, ids)
    if rest is run:
        return False
    write_run(path, rest)
    return True


def _remove_derived(gallery: Gallery, report: ForgetReport) -> None:
    """What holds forgotten faces among the rest, and partial files."""
    described = index_folder(gallery) / "index.json"
    described.unlink(missing_ok=True)  # first, so that nothing is described that is not there
    if index_folder(gallery).exists():
        shutil.rmtree(index_folder(gallery))
    (gallery.folder / STATE_FILE).unlink(missing_ok=True)
    for path in (graph_path(gallery), dendrogram_path(gallery)):
        if os.path.lexists(path):
            path.unlink()
            report.removed.append(path.name)
    _remove_other_shards(gallery, report)
    if remove_unfinished(gallery):
        report.removed.append(UNFINISHED_VIDEOS)
    _remove_report(gallery, report)
    _remove_pictures(gallery, report)
    for partial in gallery.folder.rglob(".*.partial"):
        partial.unlink(missing_ok=True)


def _remove_other_shards(gallery: Gallery, report: ForgetReport) -> None:
    """Vectors of another encoder: of an upgrade that is not finished, or of before one."""
    for folder in sorted(gallery.folder.glob(f"{SHARDS}*")):
        if folder != gallery.shards_folder:
            folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
            report.removed.append(folder.name)


def _remove_pictures(gallery: Gallery, report: ForgetReport) -> None:
    """Pictures of all faces: their names do not say whose they are. A link is removed as such."""
    folder = gallery.folder / PICTURES
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)
    else:
        return
    report.removed.append(folder.name)


def _remove_report(gallery: Gallery, report: ForgetReport) -> None:
    """The report in the gallery's folder: at once, so that nobody writes to it meanwhile.

    A link is removed as such: what it leads to is not the gallery's.
    """
    page = gallery.folder / "report"
    doomed = gallery.folder / ".report.removed"
    if page.is_symlink():
        page.unlink()
    elif os.path.lexists(page / REPORT_MARKER):
        page.replace(doomed)
    else:
        page = doomed
    if doomed.is_dir() and not doomed.is_symlink():
        shutil.rmtree(doomed)
    if page != doomed:
        report.removed.append(page.name)


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
    if "frames" in tables:
        _clear_frames(tables["frames"], rows)
    for name, value in _GONE.items():
        tables["photos"][name][photos] = value
    replace_shard(path, content, dtype)


def _clear_frames(frames: dict[str, NDArray[Any]], rows: NDArray[np.int64]) -> None:
    """Leave nothing in the frames of forgotten tracks but the complement of the track's row."""
    mine = np.isin(frames["face"], rows)
    for name, values in frames.items():
        values[mine] = ~values[mine] if name == "face" else 0
