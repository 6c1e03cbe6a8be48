"""Files of photos that were indexed: where they lie, whether they changed, and what is in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facesearch.errors import PhotoError
from facesearch.images.sniff import HEAD_BYTES, sniff
from facesearch.images.types import DecodedPhoto, kept_time_ns
from facesearch.service.face_service import FaceService
from facesearch.service.pictures import resolved_within
from facesearch.service.server.problems import ProblemError
from facesearch.service.views.snapshot import GallerySnapshot
from facesearch.video_files import VIDEO_HEAD_BYTES, video_container
from indexer.errors import UnsafeFileError
from indexer.storage.plain_files import open_plain

# What browsers show, by what a file begins with.
_PHOTO_TYPES = {
    "JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif",
    "BMP": "image/bmp", "AVIF": "image/avif",
}  # fmt: skip
# Of QuickTime too: browsers refuse its name, and play what is in it.
_VIDEO_TYPES = {"mov": "video/mp4", "matroska": "video/webm"}


@dataclass(frozen=True)
class OriginalFile:
    """The file of a photo or video, open at its start; whoever has it closes it."""

    file: BinaryIO
    size: int
    media_type: str


def opened_original(snapshot: GallerySnapshot, row: int) -> OriginalFile:
    """The file in a row, if it is what was indexed, and browsers can show it.

    It is looked at when it is open, so that nothing else can take its place: raises ProblemError
    for a file that was changed, or replaced by a link or a pipe.
    """
    record, place = snapshot.photos.record(row), place_of_photo(snapshot, row)
    try:
        file = open_plain(place)
    except (FileNotFoundError, UnsafeFileError) as error:
        raise changed_photo() from error
    try:
        found = os.fstat(file.fileno())
        if (found.st_size, kept_time_ns(found.st_mtime_ns)) != (record.size, record.mtime_ns):
            raise changed_photo()
        kind = _media_type(file.read(max(HEAD_BYTES, VIDEO_HEAD_BYTES)))
        if kind is None:
            raise ProblemError(
                415,
                "unsupported-media",
                "Browsers cannot show files of this kind.",
                "Use the thumbnail.",
            )
    except BaseException:
        file.close()
        raise
    return OriginalFile(file, found.st_size, kind)


def _media_type(head: bytes) -> str | None:
    """What a file that begins so is to a browser; None for what browsers do not show."""
    photo = _PHOTO_TYPES.get(sniff(head[:HEAD_BYTES]) or "")
    return photo or _VIDEO_TYPES.get(video_container(head) or "")


def decoded_photo(
    service: FaceService, snapshot: GallerySnapshot, row: int, still_us: int, side: int | None
) -> DecodedPhoto:
    """The photo in a row, or with ``still_us`` from 0 on the still of the video there, if it is as
    it was when it was indexed. ``side`` is as in :meth:`PhotoDecoders.decode`."""
    record = snapshot.photos.record(row)
    place = place_of_photo(snapshot, row)
    try:
        if still_us < 0:
            decoded, sha256 = service.photos.decode(place, side)
            require_same_photo(record.sha256, sha256)
            return decoded
        found = place.stat()
        # The digest of a whole film is too much to ask for with every picture of it.
        if (found.st_size, kept_time_ns(found.st_mtime_ns)) != (record.size, record.mtime_ns):
            raise changed_photo()
        return service.stills.read(place, still_us, snapshot.photos.size(row))
    except PhotoError as error:
        raise ProblemError(
            422,
            "unreadable-photo",
            f"The file of this photo cannot be shown: {error}.",
            "See whether the file opens elsewhere; if it was changed, index the photos again.",
            {"reason": error.reason},
        ) from error


def place_of_photo(snapshot: GallerySnapshot, row: int) -> Path:
    """Where the file of a photo is; never outside the folders that were indexed."""
    location = snapshot.photos.record(row).location
    if not os.path.lexists(location):
        raise ProblemError(
            410, "gone", "The file of this photo is no longer there.", "Index the photos again."
        )
    place = resolved_within(location, snapshot.photos.roots)
    if place is None:
        raise ProblemError(
            403,
            "outside",
            "The file of this photo lies outside the folders of the gallery.",
            "Index the folder that it lies in.",
        )
    return place


def require_same_photo(expected: str, found: str) -> None:
    """That a file holds what it held when it was indexed, by SHA-256s."""
    if expected and expected != found:
        raise changed_photo()


def changed_photo() -> ProblemError:
    return ProblemError(
        410, "gone", "The file of this photo was changed since.", "Index the photos again."
    )
