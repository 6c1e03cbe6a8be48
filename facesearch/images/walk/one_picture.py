"""Files beside each other that are one picture: a JPEG and its raw file, a live photo's parts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from facesearch.errors import PhotoError
from facesearch.images.file_access import open_plain
from facesearch.images.sniff import JPEG_XL_EXTENSIONS, RAW_EXTENSIONS

# The order in which files of one picture are read: what the camera developed before raw data.
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
_MODERN = (".heic", ".heif", ".hif", ".avif", *JPEG_XL_EXTENSIONS)
_RANK = {
    **dict.fromkeys(_JPEG, 0),
    **dict.fromkeys(_MODERN, 1),
    **dict.fromkeys(RAW_EXTENSIONS, 2),
}
_RAW_RANK = 2
_MOTION = (".mov", ".mp4")
_LOOKED_AT = 1 << 17  # bytes: EXIF is at the beginning, a video's index at either end
# A camera writes a photo and its raw file at once: such pairs need not be read at every walk.
_AT_ONCE = 5.0  # seconds
_EXIF_TIME = re.compile(rb"(?:19|20)\d\d:\d\d:\d\d \d\d:\d\d:\d\d")
_LIVE_PHOTO = b"com.apple.quicktime.content.identifier"


def second_files(folder: str, names: Iterable[str]) -> dict[str, str]:
    """Of files in a folder those that another stands for, and the name of that other.

    A file and its raw file, or a JPEG and its HEIC, have one name but for the ending, and one time
    of capture. Raw files that were written at the same time, or state no time of capture, belong to
    the file of the same name.
    """
    found = {}
    for group in _of_one_name(names, _RANK).values():
        ranked = sorted(group, key=lambda name: (_RANK[_suffix(name)], name))
        first, others = ranked[0], ranked[1:]
        for other in others:
            if _RANK[_suffix(other)] > _RANK[_suffix(first)] and _are_one(folder, first, other):
                found[other] = first
    return found


def live_photo_parts(folder: str, names: Iterable[str]) -> set[str]:
    """Of files in a folder the videos that are the moving part of a photo beside them."""
    groups = _of_one_name(names, {**_RANK, **dict.fromkeys(_MOTION, 3)})
    return {
        name
        for group in groups.values()
        for name in group
        if _suffix(name) in _MOTION
        and any(_suffix(other) not in _MOTION for other in group)
        and (_LIVE_PHOTO in _end_of(folder, name) or _LIVE_PHOTO in _start_of(folder, name))
    }


def _of_one_name(names: Iterable[str], suffixes: Mapping[str, int]) -> dict[str, list[str]]:
    """Names with one of ``suffixes`` by what stands before it, where there are several."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if _suffix(name) in suffixes:
            groups.setdefault(os.path.splitext(name)[0].lower(), []).append(name)  # noqa: PTH122
    return {stem: group for stem, group in groups.items() if len(group) > 1}


def _are_one(folder: str, first: str, other: str) -> bool:
    is_raw = _RANK[_suffix(other)] == _RAW_RANK
    if is_raw and _written_at_once(folder, first, other):
        return True
    times = [set(_EXIF_TIME.findall(_start_of(folder, name))) for name in (first, other)]
    if all(times):
        return bool(times[0] & times[1])
    return is_raw


def _written_at_once(folder: str, first: str, other: str) -> bool:
    try:
        times = [os.stat(os.path.join(folder, name)).st_mtime for name in (first, other)]  # noqa: PTH116, PTH118
    except OSError:
        return False
    return abs(times[0] - times[1]) <= _AT_ONCE


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _start_of(folder: str, name: str) -> bytes:
    """The first bytes of a file, b"" where it cannot be read."""
    return _bytes_of(folder, name, 0)


def _end_of(folder: str, name: str) -> bytes:
    """The last bytes of a file, b"" where it cannot be read."""
    return _bytes_of(folder, name, -_LOOKED_AT)


def _bytes_of(folder: str, name: str, start: int) -> bytes:
    """Bytes from ``start``, which is counted from the end where it is negative."""
    try:
        with open_plain(Path(folder, name)) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size + start if start < 0 else start))
            return file.read(_LOOKED_AT)
    except (OSError, PhotoError):
        return b""
