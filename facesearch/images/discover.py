"""Walking folders for photos, in an order that does not depend on the file system.

Names are plain text here: paths as objects take most of the time where there are a million.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facesearch.errors import InputError
from facesearch.images.file_access import irregular, refusal
from facesearch.images.remote.addresses import is_remote
from facesearch.images.remote.objects import list_objects, object_exists
from facesearch.images.sniff import HEAD_BYTES, PHOTO_EXTENSIONS, RAW_EXTENSIONS, sniff
from facesearch.images.types import FoundPhoto

GALLERY_MARKER = "gallery.json"
# Says that the folder is a report's, whose crops may be replaced and removed.
REPORT_MARKER = ".facesearch-report"
_MARKERS = ((GALLERY_MARKER, "a gallery"), (REPORT_MARKER, "a report"))


def find_photos(roots: Sequence[Path]) -> Iterator[FoundPhoto]:
    """Every photo under ``roots`` once, each root's in bytewise order of the relative path.

    A root is a folder, walked through, or a single file, whose root is then its parent folder.
    Symbolic links are followed; a folder or file already visited (same device and inode: loops,
    overlapping roots, second links) is not visited again. Hidden entries, galleries and
    reports (folders that hold their markers) are skipped. A file with a photo's extension is
    always yielded, any other only if its first bytes are those of an image (and it is no camera
    raw file), except that a file given as a root is yielded whatever it is.

    A root in an object store (:mod:`facesearch.images.remote`) is listed in the same order. What an
    object is, its name must say: one without a photo's extension is no photo.

    Whatever the file system refuses is yielded with ``error`` set. Names that are not UTF-8
    come as Python decodes them (``os.fsdecode``). Raises InputError as ``check_roots`` does, at
    the call, not later.
    """
    check_roots(roots)
    return _find(tuple(roots))


def check_roots(roots: Sequence[Path]) -> None:
    """Raises InputError, naming it, for a root that is not there or is a gallery or a report."""
    for root in roots:
        if not root_exists(root):
            raise InputError(f"expected a folder or a photo, found nothing at {str(root)!r}")
        for marker, kind in () if is_remote(root) else _MARKERS:
            if os.path.lexists(root / marker):
                raise InputError(
                    f"expected photos, but {str(root)!r} is {kind}; give the folder with the photos"
                )


def root_exists(root: Path) -> bool:
    """Whether a root is there, be it a link that leads nowhere."""
    return object_exists(str(root)) if is_remote(root) else os.path.lexists(root)


def _find(roots: tuple[Path, ...]) -> Iterator[FoundPhoto]:
    walk = _Walk()
    for root in roots:
        if is_remote(root):
            yield from walk.objects(root)
        elif root.is_dir():
            yield from walk.folder(root)
        else:
            yield from walk.file(root.parent, root.name, named=True)


@dataclass
class _Walk:
    """One walk over all roots; ``seen`` holds the identity of every folder and photo visited.

    ``addresses`` are those of the objects.
    """

    seen: set[int] = field(default_factory=set)
    addresses: set[Path] = field(default_factory=set)

    def objects(self, root: Path) -> Iterator[FoundPhoto]:
        """The photos among the objects below ``root``, in bytewise order of their names."""
        found = list(list_objects(str(root)))
        markers = {name for name, _ in _MARKERS}
        closed = tuple(
            each.name.rpartition("/")[0] + "/"
            for each in found
            if each.name.rpartition("/")[2] in markers and "/" in each.name
        )
        for each in found:
            named = not each.name
            hidden = any(part.startswith(".") for part in each.name.split("/"))
            if not named and (hidden or each.name.startswith(closed)):
                continue
            if not named and _suffix(each.name).lower() not in PHOTO_EXTENSIONS:
                continue
            photo = (
                FoundPhoto(root.parent, root.name, each.size, each.mtime_ns)
                if named
                else FoundPhoto(root, each.name, each.size, each.mtime_ns)
            )
            if photo.location not in self.addresses:
                self.addresses.add(photo.location)
                yield photo

    def folder(self, root: Path) -> Iterator[FoundPhoto]:
        """The photos below ``root``, in bytewise order of their paths."""
        # A stack of our own: a deep tree must not end in a RecursionError.
        pending = [("", True)]
        while pending:
            folder, is_folder = pending.pop()
            if not is_folder:
                yield from self.file(root, folder, named=False)
                continue
            path = os.path.join(root, folder)  # noqa: PTH118
            try:
                if not self._first_visit(os.stat(path)):  # noqa: PTH116
                    continue
                entries = _entries(path)
            except OSError as error:
                yield FoundPhoto(root, folder or ".", 0, 0, refusal(error))
                continue
            before = folder and f"{folder}/"
            pending.extend((before + name, is_dir) for name, is_dir in reversed(entries))

    def file(self, root: Path, name: str, *, named: bool) -> Iterator[FoundPhoto]:
        """The photo at ``root / name`` if it is one; ``named`` if the user asked for it."""
        suffix = _suffix(name).lower()
        certain = named or suffix in PHOTO_EXTENSIONS
        if not certain and suffix in RAW_EXTENSIONS:
            return
        path = os.path.join(root, name)  # noqa: PTH118
        try:
            status = os.stat(path)  # noqa: PTH116
            problem = irregular(status.st_mode)
            if not problem and not certain and not _has_signature(path):
                return
        except OSError as error:
            problem = refusal(error)
        if problem:
            # What cannot be opened cannot be sniffed: it may be a photo if its name allows it.
            if certain or not suffix:
                yield FoundPhoto(root, name, 0, 0, problem)
        elif self._first_visit(status):
            yield FoundPhoto(root, name, status.st_size, status.st_mtime_ns)

    def _first_visit(self, status: os.stat_result) -> bool:
        # One int instead of a pair: half the memory for a million photos. Some network file
        # systems number nothing and say 0.
        identity = status.st_dev << 64 | status.st_ino
        if status.st_ino and identity in self.seen:
            return False
        self.seen.add(identity)
        return True


def _entries(folder: str) -> list[tuple[str, bool]]:
    """Names in a folder and whether each is a folder, in the order of the paths below them.

    A folder sorts as its name with a slash, so that the walk is bytewise sorted by whole path.
    """
    with os.scandir(folder) as scan:
        entries = [(entry.name, _is_folder(entry)) for entry in scan]
    if any(name in (GALLERY_MARKER, REPORT_MARKER) for name, _ in entries):
        return []
    shown = [entry for entry in entries if not entry[0].startswith(".")]
    shown.sort(key=lambda entry: os.fsencode(entry[0]) + (b"/" if entry[1] else b""))
    return shown


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads nowhere or round in a circle: stat will say which


def _suffix(name: str) -> str:
    """As that of a Path."""
    last = name.rpartition("/")[2]
    dot = last.rfind(".")
    return last[dot:] if 0 < dot < len(last) - 1 else ""


def _has_signature(path: str) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        return sniff(os.read(descriptor, HEAD_BYTES)) is not None
    finally:
        os.close(descriptor)
