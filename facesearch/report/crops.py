"""Face crops and previews, each photo read once, in a folder that is also the cache.

Files are named by what they show, so one that is found there is the right one, whatever was
indexed, renamed or reported to the same folder meanwhile.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from facesearch.album.model import NO_STILL, AlbumFace, FailedPhoto, Picture
from facesearch.engine import DECODE_SIDE
from facesearch.errors import PhotoError
from facesearch.images import DecodedPhoto, DecodeTask, FoundPhoto, decode_photos
from facesearch.report.crop_images import (
    CROP_SIDE,
    PREVIEW_SIDE,
    STILL_SIDE,
    crop_name,
    crop_square,
    cut_crop,
    cut_preview,
    preview_name,
)
from facesearch.report.links import needs_preview
from facesearch.video.reader import read_stills
from indexer.storage.atomic_files import make_folder, write_atomically
from indexer.storage.plain_files import require_plain

logger = logging.getLogger(__name__)

# Photos are decoded no larger than their crops need, in a few sizes so that each is one batch.
DECODE_SIDES = (1024, 2048, 4096, None)

# What to do about a photo that is not what or where it was.
ADVICE = "run facesearch index again"

Progress = Callable[[int, int], None]


@dataclass
class Pictures:
    """What lies in the report's folders: crops by face id, previews by the picture that faces are
    in (:attr:`facesearch.album.model.AlbumFace.picture`), and what failed.

    ``crops`` and ``previews`` give paths relative to the report; ``problems`` what went wrong
    with a photo since it was indexed.
    """

    crops: dict[int, str] = field(default_factory=dict)
    previews: dict[Picture, str] = field(default_factory=dict)
    problems: dict[Path, FailedPhoto] = field(default_factory=dict)


@dataclass(frozen=True)
class _CropJob:
    """One photo to read: the faces whose crops are missing and the preview to write, if any."""

    photo: Path
    faces: tuple[AlbumFace, ...]
    preview: Path | None
    size: int
    mtime_ns: int

    @property
    def stamp(self) -> str:
        """Stands in for the content of a photo whose digest is not known."""
        return f"{self.photo} {self.size} {self.mtime_ns}"

    def side(self) -> int | None:
        """The smallest of DECODE_SIDES that loses nothing the crops and the preview show."""
        needed = float(PREVIEW_SIDE if self.preview else 0)
        for face in self.faces:
            left, _, right, _ = crop_square(face.box, face.photo_size)
            needed = max(needed, max(face.photo_size) * CROP_SIDE / max(1.0, right - left))
        return next((side for side in DECODE_SIDES if side is None or side >= needed), None)


def prepare_pictures(
    faces: Iterable[AlbumFace],
    folder: Path,
    *,
    workers: int,
    progress: Progress = lambda done, total: None,
) -> Pictures:
    """Make every crop and preview that ``faces`` need and ``folder`` lacks; drop those of others.

    Photos that are gone, changed or cannot be read become ``problems``. Memory holds the few
    photos that are being decoded. ``progress`` hears of photos done and in all.
    """
    crops, previews = folder / "crops", folder / "previews"
    for place in (crops, previews):
        make_folder(place)
    pictures = Pictures()
    jobs = []
    videos = []
    for photo, of_photo in _by_photo(faces).items():
        if any(face.span for face in of_photo):
            videos.append((photo, of_photo))
            continue
        job = _plan(photo, of_photo, folder, pictures)
        if job is not None:
            jobs.append(job)
    total = len(jobs) + len(videos)
    for done, job in enumerate(_run(jobs, folder, pictures, workers), start=1):
        logger.debug("%s: %d crops", job.photo, len(job.faces))
        progress(done, total)
    for done, (video, tracks) in enumerate(videos, start=len(jobs) + 1):
        _run_video(video, tracks, folder, pictures)
        progress(done, total)
    _prune(crops, {Path(crop).name for crop in pictures.crops.values()})
    _prune(previews, {Path(preview).name for preview in pictures.previews.values()})
    return pictures


def _by_photo(faces: Iterable[AlbumFace]) -> dict[Path, list[AlbumFace]]:
    photos: dict[Path, list[AlbumFace]] = {}
    for face in faces:
        photos.setdefault(face.photo, []).append(face)
    return photos


def _plan(
    photo: Path, faces: Sequence[AlbumFace], folder: Path, pictures: Pictures
) -> _CropJob | None:
    """Note what is there already; the job for the rest, None when nothing is to be done."""
    try:
        status = photo.stat()
        preview_needed = needs_preview(photo)
    except OSError as error:
        # Crops of known content stay right; there are none named by the empty stamp.
        _take_cached(faces, "", folder, pictures)
        if _whole(folder / (name := preview_name(faces[0], ""))):
            pictures.previews[photo, NO_STILL] = name
        gone = isinstance(error, FileNotFoundError)
        detail = error.strerror or str(error)
        if gone:
            detail = _missing_detail(detail)
        _problem(pictures, photo, faces, "missing" if gone else "unreadable", detail)
        return None
    job = _CropJob(photo, tuple(faces), None, status.st_size, status.st_mtime_ns)
    missing = _take_cached(faces, job.stamp, folder, pictures)
    preview = None
    if preview_needed:
        name = preview_name(faces[0], job.stamp)
        pictures.previews[photo, NO_STILL] = name
        preview = None if _whole(folder / name) else folder / name
    if not missing and preview is None:
        return None
    # A preview wants its faces named even when their crops are all there.
    return replace(job, faces=tuple(missing or faces), preview=preview)


def _take_cached(
    faces: Sequence[AlbumFace], stamp: str, folder: Path, pictures: Pictures
) -> list[AlbumFace]:
    """Note the crops that are there already; returns the faces whose crops are not."""
    missing = []
    for face in faces:
        name = crop_name(face, stamp)
        if _whole(folder / name):
            pictures.crops[face.face_id] = name
        else:
            missing.append(face)
    return missing


def _run(
    jobs: Sequence[_CropJob], folder: Path, pictures: Pictures, workers: int
) -> Iterator[_CropJob]:
    """Decode and cut, one batch for each decoding size; yields each job when it is done."""
    for side in DECODE_SIDES:
        batch = {job.photo: job for job in jobs if job.side() == side}
        if not batch:
            continue
        tasks = (
            DecodeTask(FoundPhoto(job.photo.parent, job.photo.name, job.size, job.mtime_ns))
            for job in batch.values()
        )
        for outcome in decode_photos(tasks, workers=min(workers, len(batch)), max_side=side):
            job = batch[outcome.found.location]
            if outcome.photo is None:
                pictures.previews.pop((job.photo, NO_STILL), None)
                _problem(pictures, job.photo, job.faces, outcome.reason, outcome.detail)
            else:
                _store(job, outcome.photo, outcome.sha256, folder, pictures)
            yield job


def _store(
    job: _CropJob, photo: DecodedPhoto, sha256: str, folder: Path, pictures: Pictures
) -> None:
    """Write what ``job`` wants, of the photo of this content, unless it is no longer that photo."""
    for face in job.faces:
        change = _change(face, photo, sha256)
        if change:
            pictures.previews.pop((job.photo, NO_STILL), None)
            _problem(pictures, job.photo, job.faces, "changed", f"{change}; {ADVICE}")
            return
    for face in job.faces:
        name = crop_name(face, job.stamp)
        _write(folder / name, cut_crop(photo, face.box))
        pictures.crops[face.face_id] = name
    if job.preview is not None:
        _write(job.preview, cut_preview(photo))


def _run_video(video: Path, tracks: Sequence[AlbumFace], folder: Path, pictures: Pictures) -> None:
    """Make the crops and previews of a video's tracks that are missing, from their stills."""
    waiting: dict[int, list[AlbumFace]] = {}
    for track in tracks:
        crop, preview = crop_name(track, ""), preview_name(track, "")
        if not _whole(folder / crop) or not _whole(folder / preview):
            waiting.setdefault(track.picture[1], []).append(track)
            continue
        pictures.crops[track.face_id] = crop
        pictures.previews[track.picture] = preview
    if not waiting:
        if not video.exists():
            _problem(pictures, video, tracks, "missing", _missing_detail(os.strerror(errno.ENOENT)))
        return
    try:
        for time, still in read_stills(video, list(waiting), DECODE_SIDE):
            for track in waiting[time]:
                if still is None or (still.width, still.height) != track.photo_size:
                    detail = f"it no longer shows what it showed when indexed; {ADVICE}"
                    raise PhotoError("changed", detail)
                crop, preview = crop_name(track, ""), preview_name(track, "")
                _write(folder / crop, cut_crop(still, track.box))
                _write(folder / preview, cut_preview(still, STILL_SIDE))
                pictures.crops[track.face_id] = crop
                pictures.previews[track.picture] = preview
    except PhotoError as error:
        missing = error.reason == "unreadable" and not video.exists()
        reason = "missing" if missing else error.reason
        detail = _missing_detail(error.detail) if missing else error.detail
        _problem(pictures, video, tracks, reason, detail)


def _missing_detail(detail: str) -> str:
    return f"{detail}; if it was moved or deleted, {ADVICE}"


def _change(face: AlbumFace, photo: DecodedPhoto, sha256: str) -> str:
    """How the photo read differs from the one ``face`` was found in, "" if it does not."""
    found, expected = (photo.width, photo.height), face.photo_size
    if found != expected:
        return f"{expected[0]} x {expected[1]} pixels when indexed, now {found[0]} x {found[1]}"
    if face.sha256 not in ("", sha256):
        return "the file's content differs from what was indexed"
    return ""


def _problem(
    pictures: Pictures, photo: Path, faces: Sequence[AlbumFace], reason: str, detail: str
) -> None:
    logger.warning("%s: %s: %s", photo, reason, detail)
    pictures.problems[photo] = FailedPhoto(faces[0].name, reason, detail)


def _whole(path: Path) -> bool:
    """Whether the cached file is there; a power cut can leave an empty one behind."""
    try:
        return require_plain(path).st_size > 0
    except OSError:
        return False


def _write(path: Path, data: bytes) -> None:
    """Rename into place, without the flush to disk: thousands of those would take minutes, and
    a crop that is lost is cut again."""
    write_atomically(path, data, durable=False)


def _prune(folder: Path, keep: set[str]) -> None:
    """Remove crops of faces no longer in the album: deleting a face removes its picture too."""
    for path in folder.iterdir():
        if path.name not in keep and (path.is_symlink() or path.is_file()):
            path.unlink()
