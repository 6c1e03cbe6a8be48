"""The parent's side of the process that decodes a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

from facesearch.errors import PhotoError
from facesearch.images.decode import DEFAULT_LIMITS
from facesearch.images.worker_process import WorkerProcess
from facesearch.images.worker_protocol import Message, receive, receive_pixels, send
from facesearch.video.types import (
    DEFAULT_VIDEO_LIMITS,
    SAMPLE_US,
    VideoEnd,
    VideoFrame,
    VideoInfo,
    VideoLimits,
)
from facesearch.video_files import VideoMode

_GRACE_SECONDS = 10.0  # the worker ends itself at the limit; this is for where that failed

_BOOTSTRAP = """
import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)
import sys; sys.path[:] = {{path!a}}
from facesearch.video.types import VideoLimits
from facesearch.video.worker import main
main({{descriptor}}, VideoLimits(*{limits}), {{timeout}})
"""


class VideoProcess(WorkerProcess):
    """Reads one video in a process within limits, as :class:`facesearch.video.source.VideoSource`.

    ``timeout`` is in seconds, for each frame that is asked for. Raises PhotoError for all that is
    wrong with the file; one at which the process hangs or dies has the reason "timeout".
    """

    def __init__(
        self,
        path: Path,
        limits: VideoLimits = DEFAULT_VIDEO_LIMITS,
        *,
        timeout: float = 60.0,
        threads: int = 1,
    ) -> None:
        self.bootstrap = _BOOTSTRAP.format(limits=astuple(limits))
        self._video_limits = limits
        super().__init__(DEFAULT_LIMITS, timeout)
        try:
            self.wait_ready()
            answer = self._ask({"open": str(path), "threads": threads})
            self.info = VideoInfo(
                int(answer["width"]),
                int(answer["height"]),
                int(answer["duration_us"]),
                str(answer["taken_at"]),
            )
        except BaseException:
            self.close()
            raise

    def frames(
        self,
        mode: VideoMode,
        max_side: int | None,
        after_us: int = -1,
        interval_us: int = SAMPLE_US,
    ) -> Iterator[VideoFrame | VideoEnd]:
        """As those of the source."""
        self._ask(
            {"frames": mode, "max_side": max_side, "after": after_us, "interval": interval_us}
        )
        while True:
            answer = self._ask({"next": True})
            if "end" in answer:
                end = answer["end"]
                yield VideoEnd(
                    int(end["frames"]), int(end["time_us"]), str(end["reason"]), str(end["detail"])
                )
                return
            yield self._frame(answer)

    def stills(
        self, times_us: Sequence[int], max_side: int | None
    ) -> Iterator[tuple[int, VideoFrame | None]]:
        """As those of the source."""
        self._ask({"stills": list(times_us), "max_side": max_side})
        for time in times_us:
            answer = self._ask({"next": True})
            yield time, None if "none" in answer else self._frame(answer)

    def _ask(self, request: Message) -> Message:
        try:
            send(self._channel, request)
            answer = receive(self._channel, self._timeout + _GRACE_SECONDS)
            if answer.get("reason"):
                raise PhotoError(str(answer["reason"]), str(answer["detail"]))
            return answer
        except TimeoutError as error:
            raise PhotoError("timeout", self._took_too_long()) from error
        except (OSError, EOFError) as error:
            raise PhotoError("timeout", self._end()) from error

    def _frame(self, answer: Message) -> VideoFrame:
        try:
            pixels = receive_pixels(
                self._channel, answer["shape"], self._timeout, self._video_limits.pixels
            )
            return VideoFrame(int(answer["time"]), pixels, bool(answer["cut"]))
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise PhotoError("timeout", self._end()) from error
