"""A video as a series of sampled frames with cuts, and its stills, read in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from facesearch.errors import PhotoError
from facesearch.video.container import Frame, VideoContainer
from facesearch.video.cuts import THUMBNAIL, Thumbnail, with_cuts
from facesearch.video.types import (
    MICROSECONDS,
    SAMPLE_US,
    VideoEnd,
    VideoFrame,
    VideoInfo,
    VideoLimits,
)
from facesearch.video_files import VideoMode

# Who goes on in the middle of a video decodes from before there, so that cuts are judged alike.
_BEFORE_US = MICROSECONDS
_FORWARD_US = 2 * MICROSECONDS  # up to here reading on is as quick as seeking
_SHORTFALL = 0.9  # the share of its length that a video must have, and be no truncated one


class VideoSource:
    """Reads one video file; raises PhotoError where that cannot be done."""

    def __init__(self, path: Path, limits: VideoLimits, *, threads: int = 1) -> None:
        self._container = VideoContainer(path, limits, threads=threads)

    @property
    def info(self) -> VideoInfo:
        """What the video says of itself."""
        return self._container.info

    def close(self) -> None:
        """Let go of the file."""
        self._container.__exit__()

    def frames(
        self,
        mode: VideoMode,
        max_side: int | None,
        after_us: int = -1,
        interval_us: int = SAMPLE_US,
    ) -> Iterator[VideoFrame | VideoEnd]:
        """A frame every ``interval_us`` or less often, those after ``after_us``, and then the end.

        The first frame of each interval is taken, so that which frames are taken does not depend
        on where reading starts. Raises PhotoError as the container does.
        """
        container = self._container
        keyframes = mode == "keyframes"
        small = self._small(max(0, after_us - _BEFORE_US), keyframes)
        count, last, taken, cut = 0, 0, after_us, False
        for (time, frame), starts in with_cuts(small, keyframes=keyframes):
            before, last, count = last, time, count + 1
            if time <= after_us:
                continue
            cut = cut or starts or container.joined(before, time)
            if taken >= 0 and time // interval_us <= taken // interval_us:
                continue
            yield VideoFrame(time, container.pixels(frame, max_side), cut)
            taken, cut = time, False
        yield self._end(count, last, keyframes)

    def stills(
        self, times_us: Sequence[int], max_side: int | None
    ) -> Iterator[tuple[int, VideoFrame | None]]:
        """The frames at ``times_us``, ascending; None where there is none of exactly that time."""
        waiting = list(times_us)
        while waiting:
            wanted = waiting[0]
            for time, frame in self._container.frames(wanted):
                while waiting and waiting[0] < time:
                    yield waiting.pop(0), None
                if not waiting:
                    return
                if time == waiting[0]:
                    pixels = self._container.pixels(frame, max_side)
                    yield waiting.pop(0), VideoFrame(time, pixels, cut=False)
                if not waiting or waiting[0] > time + _FORWARD_US:
                    break
            else:
                for time in waiting:
                    yield time, None
                return

    def _small(self, at_us: int, keyframes: bool) -> Iterator[tuple[tuple[int, Frame], Thumbnail]]:
        for time, frame in self._container.frames(at_us, keyframes=keyframes):
            small = frame.reformat(*THUMBNAIL, format="rgb24", interpolation="FAST_BILINEAR")
            yield (time, frame), small.to_ndarray()

    def _end(self, frames: int, last: int, keyframes: bool) -> VideoEnd:
        container, duration = self._container, self.info.duration_us
        if not keyframes and last < _SHORTFALL * duration - MICROSECONDS:
            seconds, declared = last / MICROSECONDS, duration / MICROSECONDS
            detail = f"its pictures end at {seconds:.0f} s of {declared:.0f} s"
            return VideoEnd(frames, last, "truncated", detail)
        problems = []
        if container.damaged:
            problems.append(f"{container.damaged} damaged pieces were left out")
        if container.backward:
            problems.append(f"{container.backward} frames whose times go back were left out")
        return VideoEnd(frames, last, "corrupt" if problems else "", "; ".join(problems))


def open_source(path: Path, limits: VideoLimits, *, threads: int = 1) -> VideoSource:
    """A source; raises PhotoError for all that can be wrong with the file."""
    try:
        return VideoSource(path, limits, threads=threads)
    except MemoryError as error:
        raise PhotoError("too-large", "reading it takes too much memory") from error
