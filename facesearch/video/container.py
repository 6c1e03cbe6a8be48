"""One video file by PyAV: its frames with their times, which way is up, and stills."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import PhotoError
from facesearch.images.file_access import open_plain, refusal
from facesearch.images.formats.orientation import upright
from facesearch.video.timeline import Timeline
from facesearch.video.types import MICROSECONDS, VideoInfo, VideoLimits
from facesearch.video_files import VIDEO_HEAD_BYTES, video_container

if TYPE_CHECKING:
    import av.container

Frame = Any  # av.VideoFrame; PyAV's stubs say less than is needed here
Packet = Any  # av.Packet

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
# Readers of containers that can be joined byte by byte, so that their times start again.
_JOINABLE = frozenset(("flv", "mpeg", "mpegts", "ogg"))
_MOST_STRETCH = 4  # of pixels that are no squares; what says more is nonsense
_LEAST_YEAR = 1990  # cameras without a clock say 1904 or 1970
_TIMESTAMP = re.compile(r"(\d{4})-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")


class VideoContainer:
    """An open video. ``damaged`` counts packets that could not be decoded, ``backward`` frames left
    out because their times go back.

    Where the times of a file start again, as those of files joined into one do, they go on here.
    Raises PhotoError for what is no video, or none that can be read. Use as a context manager.
    """

    def __init__(self, path: Path, limits: VideoLimits, *, threads: int = 1) -> None:
        self.limits = limits
        self.damaged = self.backward = 0
        self._threads = threads
        self._file = open_plain(path)
        self._keys: list[tuple[int, int]] | None = None
        try:
            self._open()
            self._start = self._first_time()
            first = next(self._decoded(), None)
            if first is None:
                raise PhotoError("corrupt", "no frame of it can be decoded")
            self._orientation = _orientation(first)
            self._size = self._shown_size(first)
            self.info = self._described()
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

        From the start where the file cannot be sought in. Frames that do not come after the one
        before are left out.
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
            if keyframes and not frame.key_frame:  # not every decoder heeds skip_frame
                continue
            self.backward += time < last
            if time > last:
                last = time
                yield time, frame

    def joined(self, before_us: int, time_us: int) -> bool:
        """Whether another file, joined to the first, begins after the frame at ``before_us`` and
        not after that at ``time_us``, both of which were read."""
        joins = (self._microseconds(each) for each in self._timeline.joins)
        return any(before_us < each <= time_us for each in joins)

    def _seek(self, time_us: int) -> bool:
        """Whether going to a key frame at ``time_us`` or before succeeded."""
        import av.error  # noqa: PLC0415 - an optional extra

        if keys := self._keys_of_joined():
            self._restart()
            self._passed_over = max((number for time, number in keys if time <= time_us), default=0)
            return True
        seconds = Fraction(time_us, MICROSECONDS) + self._start
        target = round(seconds / (self._stream.time_base or Fraction(1, MICROSECONDS)))
        try:
            self._container.seek(max(0, target), stream=self._stream, backward=True)
        except (av.error.FFmpegError, ValueError, OverflowError):
            return False
        self._begin_times()
        return True

    def _keys_of_joined(self) -> list[tuple[int, int]]:
        """Time and number of the packets of key frames; none where no files were joined.

        No search by time finds its way in joined files: all packets are read, once, not decoded.
        """
        if self._kind not in _JOINABLE:
            return []
        if self._keys is None:
            self._restart()
            keys = [
                (self._microseconds(packet.pts), number)
                for number, packet in enumerate(self._packets())
                if packet.is_keyframe and packet.pts is not None
            ]
            self._keys = keys if self._timeline.joins else []
            self._restart()
        return self._keys

    def _open(self) -> None:
        self._container, self._kind = _open(self._file)
        self._stream = self._best_stream()
        self._begin_times()

    def _begin_times(self) -> None:
        """Where packets are read from now on, no other ones come before."""
        stream = self._stream
        self._timeline = Timeline(stream.time_base, stream.guessed_rate or stream.average_rate)
        self._passed_over = 0  # packets that are not decoded
        self.backward = 0

    def _restart(self) -> None:
        """Begin again: that works where seeking does not."""
        self._container.close()
        self._open()
        self.damaged = 0

    def pixels(self, frame: Frame, max_side: int | None) -> NDArray[np.uint8]:
        """A frame upright, RGB uint8 (h, w, 3), its long side at most ``max_side``.

        All have the size of the first; those of other proportions have black borders.
        """
        width, height = self._size
        factor = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        return np.require(upright(self._fitted(frame, size), self._orientation), None, ["C", "W"])

    def _fitted(self, frame: Frame, size: tuple[int, int]) -> NDArray[np.uint8]:
        """A frame as it is stored, in the middle of a picture of ``size`` (width, height)."""
        shown, inner = self._shown_size(frame), size
        if shown != self._size:
            scale = min(size[0] / shown[0], size[1] / shown[1])
            inner = max(1, round(shown[0] * scale)), max(1, round(shown[1] * scale))
        picture = frame.reformat(*inner, format="rgb24", interpolation="AREA").to_ndarray()
        if inner == size:
            return np.asarray(picture, np.uint8)
        whole = np.zeros((size[1], size[0], 3), np.uint8)
        left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
        whole[top : top + inner[1], left : left + inner[0]] = picture
        return whole

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

    def _described(self) -> VideoInfo:
        width, height = self._size
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
        return self._microseconds(frame.pts, frame.time_base)

    def _microseconds(self, ticks: int, time_base: Fraction | None = None) -> int:
        """When a timestamp is, from the start of the video."""
        base: Fraction = time_base or self._stream.time_base
        return round((ticks * base - self._start) * MICROSECONDS)

    def _decoded(self) -> Iterator[Frame]:
        """Frames of all packets but those that cannot be decoded, and then what was waiting."""
        for number, packet in enumerate(self._packets()):
            if number >= self._passed_over:  # the last, empty one flushes the decoder
                yield from (each for each in self._frames_of(packet) if not each.is_corrupt)

    def _packets(self) -> Iterator[Packet]:
        import av.error  # noqa: PLC0415 - an optional extra

        try:
            for packet in self._container.demux(self._stream):
                if self._kind in _JOINABLE:
                    self._timeline.place(packet)
                yield packet
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, ValueError):
            self.damaged += 1  # the file cannot be read on from here

    def _frames_of(self, packet: Packet) -> list[Frame]:
        import av.error  # noqa: PLC0415 - an optional extra

        try:
            found: list[Frame] = packet.decode()
            return found
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, ValueError):
            self.damaged += 1
            return []


def _open(file: BinaryIO) -> tuple[av.container.InputContainer, str]:
    """The container in ``file`` and its kind, which its first bytes say; no other is tried.

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
        # Times that start again are no counter that ran over, after which FFmpeg would add a day.
        options = {"correct_ts_overflow": "0"}
        return av.open(file, "r", kind, options, metadata_errors="replace"), kind
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
