"""What changed between the photos that a gallery knows and those that are found now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.gallery.photo_table import PhotoTable
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.state import GalleryState
from facesearch.images import FoundPhoto
from indexer.types import Ids

# Refusals of the file system may pass; damage inside a file stays until the file changes.
RETRIED_REASONS = ("unreadable", "timeout", "internal")

_NONE = np.zeros(0, np.int64)


def need_work(
    state: GalleryState,
    found: Sequence[FoundPhoto],
    rows: Ids,
    *,
    retry_failed: bool = False,
    verify: bool = False,
) -> NDArray[np.bool_]:
    """Which of ``found`` are to be read, (n,); ``rows`` of the log are theirs, or -1.

    Those that are new or may have changed; with ``retry_failed`` also all that failed, with
    ``verify`` also all that did not.
    """
    log, photos = state.log, state.log.photos
    failed = photos.having("failed")
    again = (log.holder < 0) | (verify & photos.with_content)  # of which nothing is known
    if not retry_failed:
        again[failed] = False
        for reason in RETRIED_REASONS:
            again |= failed & photos.reason.equal(reason.encode())
    need = rows < 0
    known = np.flatnonzero(~need)
    need[known] = again[rows[known]] | _differ(
        photos, rows[known], [found[each] for each in known.tolist()]
    )
    return need


def _differ(photos: PhotoTable, rows: Ids, found: Sequence[FoundPhoto]) -> NDArray[np.bool_]:
    """Which of ``found`` have another size or time than ``rows`` say, (n,).

    Also another time of change, or another number in the file system, where both are known: the
    content may be another though size and time of the file are kept.
    """
    differ = np.zeros(len(rows), bool)
    for name, optional in (
        ("size", False),
        ("mtime_ns", False),
        ("ctime_ns", True),
        ("inode", True),
    ):
        now = np.array([getattr(photo, name) for photo in found], np.int64)
        before = getattr(photos, name)[rows]
        known = (now != 0) & (before != 0) if optional else True
        differ |= (now != before) & known
    return differ


def is_same_file(found: FoundPhoto, record: PhotoRecord) -> bool:
    """Whether a record says of a file all that the file system says of it now."""
    return (found.size, found.mtime_ns, found.ctime_ns, found.inode) == (
        record.size,
        record.mtime_ns,
        record.ctime_ns,
        record.inode,
    )


def missing(
    state: GalleryState, folders: Sequence[Path], refused: Sequence[Path] = (), seen: Ids = _NONE
) -> list[PhotoRecord]:
    """The records, by location, of all in ``folders`` that were not gone.

    But for those in ``refused``, and those in rows ``seen`` of the log.
    """
    log = state.log
    there = log.newest & ~log.photos.having("gone")
    there[seen] = False
    if not there.any():
        return []
    within, beyond = _prefixes(folders), _prefixes(refused)
    found = [
        (location, row)
        for row, location in enumerate(log.photos.locations())
        if there[row]
        and (location + b"/").startswith(within)
        and not (location + b"/").startswith(beyond)
    ]
    return [log.photos.record(row) for _, row in sorted(found)]


def knows(state: GalleryState, folder: Path) -> bool:
    """Whether a gallery ever had a photo in ``folder``, or at it."""
    (prefix,) = _prefixes([folder])
    return any((location + b"/").startswith(prefix) for location in state.photos)


def _prefixes(folders: Iterable[Path]) -> tuple[bytes, ...]:
    """What the location of each of ``folders``, and of all beneath it, begins with, and a slash."""
    return tuple(os.path.join(os.fsencode(folder), b"") for folder in folders)  # noqa: PTH118


def renamed_roots(
    state: GalleryState,
    roots: Sequence[Path],
    found: Sequence[FoundPhoto],
    contents: Callable[[], Sequence[str]],
) -> list[Path]:
    """Folders indexed earlier that are no longer there because they have another name now.

    ``contents`` gives the SHA-256 of ``found``, "" where not known. A folder on a drive that is
    away is not there either. It has another name if one of its files is among ``found``: the same
    content, name, time and number in the file system. Where the numbers are not known half of its
    files must be there.
    """
    lost = _lost_roots(state, roots)
    if not lost:
        return []
    present: dict[tuple[str, bytes, int], set[int]] = {}
    for photo, sha256 in zip(found, contents(), strict=True):
        if sha256:
            key = (sha256, os.fsencode(photo.path.name), photo.mtime_ns)
            present.setdefault(key, set()).add(photo.inode)
    return [root for root, records in lost.items() if _are_moved(records, present)]


def _lost_roots(state: GalleryState, roots: Sequence[Path]) -> dict[Path, list[PhotoRecord]]:
    """The photos with content of each folder that was indexed, is not asked for and not there."""
    log = state.log
    rows = np.flatnonzero(log.newest & log.photos.with_content)
    asked = _prefixes(roots)
    indexed = list(log.photos.root)
    lost: dict[bytes, list[PhotoRecord]] = {
        root: []
        for root in sorted({indexed[row] for row in rows.tolist()})
        if not (root + b"/").startswith(asked) and not os.path.lexists(root)
    }
    for row in rows.tolist() if lost else ():
        if indexed[row] in lost:
            lost[indexed[row]].append(log.photos.record(row))
    return {Path(os.fsdecode(root)): records for root, records in lost.items()}


def _are_moved(
    records: Sequence[PhotoRecord], present: dict[tuple[str, bytes, int], set[int]]
) -> bool:
    likely = 0
    for record in records:
        key = (record.sha256, os.path.basename(record.path), record.mtime_ns)  # noqa: PTH119
        inodes = present.get(key, set())
        if record.inode and record.inode in inodes:
            return True
        likely += 0 in inodes or (not record.inode and bool(inodes))
    return 2 * likely >= len(records)
