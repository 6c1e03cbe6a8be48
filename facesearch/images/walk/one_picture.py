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
_LOOKED_AT = 1 << 18  # bytes: EXIF is at the beginning, a video's index at either end
_EXIF_TIME = re.compile(rb"(?:19|20)\d\d:\d\d:\d\d \d\d:\d\d:\d\d")
_LIVE_PHOTO = b"com.apple.quicktime.content.identifier"


def second_files(folder: str, names: Iterable[str]) -> dict[str, str]:
    """Of files in a folder those that another stands for, and the name of that other.

    A file and its raw file, or a JPEG and its HEIC, have one name but for the ending, and one time
    of capture. Raw files that state no time belong to the file of the same name.
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
        and _LIVE_PHOTO in _ends_of(folder, name)
    }


def _of_one_name(names: Iterable[str], suffixes: Mapping[str, int]) -> dict[str, list[str]]:
    """Names with one of ``suffixes`` by what stands before it, where there are several."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if _suffix(name) in suffixes:
            groups.setdefault(os.path.splitext(name)[0].lower(), []).append(name)  # noqa: PTH122
    return {stem: group for stem, group in groups.items() if len(group) > 1}


def _are_one(folder: str, first: str, other: str) -> bool:
    times = [set(_EXIF_TIME.findall(_ends_of(folder, name))) for name in (first, other)]
    if all(times):
        return bool(times[0] & times[1])
    return _RANK[_suffix(other)] == _RAW_RANK


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _ends_of(folder: str, name: str) -> bytes:
    """The first and last bytes of a file, b"" where it cannot be read."""
    try:
        with open_plain(Path(folder, name)) as file:
            start = file.read(_LOOKED_AT)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(len(start), size - _LOOKED_AT))
            return start + file.read(_LOOKED_AT)
    except (OSError, PhotoError):
        return b""
