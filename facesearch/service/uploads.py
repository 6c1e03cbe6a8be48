"""Photos that are sent: in a file for as long as they are looked at, decoded in a process apart."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from fastapi import UploadFile

from facesearch.engine import DECODE_SIDE
from facesearch.errors import PhotoError
from facesearch.images import DecodedPhoto, FoundPhoto
from facesearch.images.sniff import HEAD_BYTES, sniff
from facesearch.images.walk.file_kinds import is_photo_name, reader_of
from facesearch.recognition.identify import Probe, probe_of_faces
from facesearch.service.face_service import FaceService
from facesearch.service.server.problems import ProblemError
from facesearch.service.views.served_gallery import ServedGallery
from facesearch.video_files import VIDEO_HEAD_BYTES, video_container
from indexer.storage.atomic_files import make_folder

_PIECE = 1 << 20


class VideoUploadError(PhotoError):
    """A video was sent: looking through one takes longer than a request may."""

    def __init__(self) -> None:
        super().__init__(
            "unsupported",
            "it is a video, and photos are expected here; index the video, or ask about it by the "
            "commands facesearch identify and facesearch search, which take videos",
        )


@contextmanager
def stored_upload(service: FaceService, upload: UploadFile) -> Iterator[Path]:
    """The bytes of ``upload`` in a file by itself, which is removed afterwards.

    Raises PhotoError for a video, and for more bytes than are allowed.
    """
    _require_no_video(upload.file)
    folder = service.options.state / "uploads"
    make_folder(folder)
    descriptor, name = tempfile.mkstemp(suffix=_suffix_of(upload), dir=folder)
    try:
        limit = service.options.upload_limits.file_bytes
        with os.fdopen(descriptor, "wb") as out:
            _copy(upload.file, out, limit)
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def remove_left_uploads(state: Path) -> None:
    """Remove what a service that was killed left behind."""
    shutil.rmtree(state / "uploads", ignore_errors=True)


def probe_of_upload(service: FaceService, served: ServedGallery, upload: UploadFile) -> Probe:
    """The faces of a photo that was sent; raises PhotoError where it cannot be used."""
    with stored_upload(service, upload) as path:
        decoded, _ = service.uploads.decode(path, DECODE_SIDE)
    return _probe(service, served, decoded)


def probe_of_file(service: FaceService, served: ServedGallery, found: FoundPhoto) -> Probe:
    """The faces of a photo on this machine; raises PhotoError where it cannot be used."""
    if found.error:
        raise PhotoError("unreadable", found.error)
    if found.video:
        raise VideoUploadError
    decoded, _ = service.photos.decode(found.location, DECODE_SIDE)
    return _probe(service, served, decoded)


def _probe(service: FaceService, served: ServedGallery, decoded: DecodedPhoto) -> Probe:
    engine = served.engine
    with service.engine_turns:
        (faces,) = engine.faces([decoded.pixels])
    return probe_of_faces(Path("the photo"), faces, decoded.scale)


def kept_upload_folder(served: ServedGallery) -> Path:
    """A new folder beside the gallery for photos that are to stay."""
    parent = served.folder.resolve()
    base = parent.with_name(f"{parent.name.removesuffix('.gallery')}.enrolled")
    make_folder(base)
    folder = base / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    make_folder(folder)
    return folder


def keep_upload(service: FaceService, folder: Path, upload: UploadFile) -> Path:
    """The photo that was sent as a new file in ``folder``, once it was seen to be one.

    Raises ProblemError where it cannot be used.
    """
    try:
        with stored_upload(service, upload) as path:
            service.uploads.decode(path, DECODE_SIDE)
            kind = sniff(path.read_bytes()[:HEAD_BYTES]) or "JPEG"
            suffix = path.suffix if reader_of(path.suffix) else f".{kind.lower()}"
            place = folder / f"{len(list(folder.iterdir())):03d}{suffix}"
            shutil.copyfile(path, place)
    except PhotoError as error:
        raise unusable(error) from error
    return place


def unusable(error: PhotoError) -> ProblemError:
    """The answer to a photo that cannot be used."""
    status, code = 422, "unreadable-photo"
    if error.reason == "too-large":
        status, code = 413, "too-large"
    elif isinstance(error, VideoUploadError):
        status, code = 415, "video"
    return ProblemError(
        status,
        code,
        f"The photo cannot be used: {error}.",
        "Send another photo.",
        {"reason": error.reason},
    )


def _suffix_of(upload: UploadFile) -> str:
    """The ending of its name, if photos are called so: it tells raw files from TIFFs."""
    suffix = Path(upload.filename or "").suffix.lower()
    return suffix if is_photo_name(suffix) else ""


def _require_no_video(file: BinaryIO) -> None:
    head = file.read(VIDEO_HEAD_BYTES)
    file.seek(0)
    if sniff(head) is None and video_container(head) is not None:
        raise VideoUploadError


def _copy(source: BinaryIO, target: BinaryIO, limit: int) -> None:
    total = 0
    while piece := source.read(_PIECE):
        total += len(piece)
        if total > limit:
            raise PhotoError("too-large", f"the limit is {limit:,} bytes a photo")
        target.write(piece)
