"""Cutting face crops and previews, each photo read once, into a folder that is also the cache.

A face id is never used twice, so a crop named by it stays right for as long as the face exists.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from facesearch.album import AlbumFace, FailedPhoto
from facesearch.images import DecodedPhoto, DecodeTask, FoundPhoto, decode_photos
from facesearch.report.links import needs_preview

logger = logging.getLogger(__name__)

CROP_SIDE = 160
CROP_MARGIN = 0.35  # of the face's longer side, on each of the four sides
CROP_QUALITY = 80
PREVIEW_SIDE = 2048
PREVIEW_QUALITY = 85

# Photos are decoded no larger than their crops need, in a few sizes so that each is one batch.
DECODE_SIDES = (1024, 2048, 4096, None)

Box = tuple[float, float, float, float]
Progress = Callable[[int, int], None]


@dataclass
class Pictures:
    """What lies in the report's folders: ids with a crop, previews by photo, and what failed.

    ``previews`` gives the preview's path relative to the report; ``problems`` what went wrong
    with a photo since it was indexed.
    """

    crops: set[int] = field(default_factory=set)
    previews: dict[Path, str] = field(default_factory=dict)
    problems: dict[Path, FailedPhoto] = field(default_factory=dict)


@dataclass(frozen=True)
class _Job:
    """One photo to read: the faces whose crops are missing and the preview to write, if any."""

    photo: Path
    faces: tuple[AlbumFace, ...]
    preview: Path | None
    size: int
    mtime_ns: int

    def side(self) -> int | None:
        """The smallest of DECODE_SIDES that loses nothing the crops and the preview show."""
        needed = float(PREVIEW_SIDE if self.preview else 0)
        for face in self.faces:
            left, _, right, _ = crop_square(face.box, face.photo_size)
            needed = max(needed, max(face.photo_size) * CROP_SIDE / max(1.0, right - left))
        return next((side for side in DECODE_SIDES if side is None or side >= needed), None)


def crop_square(box: Box, size: tuple[int, int]) -> Box:
    """The square around ``box`` with its margin, moved and shrunk to lie inside the photo.

    ``box`` is x0, y0, x1, y1 and may reach beyond the photo of ``size`` (width, height).
    """
    x0, y0, x1, y1 = box
    side = min((1.0 + 2.0 * CROP_MARGIN) * max(x1 - x0, y1 - y0, 1.0), *size)
    left = min(max((x0 + x1 - side) / 2.0, 0.0), size[0] - side)
    top = min(max((y0 + y1 - side) / 2.0, 0.0), size[1] - side)
    return left, top, left + side, top + side


def cut_crop(photo: DecodedPhoto, box: Box) -> bytes:
    """The JPEG of the face at ``box`` (pixels of the full-size photo), CROP_SIDE a side."""
    height, width = photo.pixels.shape[:2]
    across, down = width / photo.width, height / photo.height
    left, top, right, bottom = crop_square(box, (photo.width, photo.height))
    image = Image.fromarray(photo.pixels)
    square = (
        left * across,
        top * down,
        min(right * across, width),
        min(bottom * down, height),
    )
    crop = image.resize((CROP_SIDE, CROP_SIDE), Image.Resampling.LANCZOS, square, reducing_gap=3.0)
    return _jpeg(crop, CROP_QUALITY)


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
        place.mkdir(parents=True, exist_ok=True)
    pictures = Pictures()
    jobs = []
    for photo, own in _by_photo(faces).items():
        job = _plan(photo, own, folder, pictures)
        if job is not None:
            jobs.append(job)
    for done, job in enumerate(_run(jobs, crops, pictures, workers), start=1):
        logger.debug("%s: %d crops", job.photo, len(job.faces))
        progress(done, len(jobs))
    _prune(crops, {f"{face_id}.jpg" for face_id in pictures.crops})
    _prune(previews, {Path(preview).name for preview in pictures.previews.values()})
    return pictures


def crop_path(folder: Path, face_id: int) -> Path:
    """Where the crop of ``face_id`` lies below the report's folder."""
    return folder / "crops" / f"{face_id}.jpg"


def _by_photo(faces: Iterable[AlbumFace]) -> dict[Path, list[AlbumFace]]:
    photos: dict[Path, list[AlbumFace]] = {}
    for face in faces:
        photos.setdefault(face.photo, []).append(face)
    return photos


def _plan(photo: Path, faces: Sequence[AlbumFace], folder: Path, pictures: Pictures) -> _Job | None:
    """Note what is there already; the job for the rest, None when nothing is to be done."""
    missing = []
    for face in faces:
        if _whole(crop_path(folder, face.face_id)):
            pictures.crops.add(face.face_id)
        else:
            missing.append(face)
    try:
        status = photo.stat()
        preview_needed = needs_preview(photo)
    except OSError as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
        _problem(pictures, photo, faces, reason, error.strerror or str(error))
        return None
    preview = None
    if preview_needed:
        # The least id names the photo as surely as the photo's own number would.
        name = f"previews/{min(face.face_id for face in faces)}.jpg"
        pictures.previews[photo] = name
        preview = None if _whole(folder / name) else folder / name
    if not missing and preview is None:
        return None
    # A preview wants its faces named even when their crops are all there.
    return _Job(photo, tuple(missing or faces), preview, status.st_size, status.st_mtime_ns)


def _run(jobs: Sequence[_Job], crops: Path, pictures: Pictures, workers: int) -> Iterator[_Job]:
    """Decode and cut, one batch for each decoding size; yields each job when it is done."""
    for side in DECODE_SIDES:
        batch = {job.photo: job for job in jobs if job.side() == side}
        if not batch:
            continue
        tasks = (
            DecodeTask(FoundPhoto(job.photo.parent, Path(job.photo.name), job.size, job.mtime_ns))
            for job in batch.values()
        )
        for outcome in decode_photos(tasks, workers=min(workers, len(batch)), max_side=side):
            job = batch[outcome.found.location]
            if outcome.photo is None:
                pictures.previews.pop(job.photo, None)
                _problem(pictures, job.photo, job.faces, outcome.reason, outcome.detail)
            else:
                _store(job, outcome.photo, crops, pictures)
            yield job


def _store(job: _Job, photo: DecodedPhoto, crops: Path, pictures: Pictures) -> None:
    found, expected = (photo.width, photo.height), job.faces[0].photo_size
    if found != expected:
        detail = f"{expected[0]} x {expected[1]} pixels when indexed, now {found[0]} x {found[1]}"
        _problem(pictures, job.photo, job.faces, "changed", detail)
    else:
        for face in job.faces:
            _write(crops / f"{face.face_id}.jpg", cut_crop(photo, face.box))
            pictures.crops.add(face.face_id)
    if job.preview is not None:
        image = Image.fromarray(photo.pixels)
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        _write(job.preview, _jpeg(image, PREVIEW_QUALITY))


def _problem(
    pictures: Pictures, photo: Path, faces: Sequence[AlbumFace], reason: str, detail: str
) -> None:
    logger.warning("%s: %s: %s", photo, reason, detail)
    pictures.problems[photo] = FailedPhoto(faces[0].name, reason, detail)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality, optimize=True)
    return data.getvalue()


def _whole(path: Path) -> bool:
    """Whether the cached file is there; a power cut can leave an empty one behind."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _write(path: Path, data: bytes) -> None:
    """Rename into place, without the flush to disk: thousands of those would take minutes, and
    a crop that is lost is cut again."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def _prune(folder: Path, keep: set[str]) -> None:
    """Remove crops of faces no longer in the album: deleting a face removes its picture too."""
    for path in folder.iterdir():
        if path.name not in keep and path.is_file():
            path.unlink()
