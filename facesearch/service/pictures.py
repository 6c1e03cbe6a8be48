"""Photos decoded in worker processes, and the small pictures that are cut from them and kept.

Pictures are kept in the gallery's folder ``pictures``, which forgetting faces removes whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import logging
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from facesearch.erasure.forget import PICTURES
from facesearch.errors import PhotoError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.tombstones import FILE as TOMBSTONES
from facesearch.images.decode import DecodeLimits
from facesearch.images.types import DecodedPhoto
from facesearch.images.worker_process import WorkerLostError, WorkerProcess
from facesearch.report.crop_images import CROP_MARGIN, crop_square
from indexer.storage.atomic_files import make_folder, open_lock, write_atomically
from indexer.storage.plain_files import read_plain

logger = logging.getLogger(__name__)

Box = tuple[float, float, float, float]
CROP_SIDES = (160, 320)
THUMBNAIL_SIDES = (320, 640, 1600)
JPEG_QUALITY = 82
_MOST_BYTES = 4 << 20  # of one kept picture
# Photos are decoded no larger than their pictures need, in sizes that JPEGs decode fast to.
_DECODE_SIDES = (1024, 2048, 4096)
_SECONDS = 30.0


class PhotoDecoders:
    """Processes that decode photos, each within ``limits``; started when they are needed."""

    def __init__(self, count: int, limits: DecodeLimits, seconds: float = _SECONDS) -> None:
        self._limits = limits
        self._seconds = seconds
        self._idle: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        self._closed = False
        for _ in range(count):
            self._idle.put(None)

    def decode(self, photo: Path, max_side: int | None) -> tuple[DecodedPhoto, str]:
        """The photo and the SHA-256 of its file; raises PhotoError as a job would note it."""
        process = self._idle.get()
        try:
            if process is not None and process.is_gone():
                process.close()
                process = None
            if process is None:
                process = WorkerProcess(self._limits, self._seconds)
                process.wait_ready()
            reading = process.read(photo, frozenset(), max_side)
        except WorkerLostError as lost:
            if process is not None:
                process.close()
            process = None
            raise PhotoError("timeout", str(lost)) from lost
        except BaseException:
            if process is not None:
                process.close()
            process = None
            raise
        finally:
            if self._closed and process is not None:
                process.close()
                process = None
            self._idle.put(process)
        if reading.photo is None:
            raise PhotoError(reading.reason, reading.detail)
        return reading.photo, reading.sha256

    def close(self) -> None:
        """End the processes that are idle; the others end with what they do."""
        self._closed = True
        with suppress(queue.Empty):
            while True:
                process = self._idle.get_nowait()
                if process is not None:
                    process.close()


@dataclass(frozen=True)
class PictureCache:
    """Kept pictures of one gallery, ``most_bytes`` of them at most, the oldest removed first."""

    gallery: Gallery
    most_bytes: int

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.gallery.folder / PICTURES

    def get(self, name: str) -> bytes | None:
        """A kept picture, or None."""
        try:
            return read_plain(self._place(name), _MOST_BYTES) or None
        except OSError:
            return None

    def put(self, name: str, data: bytes, forgotten: tuple[int, int] | None) -> None:
        """Keep a picture, unless faces were forgotten since :meth:`stamp` gave ``forgotten``."""
        try:
            with self._unless_erasing() as free:
                if free and self.stamp() == forgotten:
                    make_folder(self.folder)
                    make_folder(self._place(name).parent)
                    write_atomically(self._place(name), data, durable=False)
        except OSError as error:
            logger.warning("a picture was not kept: %s", error)

    def stamp(self) -> tuple[int, int] | None:
        """Another one whenever faces were forgotten."""
        try:
            found = (self.gallery.folder / TOMBSTONES).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def prune(self) -> None:
        """Remove the oldest pictures, until there are fewer than three quarters of what may be."""
        found = []
        for path in self.folder.glob("*/*.jpg"):
            with suppress(OSError):
                status = path.lstat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self.most_bytes:
            return
        for _, size, path in sorted(found):
            with suppress(OSError):
                path.unlink()
                total -= size
            if total <= self.most_bytes * 3 // 4:
                return

    def _place(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.jpg"

    @contextmanager
    def _unless_erasing(self) -> Iterator[bool]:
        """Whether nobody forgets faces, and until the end nobody begins to."""
        with open_lock(self.gallery.folder / "presenting") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


class PicturePruner:
    """Prunes caches now and then, in whichever thread has just kept a picture."""

    def __init__(self, every: int = 2000) -> None:
        self._every = every
        self._count = 0
        self._lock = threading.Lock()

    def kept(self, cache: PictureCache) -> None:
        """One more picture is kept."""
        with self._lock:
            self._count += 1
            due = self._count % self._every == 1
        if due:
            cache.prune()


def picture_name(*parts: object) -> str:
    """A name for what a picture shows: equal for equal parts."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:40]


def crop_name(sha256: str, box: Box, side: int, still_us: int = -1) -> str:
    """The name of the crop of ``side`` pixels of a face, of a video's at the time of its still."""
    edges = " ".join(f"{edge:.3f}" for edge in box)
    return picture_name("crop", sha256, edges, side, CROP_MARGIN, JPEG_QUALITY, *_time(still_us))


def thumbnail_name(sha256: str, side: int, still_us: int = -1) -> str:
    """The name of the picture of a whole photo or still, at most ``side`` pixels long."""
    return picture_name("thumbnail", sha256, side, JPEG_QUALITY, *_time(still_us))


def original_name(sha256: str) -> str:
    """The name of a photo's file as it is."""
    return picture_name("original", sha256)


def _time(still_us: int) -> tuple[int, ...]:
    return () if still_us < 0 else (still_us,)


def decode_side(box: Box, size: tuple[int, int], side: int) -> int | None:
    """The smallest decoding size that loses nothing a crop of ``side`` pixels shows."""
    left, _, right, _ = crop_square(box, size)
    needed = max(size) * side / max(1.0, right - left)
    return next((each for each in _DECODE_SIDES if each >= needed), None)


def cut_square(photo: DecodedPhoto, box: Box, side: int) -> bytes:
    """The JPEG of the face at ``box`` with its margin, ``side`` pixels square or what there is."""
    height, width = photo.pixels.shape[:2]
    across, down = width / photo.width, height / photo.height
    left, top, right, bottom = crop_square(box, (photo.width, photo.height))
    square = (
        left * across, top * down, min(right * across, width), min(bottom * down, height)
    )  # fmt: skip
    image = Image.fromarray(photo.pixels)
    cut = image.resize((side, side), Image.Resampling.LANCZOS, square, reducing_gap=3.0)
    return jpeg(cut)


def cut_thumbnail(photo: DecodedPhoto, side: int) -> bytes:
    """The JPEG of the whole photo."""
    image = Image.fromarray(photo.pixels)
    image.thumbnail((side, side))
    return jpeg(image)


def jpeg(image: Image.Image) -> bytes:
    """An image as a JPEG without anything of the photo's file but pixels."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()


def resolved_within(photo: Path, roots: list[bytes]) -> Path | None:
    """Where the file ``photo`` really lies, if it is below one of ``roots``; else None.

    A link that leads out of a folder would otherwise show any file of the machine.
    """
    try:
        place = photo.resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    folders = (Path(os.fsdecode(root)).resolve() for root in roots)
    return place if any(place.is_relative_to(folder) for folder in folders) else None
