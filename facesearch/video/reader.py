"""Opening a video to be read: in a process within limits, or in this one."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from facesearch.errors import PhotoError
from facesearch.images.file_access import open_plain
from facesearch.images.types import DecodedPhoto
from facesearch.video.process import VideoProcess
from facesearch.video.source import VideoSource, open_source
from facesearch.video.types import DEFAULT_VIDEO_LIMITS, VideoLimits
from facesearch.video_files import VIDEO_HEAD_BYTES, video_container

MISSING = "videos are read by PyAV, which is not installed: pip install 'facesearch[video]'"

AnyVideo = VideoProcess | VideoSource


def can_read_videos() -> bool:
    """Whether PyAV is installed; nothing is loaded."""
    return importlib.util.find_spec("av") is not None


def is_video(path: Path) -> bool:
    """Whether the first bytes of a file are those of a video; not of one that cannot be read."""
    try:
        with open_plain(path) as file:
            return video_container(file.read(VIDEO_HEAD_BYTES)) is not None
    except (PhotoError, OSError):
        return False


@contextmanager
def open_video(
    path: Path,
    *,
    timeout: float = 60.0,
    threads: int = 1,
    in_process: bool = True,
    limits: VideoLimits = DEFAULT_VIDEO_LIMITS,
) -> Iterator[AnyVideo]:
    """The video at ``path``, in a process of its file's, within ``limits``, or not ``in_process``.

    ``timeout`` is in seconds a frame that is asked for, ``threads`` how many decode. Raises
    PhotoError for what is wrong with the file, here or while it is read, and where PyAV is missing.
    """
    if not can_read_videos():
        raise PhotoError("unsupported", MISSING)
    video: AnyVideo
    if in_process:
        video = VideoProcess(path, limits, timeout=timeout, threads=threads)
    else:
        video = open_source(path, limits, threads=threads)
    try:
        yield video
    finally:
        video.close()


def read_stills(
    path: Path, times_us: Sequence[int], max_side: int | None, *, timeout: float = 60.0
) -> Iterator[tuple[int, DecodedPhoto | None]]:
    """The frames of a video shown at ``times_us``, in ascending order, each once, as photos.

    None where it shows none at exactly that time. Raises PhotoError as :func:`open_video` does.
    """
    with open_video(path, timeout=timeout) as video:
        info = video.info
        for time, frame in video.stills(sorted(set(times_us)), max_side):
            shown = None
            if frame is not None:
                shown = DecodedPhoto(frame.pixels, info.width, info.height, info.taken_at)
            yield time, shown
