"""Walking folders for photos, in an order that does not depend on the file system.

Names are plain text here: paths as objects take most of the time where there are a million.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from facesearch.errors import InputError
from facesearch.images.file_access import absolute, irregular, refusal
from facesearch.images.formats.extras import is_readable
from facesearch.images.remote.addresses import is_remote
from facesearch.images.remote.objects import list_objects, object_exists
from facesearch.images.sniff import HEAD_BYTES, sniff
from facesearch.images.types import FoundPhoto
from facesearch.images.walk.file_kinds import is_photo_name, kind_of_name
from facesearch.images.walk.left_out import (
    GALLERY_MARKER,
    REPORT_MARKER,
    SEALED_MARKER,
    files_below,
    kind_left_out,
    marked_as,
)
from facesearch.images.walk.one_picture import live_photo_parts, second_files
from facesearch.images.walk.skipped import SkippedFiles
from facesearch.video_files import VIDEO_EXTENSIONS, VIDEO_HEAD_BYTES, video_container

# Kinds of files whose names say enough: what is in them may look like an image.
_NAMED_WELL = ("raw", "jpeg-xl", "sidecar")
_MAY_BE_VIDEO = ("video", "other")  # whatever their names are
_MARKED = {GALLERY_MARKER: "gallery", SEALED_MARKER: "gallery", REPORT_MARKER: "report"}


def find_photos(
    roots: Sequence[Path], skipped: SkippedFiles | None = None, *, videos: bool = False
) -> Iterator[FoundPhoto]:
    """Every photo under ``roots`` once, each root's in bytewise order of the relative path.

    A root is a folder, walked through, or a single file, whose root is then its parent folder.
    Symbolic links are followed; a folder or file already visited (same device and inode: loops,
    overlapping roots, second links) is not visited again. Hidden entries, galleries and reports
    (folders that hold their markers), trash and folders of thumbnails and previews are skipped. A
    file with a photo's extension is always yielded, any other only if its first bytes are those of
    an image, except that a file given as a root is yielded whatever it is. Files that need a
    package which is not installed are skipped. Files that are one picture are yielded as one, the
    others as its ``second``. With ``videos`` these are found by the same rules, and marked.

    A root in an object store (:mod:`facesearch.images.remote`) is listed in the same order. What an
    object is, its name must say, and each is a picture by itself.

    Every file that is not yielded is counted in ``skipped``, once the walk is at its end. Whatever
    the file system refuses is yielded with ``error`` set. Names that are not UTF-8 come as Python
    decodes them (``os.fsdecode``). Raises InputError as ``check_roots`` does, at the call, not
    later.
    """
    check_roots(roots)
    return _find(tuple(roots), SkippedFiles() if skipped is None else skipped, videos)


def find_each(paths: Iterable[Path]) -> Iterator[FoundPhoto]:
    """The photos and videos of each of ``paths``, files and folders, in this order.

    ``paths`` are read as they are needed. One that is not there, a gallery and a report are found
    with an error, and the others go on.
    """
    for path in map(absolute, paths):
        if not root_exists(path):
            yield FoundPhoto(path.parent, path.name, 0, 0, "there is no such file or folder")
            continue
        try:
            yield from find_photos([path], videos=True)
        except InputError as error:
            yield FoundPhoto(path.parent, path.name, 0, 0, str(error))


def check_roots(roots: Sequence[Path]) -> None:
    """Raises InputError, naming it, for a root that is not there or is a gallery or a report."""
    for root in roots:
        if not root_exists(root):
            raise InputError(f"expected a folder or a photo, found nothing at {str(root)!r}")
        if kind := _marked(root):
            raise InputError(
                f"expected photos, but {str(root)!r} is a {kind}; give the folder with the photos"
            )


def _marked(root: Path) -> str:
    """Whether a root is a gallery or a report, as :func:`marked_as` has it."""
    return "" if is_remote(root) else marked_as(root, lambda name: os.path.lexists(root / name))


def root_exists(root: Path) -> bool:
    """Whether a root is there, be it a link that leads nowhere."""
    return object_exists(str(root)) if is_remote(root) else os.path.lexists(root)


def _find(roots: tuple[Path, ...], skipped: SkippedFiles, videos: bool) -> Iterator[FoundPhoto]:
    identities = {identity for root in roots if (identity := _identity_of(root))}
    walk = _Walk(skipped, identities, videos)
    addresses: set[Path] = set()
    for root in roots:
        if is_remote(root):
            yield from _objects(root, roots, skipped, addresses)
        elif root.is_dir():
            yield from walk.folder(root)
        else:
            yield from walk.named_file(root)


def _objects(
    root: Path, roots: Sequence[Path], skipped: SkippedFiles, seen: set[Path]
) -> Iterator[FoundPhoto]:
    """The photos among the objects below ``root`` that are not ``seen``, in bytewise order."""
    found = list(list_objects(str(root)))
    folders = [(each.name.rpartition("/"), each) for each in found if "/" in each.name]
    closed = {f"{folder}/": _MARKED[name] for (folder, _, name), _ in folders if name in _MARKED}
    asked = {other.relative_to(root).as_posix() for other in roots if root in other.parents}
    for each in found:
        kind = ""
        if each.name:
            inside = (kind for folder, kind in closed.items() if each.name.startswith(folder))
            kind = next(inside, "") or _kind_of_object(each.name, root.name, asked)
        photo = FoundPhoto(root, each.name, each.size, each.mtime_ns)
        if not each.name:  # the object that the user asked for, whatever it is
            photo = FoundPhoto(root.parent, root.name, each.size, each.mtime_ns)
        if not kind and photo.location in seen:
            kind = "link"
        if kind:
            skipped.add(kind, _suffix(each.name).lower())
        else:
            seen.add(photo.location)
            yield photo


def _kind_of_object(name: str, parent: str, asked: Container[str]) -> str:
    """Why an object below a folder called ``parent`` is no photo, by its name; "" if it is one.

    Folders that were ``asked`` for are not left out, whatever their names are.
    """
    *folders, file = name.split("/")
    for end, part in enumerate(folders, start=1):
        kind = kind_left_out(part, parent)
        if kind and "/".join(folders[:end]) not in asked:
            return kind
        parent = part
    if file.startswith("."):
        return "hidden"
    suffix = _suffix(file).lower()
    return "" if is_photo_name(suffix) else kind_of_name(suffix)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of a folder; ``second`` are other files of the same picture."""

    name: str
    is_folder: bool
    second: tuple[str, ...] = ()


@dataclass
class _Walk:
    """One walk over all roots.

    ``seen`` holds the identity of every folder and photo visited, ``roots`` those of the roots.
    """

    skipped: SkippedFiles
    roots: set[int]
    videos: bool = False
    seen: set[int] = field(default_factory=set)

    def folder(self, root: Path) -> Iterator[FoundPhoto]:
        """The photos below ``root``, in bytewise order of their paths."""
        # A stack of our own: a deep tree must not end in a RecursionError.
        pending = [_Entry("", True)]
        while pending:
            entry = pending.pop()
            if not entry.is_folder:
                yield from self._file(root, entry)
                continue
            path = os.path.join(root, entry.name)  # noqa: PTH118
            try:
                if not self._first_visit(os.stat(path)):  # noqa: PTH116
                    continue
                entries = self._entries(path)
            except OSError as error:
                self.skipped.refused += 1
                yield FoundPhoto(root, entry.name or ".", 0, 0, refusal(error))
                continue
            before = entry.name and f"{entry.name}/"
            pending.extend(_below(before, each) for each in reversed(entries))

    def named_file(self, path: Path) -> Iterator[FoundPhoto]:
        """The file that the user asked for, whatever it is."""
        try:
            status = path.stat()
            problem = irregular(status.st_mode)
        except OSError as error:
            problem = refusal(error)
        if problem:
            yield FoundPhoto(path.parent, path.name, 0, 0, problem)
        elif self._first_visit(status):
            video = self.videos and self._is_video(str(path), path.suffix.lower())
            yield replace(FoundPhoto.of(path.parent, path.name, status), video=video)
        else:
            self.skipped.add("link")

    def _file(self, root: Path, entry: _Entry) -> Iterator[FoundPhoto]:
        """The photo that an entry below ``root`` is, if it is one."""
        photo = self._photo(root, entry.name)
        if photo is None:  # so that each of the others is a picture by itself
            for name in entry.second:
                yield from self._file(root, _Entry(name, False))
            return
        second = []
        for name in entry.second:
            if not is_photo_name(_suffix(name).lower()):
                self.skipped.add("second-file")  # and could not be read where it stands in
            elif other := self._photo(root, name):
                self.skipped.add("second-file")
                second.append(other)
        yield replace(photo, second=tuple(second)) if second else photo

    def _photo(self, root: Path, name: str) -> FoundPhoto | None:
        """The photo at ``root / name``; None where it is none, which is counted."""
        suffix = _suffix(name).lower()
        path = os.path.join(root, name)  # noqa: PTH118
        video = self.videos and suffix in VIDEO_EXTENSIONS
        certain = video or is_photo_name(suffix)
        kind = kind_of_name(suffix)
        try:
            status = os.stat(path)  # noqa: PTH116
            problem = irregular(status.st_mode)
            if not problem and not certain and (kind in _NAMED_WELL or not _has_signature(path)):
                video = self.videos and kind in _MAY_BE_VIDEO and _has_video_signature(path)
                if not video:
                    self.skipped.add(kind, suffix)
                    return None
        except OSError as error:
            problem = refusal(error)
        if problem:
            # What cannot be opened cannot be sniffed: it may be a photo if its name allows it.
            if certain or not suffix:
                return FoundPhoto(root, name, 0, 0, problem, video=video)
            self.skipped.add("special")
            return None
        if not self._first_visit(status):
            self.skipped.add("link")
            return None
        photo = FoundPhoto.of(root, name, status)
        return replace(photo, video=True) if video else photo

    def _is_video(self, path: str, suffix: str) -> bool:
        """Whether a file that the user asked for is one: by its name, or what is in it."""
        if suffix in VIDEO_EXTENSIONS:
            return True
        if is_photo_name(suffix):
            return False
        try:
            return _has_video_signature(path)
        except OSError:
            return False

    def _first_visit(self, status: os.stat_result) -> bool:
        # Some network file systems number nothing and say 0.
        identity = _identity(status)
        if status.st_ino and identity in self.seen:
            return False
        self.seen.add(identity)
        return True

    def _entries(self, folder: str) -> list[_Entry]:
        """What to visit in a folder, in the order of the paths below it.

        A folder sorts as its name with a slash, so that the walk is bytewise sorted by whole path.
        """
        with os.scandir(folder) as scan:
            entries = {entry.name: _is_folder(entry) for entry in scan}
        if marked := marked_as(Path(folder), entries.__contains__):
            self.skipped.add_folder(Path(folder), marked, files_below(folder))
            return []
        shown = [
            name for name, is_folder in entries.items() if self._is_shown(folder, name, is_folder)
        ]
        files = [name for name in shown if not entries[name]]
        standing_for = second_files(folder, files)
        parts = live_photo_parts(folder, files)
        for _ in parts:
            self.skipped.add("live-photo")
        second: dict[str, tuple[str, ...]] = {}
        for other, first in standing_for.items():
            second[first] = (*second.get(first, ()), other)
        visited = [
            _Entry(name, entries[name], second.get(name, ()))
            for name in shown
            if name not in standing_for and name not in parts
        ]
        visited.sort(key=lambda each: os.fsencode(each.name) + (b"/" if each.is_folder else b""))
        return visited

    def _is_shown(self, folder: str, name: str, is_folder: bool) -> bool:
        if not is_folder:
            if name.startswith("."):
                self.skipped.add("hidden")
            return not name.startswith(".")
        kind = kind_left_out(name, os.path.basename(folder))  # noqa: PTH119
        path = Path(folder, name)
        if not kind or _identity_of(path) in self.roots:
            return True
        # What a link leads to is counted where it is, if it is here at all.
        self.skipped.add_folder(path, kind, 0 if path.is_symlink() else files_below(str(path)))
        return False


def _below(before: str, entry: _Entry) -> _Entry:
    second = tuple(before + name for name in entry.second)
    return _Entry(before + entry.name, entry.is_folder, second)


def _identity(status: os.stat_result) -> int:
    # One int instead of a pair: half the memory for a million photos.
    return status.st_dev << 64 | status.st_ino


def _identity_of(path: Path) -> int:
    """The identity of what is at ``path``, 0 where nothing is."""
    try:
        return _identity(path.stat())
    except OSError:
        return 0


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
    kind = sniff(_first_bytes(path, HEAD_BYTES))
    return kind is not None and is_readable(kind)


def _has_video_signature(path: str) -> bool:
    head = _first_bytes(path, VIDEO_HEAD_BYTES)
    return sniff(head[:HEAD_BYTES]) is None and video_container(head) is not None


def _first_bytes(path: str, count: int) -> bytes:
    """The start of a file, b"" of what is no plain one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.read(descriptor, count)
    finally:
        os.close(descriptor)
