"""Videos of the batch job: each read to tracks, resumable within a file."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from facesearch.engine import DECODE_SIDE, FaceEngine
from facesearch.errors import PhotoError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.tombstones import Tombstones
from facesearch.images import DecodeOutcome, FoundPhoto, sha256_of
from facesearch.images.file_access import irregular, refusal
from facesearch.images.types import kept_time_ns
from facesearch.video.checkpoint import VideoCheckpoints
from facesearch.video.pipeline import VideoFaces, VideoReading, video_faces
from facesearch.video.tracker import ForgottenFace
from facesearch.video.types import SAMPLE_US

logger = logging.getLogger(__name__)

# Unfinished videos, in the gallery's folder.
FOLDER = "videos"
_VERSION = 2  # of how tracks are made; checkpoints of another are of no use
_KEY_DIGITS = 16


@dataclass(frozen=True)
class VideoOutcome:
    """What came of one video: ``outcome`` as of a photo, without pixels, and ``faces`` if it was
    read; ``checkpoints`` are to be removed when these are stored."""

    outcome: DecodeOutcome
    faces: VideoFaces | None = None
    checkpoints: VideoCheckpoints | None = None


class VideoReader:
    """Reads the videos of one job; with ``resumable`` one that is killed can be gone on with."""

    def __init__(
        self,
        gallery: Gallery,
        engine: FaceEngine,
        reading: VideoReading,
        forgotten: Tombstones,
        is_known: Callable[[str], bool],
        *,
        resumable: bool = True,
    ) -> None:
        self._folder = gallery.folder / FOLDER if resumable else None
        self._engine = engine
        self._reading = reading
        self._forgotten = forgotten
        self._is_known = is_known

    def read(self, found: FoundPhoto, progress: Callable[[int, int], None]) -> VideoOutcome:
        """One video; whatever is wrong with it is in the outcome.

        ``progress`` gets the time reached and the length, in microseconds.
        """
        outcome = DecodeOutcome(found, "", None, False, "", "")
        if found.error:
            return VideoOutcome(replace(outcome, reason="unreadable", detail=found.error))
        try:
            sha256 = sha256_of(found.location)
            outcome = replace(outcome, sha256=sha256)
            if self._is_known(sha256):
                return VideoOutcome(replace(outcome, known=True))
            checkpoints = self._checkpoints(sha256)
            faces = video_faces(
                self._engine,
                found.location,
                self._reading,
                checkpoints=checkpoints,
                forgotten=self._faces_to_forget(sha256),
                progress=progress,
            )
            _require_unchanged(found)
        except PhotoError as error:
            return VideoOutcome(replace(outcome, reason=error.reason, detail=error.detail))
        return VideoOutcome(outcome, faces, checkpoints)

    def _faces_to_forget(self, sha256: str) -> list[ForgottenFace]:
        boxes, times = self._forgotten.boxes_of(sha256), self._forgotten.times_of(sha256)
        return [
            ForgottenFace(int(time), box)
            for time, box in zip(times.tolist(), boxes, strict=True)
            if time >= 0
        ]

    def _checkpoints(self, sha256: str) -> VideoCheckpoints:
        """Those of a video as it is read in this job; with them go those of other jobs."""
        if self._folder is None:
            return VideoCheckpoints(None)
        video = sha256[:_KEY_DIGITS]
        folder = self._folder / f"{video}-{self._key()}"
        others = [each for each in self._folder.glob(f"{video}-*") if each != folder]
        return VideoCheckpoints(folder, others)

    def _key(self) -> str:
        """Names what decides, beside the video, which tracks are made."""
        basis = [
            _VERSION,
            asdict(self._engine.contract),
            dict(self._engine.settings),
            self._reading.mode,
            SAMPLE_US,
            DECODE_SIDE,
        ]
        return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()[:_KEY_DIGITS]


def remove_unfinished(gallery: Gallery) -> bool:
    """Remove the checkpoints of all videos; whether there were any."""
    folder = gallery.folder / FOLDER
    if folder.is_symlink():
        folder.unlink()
        return True
    there = folder.is_dir()
    shutil.rmtree(folder, ignore_errors=True)
    return there


def _require_unchanged(found: FoundPhoto) -> None:
    """What was read must be what was hashed: a file that still grows has no content yet."""
    try:
        status = found.location.stat()
    except OSError as error:
        raise PhotoError("unreadable", refusal(error)) from error
    if problem := irregular(status.st_mode):
        raise PhotoError("unreadable", problem)
    if (status.st_size, kept_time_ns(status.st_mtime_ns)) != (found.size, found.mtime_ns):
        raise PhotoError("unreadable", "the file changed while it was read")
