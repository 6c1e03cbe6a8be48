"""One video file by PyAV: its frames with their times, which way is up, and stills."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import PhotoError
from facesearch.images.file_access import open_plain, refusal
from facesearch.images.formats.orientation import upright
from facesearch.video.types import MICROSECONDS, VideoInfo, VideoLimits
from facesearch.video_files import VIDEO_HEAD_BYTES, video_container

if TYPE_CHECKING:
    import av.container

Frame = Any  # av.VideoFrame; PyAV's stubs say less than is needed here

# A display matrix [[a, b], [c, d]] (ISO/IEC 14496-12, section 8.3.2.1) and the EXIF orientation
# that asks for the same: where the right (a, b) and the lower (c, d) side of the frame go.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_MOST_STRETCH = 4  # of pixels that are no squares; what says more is nonsense
_LEAST_YEAR = 1990  # cameras without a clock say 1904 or 1970
_TIMESTAMP = re.compile(r"(\d{4})-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")


class VideoContainer:
    """An open video. ``damaged`` counts packets that could not be decoded.

    Raises PhotoError for what is no video, or none that can be read. Use as a context manager.
    """

    def __init__(self, path: Path, limits: VideoLimits, *, threads: int = 1) -> None:
        self.limits = limits
        self.damaged = 0
        self._threads = threads
        self._file = open_plain(path)
        try:
            self._container = _open(self._file)
            self._stream = self._best_stream()
            self._start = self._first_time()
            first = next(self._decoded(), None)
            if first is None:
                raise PhotoError("corrupt", "no frame of it can be decoded")
            self._orientation = _orientation(first)
            self.info = self._described(first)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> VideoContainer:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        self._file.close()

    def frames(self, at_us: int = 0, *, keyframes: bool = False) -> Iterator[tuple[int, Frame]]:
        """Frames, or key frames, with ascending times, from a key frame at ``at_us`` or before.

        From the start where the file cannot be sought in. Frames of another size than the first's
        are left out, as are those that do not come after the one before.
        """
        if at_us > 0 and self._seek(at_us):
            frames = self._timed(keyframes)
            first = next(frames, None)
            if first is not None and first[0] <= at_us:
                yield first
                yield from frames
                return
        self._restart()
        yield from self._timed(keyframes)

    def _timed(self, keyframes: bool) -> Iterator[tuple[int, Frame]]:
        self._stream.codec_context.skip_frame = "NONKEY" if keyframes else "DEFAULT"
        last = -1
        for frame in self._decoded():
            time = self._time(frame, last)
            if time > self.limits.seconds * MICROSECONDS:
                raise PhotoError(
                    "too-large", f"longer than the limit of {self.limits.seconds // 3600} hours"
                )
            # Not every decoder heeds skip_frame.
            if time > last and (frame.key_frame or not keyframes):
                last = time
                yield time, frame

    def _seek(self, time_us: int) -> bool:
        """Whether going to a key frame at ``time_us`` or before succeeded."""
        import av.error  # noqa: PLC0415 - an optional extra

        seconds = Fraction(time_us, MICROSECONDS) + self._start
        target = round(seconds / (self._stream.time_base or Fraction(1, MICROSECONDS)))
        try:
            self._container.seek(max(0, target), stream=self._stream, backward=True)
        except (av.error.FFmpegError, ValueError, OverflowError):
            return False
        return True

    def _restart(self) -> None:
        """Begin again: that works where seeking does not."""
        self._container.close()
        self._container = _open(self._file)
        self._stream = self._best_stream()
        self.damaged = 0

    def pixels(self, frame: Frame, max_side: int | None) -> NDArray[np.uint8]:
        """A frame upright, RGB uint8 (h, w, 3), its long side at most ``max_side``."""
        width, height = self._shown_size(frame)
        factor = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        shown = frame.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray()
        return np.require(upright(shown, self._orientation), np.uint8, ["C", "W"])

    def _best_stream(self) -> Any:  # av.VideoStream, of which the stubs say less than is needed
        stream: Any = self._container.streams.best("video")
        if stream is None:
            raise PhotoError("unsupported", "it has no pictures, only sound or other data")
        if stream.codec_context is None:
            raise PhotoError("unsupported", "a codec that is not read")
        stream.codec_context.thread_count = self._threads
        stream.thread_type = "AUTO"
        return stream

    def _first_time(self) -> Fraction:
        """What the file calls its start, in seconds; players count from there."""
        start: int | None = self._container.start_time
        if start is not None:
            return Fraction(start, MICROSECONDS)
        begins: Fraction = self._stream.time_base * (self._stream.start_time or 0)
        return begins

    def _described(self, frame: Frame) -> VideoInfo:
        width, height = self._shown_size(frame)
        if self._orientation >= 5:
            width, height = height, width
        metadata = {**self._stream.metadata, **self._container.metadata}
        return VideoInfo(width, height, self._container.duration or 0, _taken_at(metadata))

    def _shown_size(self, frame: Frame) -> tuple[int, int]:
        """Width and height of a frame whose pixels are squares."""
        if frame.width * frame.height > self.limits.pixels:
            raise PhotoError(
                "too-large",
                f"frames of {frame.width} x {frame.height} pixels, the limit is "
                f"{self.limits.pixels} pixels",
            )
        ratio = self._stream.sample_aspect_ratio
        if not ratio or not 1 / _MOST_STRETCH <= ratio <= _MOST_STRETCH:
            ratio = Fraction(1)
        return max(1, round(frame.width * ratio)), frame.height

    def _time(self, frame: Frame, last: int) -> int:
        if frame.pts is None or frame.time_base is None:
            rate = self._stream.average_rate or 25
            return last + max(1, round(MICROSECONDS / rate))
        time: Fraction = (frame.pts * frame.time_base - self._start) * MICROSECONDS
        return round(time)

    def _decoded(self) -> Iterator[Frame]:
        """Frames of all packets but those that cannot be decoded, and then what was waiting."""
        size = None
        for decode in self._packets():
            for frame in self._frames_of(decode):
                size = size or (frame.width, frame.height)
                if (frame.width, frame.height) == size and not frame.is_corrupt:
                    yield frame

    def _packets(self) -> Iterator[Callable[[], list[Frame]]]:
        import av.error  # noqa: PLC0415 - an optional extra

        try:
            for packet in self._container.demux(self._stream):
                yield packet.decode  # the last, empty one flushes the decoder
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, ValueError):
            self.damaged += 1  # the file cannot be read on from here

    def _frames_of(self, decode: Callable[[], list[Frame]]) -> list[Frame]:
        import av.error  # noqa: PLC0415 - an optional extra

        try:
            return decode()
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, ValueError):
            self.damaged += 1
            return []


def _open(file: BinaryIO) -> av.container.InputContainer:
    """The container in ``file``; its kind is told by its first bytes, and no other is tried.

    So no playlist can name other files, or addresses, to be read.
    """
    import av  # noqa: PLC0415 - an optional extra
    import av.error  # noqa: PLC0415

    av.logging.set_level(None)
    file.seek(0)
    head = file.read(VIDEO_HEAD_BYTES)
    file.seek(0)
    if not head:
        raise PhotoError("empty", "the file has no bytes")
    kind = video_container(head)
    if kind is None:
        raise PhotoError("not-a-video", "no known video container in its first bytes")
    try:
        return av.open(file, "r", format=kind, metadata_errors="replace")
    except MemoryError:
        raise
    except OSError as error:
        if isinstance(error, av.error.FFmpegError):
            raise _refused(error, kind) from error
        raise PhotoError("unreadable", refusal(error)) from error
    except (av.error.FFmpegError, ValueError) as error:
        raise _refused(error, kind) from error


def _refused(error: Exception, kind: str) -> PhotoError:
    """Without its end an MP4 lacks the table of its frames, which is written last."""
    if kind == "mov" and "invalid data" in str(error).lower():
        return PhotoError("truncated", "the table of its frames is missing or damaged")
    return PhotoError("corrupt", f"{kind}: {str(error)[:200]}")


def _orientation(frame: Frame) -> int:
    """The EXIF orientation of a frame, of its display matrix turned to the nearest right angle."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).astype(np.float64)
            turned = np.array([[a, b], [c, d]])
            straight = abs(a) + abs(d) >= abs(b) + abs(c)
            signs = np.sign(np.where(np.eye(2) == straight, turned, 0)).astype(int)
            return _ORIENTATIONS.get(tuple(signs.ravel().tolist()), 1)
    return 1


def _taken_at(metadata: dict[str, str]) -> str:
    """When the camera says it began, with the offset from UTC that it gives; "" if unknown."""
    for key in ("com.apple.quicktime.creationdate", "creation_time", "DATE"):
        text = metadata.get(key, "").strip()
        found = _TIMESTAMP.match(text)
        if found and int(found[1]) >= _LEAST_YEAR:
            offset = _OFFSET.search(text)
            zone = "" if offset is None else offset[1].replace("Z", "+00:00")
            if zone and ":" not in zone:
                zone = f"{zone[:3]}:{zone[3:]}"
            return found[0].replace(" ", "T") + zone
    return ""
