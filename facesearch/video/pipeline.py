"""The tracks of a video: frames decoded, faces found by threads, followed in order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from facesearch.encoders import thresholds_of
from facesearch.engine import DECODE_SIDE, FaceEngine
from facesearch.errors import PhotoError
from facesearch.video.checkpoint import VideoCheckpoints, VideoProgress
from facesearch.video.reader import open_video
from facesearch.video.track import FaceSighting, VideoTrack, sightings
from facesearch.video.tracker import FaceTracker, ForgottenFace
from facesearch.video.types import (
    DEFAULT_VIDEO_LIMITS,
    VideoEnd,
    VideoFrame,
    VideoInfo,
    VideoLimits,
)
from facesearch.video_files import VideoMode

logger = logging.getLogger(__name__)

_BATCH_FRAMES = 8  # that a thread takes at once
_BETWEEN_CHECKPOINTS = 512  # frames looked at
# Why a video cannot be read on, where what was read of it is kept.
_ENDS = frozenset(("corrupt", "timeout", "too-large", "truncated"))

Batch = list[VideoFrame | VideoEnd]
Found = list[tuple[VideoFrame | VideoEnd, list[FaceSighting]]]


@dataclass(frozen=True)
class VideoReading:
    """How a video is read; none of it changes the tracks, but ``mode``.

    ``threads`` detect and encode; ``decoders`` threads of another process decode (0: of this one).
    """

    mode: VideoMode = "tracks"
    threads: int = 2
    decoders: int = 1
    timeout: float = 60.0
    limits: VideoLimits = DEFAULT_VIDEO_LIMITS
    between_checkpoints: int = _BETWEEN_CHECKPOINTS


@dataclass(frozen=True)
class VideoFaces:
    """The ``tracks`` of a video, in the order in which they ended; ``frames`` were looked at.

    ``end`` says how far it could be read, and what was wrong with it; ``mode`` how it was read.
    """

    info: VideoInfo
    tracks: tuple[VideoTrack, ...]
    frames: int
    end: VideoEnd
    mode: VideoMode = "tracks"


def video_faces(
    engine: FaceEngine,
    path: Path,
    reading: VideoReading = VideoReading(),
    *,
    checkpoints: VideoCheckpoints | None = None,
    forgotten: Sequence[ForgottenFace] = (),
    progress: Callable[[int, int], None] = lambda time_us, duration_us: None,
) -> VideoFaces:
    """Follow the faces of the video at ``path``; memory holds a few frames, whatever its length.

    ``checkpoints`` are gone on from, and written. ``progress`` gets the time that was reached, and
    the length that the file declares, in microseconds. Where the video cannot be read on, its end
    says why; raises PhotoError where it cannot be read at all, and for faults of this program.
    """
    checkpoints = VideoCheckpoints(None) if checkpoints is None else checkpoints
    before = checkpoints.load()
    by_key = reading.mode == "keyframes"
    tracker = FaceTracker(
        thresholds_of(engine.contract).verification,
        most_missed=1 if by_key else 5,
        least_faces=1 if by_key else 2,
        forgotten=forgotten,
        open=before.open,
    )
    tracks, kept, frames, saved = before.tracks, len(before.tracks), before.frames, before.frames
    with open_video(
        path,
        timeout=reading.timeout,
        threads=max(1, reading.decoders),
        in_process=reading.decoders > 0,
        limits=reading.limits,
    ) as video:
        series = _ended(video.frames(reading.mode, DECODE_SIDE, before.after_us), before)
        end = VideoEnd(0, 0)
        for each, faces in _worked_on(engine, series, video.info.width, reading.threads):
            if isinstance(each, VideoEnd):
                end = each
                break
            tracks += tracker.step(each.time_us, faces, cut=each.cut)
            frames += 1
            progress(each.time_us, video.info.duration_us)
            if frames - saved >= reading.between_checkpoints:
                checkpoints.save(
                    each.time_us, frames, tracks[kept:], tracker.open, engine.contract.dimension
                )
                kept, saved = len(tracks), frames
        tracks += tracker.finish()
        return VideoFaces(video.info, tuple(tracks), frames, end, reading.mode)


def _ended(
    series: Iterator[VideoFrame | VideoEnd], before: VideoProgress
) -> Iterator[VideoFrame | VideoEnd]:
    """A series that ends where its video cannot be read on, if there were frames until then."""
    frames, last = before.frames, before.after_us
    try:
        for each in series:
            if isinstance(each, VideoFrame):
                frames, last = frames + 1, each.time_us
            yield each
    except PhotoError as error:
        if not frames or error.reason not in _ENDS:
            raise
        yield VideoEnd(frames, last, error.reason, error.detail)


def _worked_on(
    engine: FaceEngine, series: Iterator[VideoFrame | VideoEnd], width: int, threads: int
) -> Iterator[tuple[VideoFrame | VideoEnd, list[FaceSighting]]]:
    """Each of a series with the faces found in it, in order; one thread reads, others work on."""
    waiting: deque[Future[Found]] = deque()

    def read() -> Batch:
        return list(islice(series, _BATCH_FRAMES))

    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(threads) as workers:
        coming = reader.submit(read)
        while batch := coming.result():
            coming = reader.submit(read)
            waiting.append(workers.submit(_found, engine, batch, width))
            if len(waiting) > threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _found(engine: FaceEngine, batch: Batch, width: int) -> Found:
    frames = [each for each in batch if isinstance(each, VideoFrame)]
    try:
        faces = iter(engine.faces([each.pixels for each in frames], in_tiles=False))
    except Exception as error:
        logger.exception("cannot process a frame at %d microseconds", frames[0].time_us)
        raise PhotoError("internal", f"{type(error).__name__}: {error}") from error
    return [
        (each, sightings(each.time_us, next(faces), each.pixels.shape[1] / width))
        if isinstance(each, VideoFrame)
        else (each, [])
        for each in batch
    ]
