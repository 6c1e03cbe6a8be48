"""Links from the report to photos, and which photos a browser can show as they are."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from facesearch.album.to_json import file_url
from facesearch.images.file_access import absolute, irregular
from facesearch.video.types import TimeSpan

# Suffix and signature must both be a browser's: the suffix decides what opening the link does,
# the signature what an <img> shows.
BROWSER_SUFFIXES = frozenset((".jpg", ".jpeg", ".jpe", ".png", ".gif", ".webp", ".bmp", ".avif"))
SIGNATURE_BYTES = 16
EXIF_ORIENTATION = 0x0112
UPRIGHT = 1


def photo_href(photo: Path, folder: Path) -> str:
    """The percent-encoded link from a page in ``folder`` to ``photo``, both absolute.

    Relative where the two share more than the file system's root, so that both can be moved
    together; otherwise a ``file:`` URL, which survives moving the report alone. Names are encoded
    byte for byte, so those that are not UTF-8 work too.
    """
    target, start = absolute(photo), absolute(folder)
    if target.anchor != start.anchor or target.parts[1:2] != start.parts[1:2]:
        return file_url(target)
    return quote(os.fsencode(os.path.relpath(target, start)))


def video_href(video: Path, span: TimeSpan, folder: Path) -> str:
    """The link from a page in ``folder`` that opens ``video`` where a track begins."""
    return f"{photo_href(video, folder)}#{span.fragment}"


def needs_preview(photo: Path) -> bool:
    """Whether browsers cannot show ``photo``, or would not turn it upright as its metadata asks.

    Raises OSError when the file cannot be read.
    """
    if problem := irregular(photo.stat().st_mode):  # a pipe would be waited for
        raise OSError(problem)
    with photo.open("rb") as file:
        start = file.read(SIGNATURE_BYTES)
    if photo.suffix.lower() not in BROWSER_SUFFIXES or not _browser_signature(start):
        return True
    return _turned_by_us_alone(photo)


def _browser_signature(start: bytes) -> bool:
    return (
        start.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM"))
        or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
        or (start[4:8] == b"ftyp" and start[8:12] == b"avif")
    )


def _turned_by_us_alone(photo: Path) -> bool:
    """Browsers heed the orientation that EXIF gives a JPEG; elsewhere (PNG, XMP) they differ."""
    try:
        with Image.open(photo) as image:
            orientation = image.getexif().get(EXIF_ORIENTATION, UPRIGHT)
            heeded = image.format in ("JPEG", "MPO") and "exif" in image.info
    except Exception:  # a header that Pillow cannot parse: the browser is left to try
        return False
    return orientation != UPRIGHT and not heeded
