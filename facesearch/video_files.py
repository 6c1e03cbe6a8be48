"""Which files are videos: by their names where a folder is walked, by their first bytes before they
are opened; and how closely they are looked at."""

from __future__ import annotations

from typing import Literal

# "tracks": a frame every so often is looked at. "keyframes": only frames that are coded by
# themselves, which come every few seconds and cost little.
VideoMode = Literal["off", "keyframes", "tracks"]
VIDEO_MODES: tuple[VideoMode, ...] = ("off", "keyframes", "tracks")

# Bytes that video_container() wants to see: three packets of an MPEG transport stream.
VIDEO_HEAD_BYTES = 512

# Names under which videos are kept, lower case. Not ".ts", which is mostly a program's source.
VIDEO_EXTENSIONS = frozenset(
    (
        ".3g2",
        ".3gp",
        ".avi",
        ".flv",
        ".m2ts",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".ogv",
        ".qt",
        ".vob",
        ".webm",
        ".wmv",
    )
)
# Sound in the containers of videos.
SOUND_EXTENSIONS = frozenset((".aac", ".m4a", ".m4b", ".m4p", ".mka", ".weba", ".wma"))

_PREFIXES = (
    (b"\x1aE\xdf\xa3", "matroska"),  # also WebM
    (b"\x00\x00\x01\xba", "mpeg"),  # also VOB
    (b"FLV\x01", "flv"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", "mxf"),  # SMPTE ST 377-1, section 6.1
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
)
# The first boxes of QuickTime files from before there was ``ftyp``.
_OLD_BOXES = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
# Files of the same family that are no videos: sound, Canon's raw files, and images.
_OTHER_BRANDS = frozenset(
    b"M4A |M4B |M4P |F4A |F4B |crx |jp2 |jpx |jpm |jxl |avif|avis|mif1|msf1|"
    b"heic|heix|heim|heis|hevc|hevx|hevm|hevs".split(b"|")
)
# How the first packets of pictures begin in Ogg (RFC 3533), which mostly holds sound: the first
# pages of all its streams come before everything else.
_PICTURES_IN_OGG = (b"\x80theora", b"\x01video\0", b"\x4fVP80", b"BBCD\0")
_PACKET = 188  # of an MPEG transport stream (ISO/IEC 13818-1), in M2TS files after four bytes
_SYNC = 0x47


def video_container(head: bytes) -> str | None:
    """The container (FFmpeg's name of its reader: mov, matroska, avi, ...) of a video, or None."""
    for prefix, container in _PREFIXES:
        if head.startswith(prefix):
            return container
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == b"OggS":
        return "ogg" if any(each in head for each in _PICTURES_IN_OGG) else None
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _OTHER_BRANDS else "mov"
    if head[4:8] in _OLD_BOXES:
        return "mov"
    return "mpegts" if _is_transport_stream(head) else None


def _is_transport_stream(head: bytes) -> bool:
    return any(
        len(head) > start + 2 * step
        and head[start] == head[start + step] == head[start + 2 * step] == _SYNC
        for start, step in ((0, _PACKET), (4, _PACKET + 4))
    )
