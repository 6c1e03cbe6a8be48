"""The process that decodes a video: it answers one request after the other, within limits."""

from __future__ import annotations

import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import cv2

from facesearch.errors import PhotoError
from facesearch.images.worker import silence
from facesearch.images.worker_protocol import Message, receive, send
from facesearch.video.source import VideoSource, open_source
from facesearch.video.types import VideoEnd, VideoFrame, VideoLimits

Answers = Iterator[VideoFrame | VideoEnd | None]


def main(channel_descriptor: int, limits: VideoLimits, timeout: float) -> None:
    """Serve requests from the socket until the other side closes it (or dies, which closes it).

    "open" comes first; then "frames" or "stills" starts a series, of which each "next" asks for one
    more. A request that takes longer than ``timeout`` seconds ends the process by SIGALRM, as with
    photos (:mod:`facesearch.images.worker`).
    """
    channel = socket.socket(fileno=channel_descriptor)
    cv2.setNumThreads(1)
    if limits.memory_bytes:
        # Where the system does not know this limit (macOS), the pixel limit has to do.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    with suppress(EOFError, ConnectionError):
        send(channel, {"ready": True})
        silence()
        session = _Session(limits)
        while True:
            request = receive(channel)
            signal.setitimer(signal.ITIMER_REAL, timeout)
            try:
                found = session.answer(request)
            except PhotoError as error:
                found = {"reason": error.reason, "detail": error.detail}
            except MemoryError:
                found = {"reason": "too-large", "detail": "decoding it takes too much memory"}
            except Exception as error:  # PyAV throws whatever parsing a hostile file runs into
                found = {"reason": "corrupt", "detail": f"{type(error).__name__}: {error}"[:200]}
            signal.setitimer(signal.ITIMER_REAL, 0)
            if isinstance(found, VideoFrame):
                send(channel, {"time": found.time_us, "cut": found.cut}, found.pixels)
            else:
                send(channel, found)


class _Session:
    """The video that was opened last, and the series being read from it."""

    def __init__(self, limits: VideoLimits) -> None:
        self._limits = limits
        self._source: VideoSource | None = None
        self._series: Answers = iter(())

    def answer(self, request: Message) -> Message | VideoFrame:
        if "open" in request:
            self._source = open_source(
                Path(request["open"]), self._limits, threads=request["threads"]
            )
            return asdict(self._source.info)
        if "next" in request:
            return self._answer_next()
        if self._source is None:
            raise PhotoError("internal", "no video is open")
        if "stills" in request:
            found = self._source.stills(request["stills"], request["max_side"])
            self._series = (frame for _, frame in found)
        else:
            self._series = self._source.frames(
                request["frames"], request["max_side"], request["after"], request["interval"]
            )
        return {}

    def _answer_next(self) -> Message | VideoFrame:
        found = next(self._series, None)
        if found is None:
            return {"none": True}
        return found if isinstance(found, VideoFrame) else {"end": asdict(found)}
