"""The process that decodes for the pool; it loads Pillow, OpenCV and numpy, and nothing else."""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from facesearch.errors import PhotoError
from facesearch.images.decode import DecodeLimits, decode_stream
from facesearch.images.file_access import photo_stream, sha256_of_stream
from facesearch.images.types import DecodedPhoto
from facesearch.images.worker_protocol import Message, receive, send


@dataclass(frozen=True)
class ReadPhoto:
    """What came of one file: a photo, a digest that was known, or a reason and its detail."""

    sha256: str = ""
    photo: DecodedPhoto | None = None
    known: bool = False
    reason: str = ""
    detail: str = ""


def read_photo(
    path: Path, is_known: Callable[[str], bool], max_side: int | None, limits: DecodeLimits
) -> ReadPhoto:
    """Hash the file and, unless ``is_known`` says so of its digest, decode it; never raises for
    anything that is wrong with the file, which is read once if it is not huge."""
    sha256 = ""
    try:
        with photo_stream(path, limits.file_bytes) as stream:
            sha256 = sha256_of_stream(stream)
            if is_known(sha256):
                return ReadPhoto(sha256, known=True)
            return ReadPhoto(
                sha256, decode_stream(stream, max_side=max_side, limits=limits, suffix=path.suffix)
            )
    except PhotoError as error:
        return ReadPhoto(sha256, reason=error.reason, detail=error.detail)
    except MemoryError:
        return ReadPhoto(sha256, reason="too-large", detail="reading it takes too much memory")


def main(channel_descriptor: int, limits: DecodeLimits, timeout: float) -> None:
    """Serve requests from the socket until the other side closes it (or dies, which closes it).

    A request that takes longer than ``timeout`` seconds ends the process by SIGALRM: that works
    even where a decoder hangs inside C code, and even if the parent is no longer there.
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
        while True:
            request = receive(channel)
            signal.setitimer(signal.ITIMER_REAL, timeout)
            reading = _read(channel, request, limits)
            # Off before the answer: a parent that takes its time is not the photo's fault.
            signal.setitimer(signal.ITIMER_REAL, 0)
            _answer(channel, reading)


def silence() -> None:
    """C libraries complain about broken files on standard error; the reasons say it better."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _read(channel: socket.socket, request: Message, limits: DecodeLimits) -> ReadPhoto:
    def is_known(sha256: str) -> bool:
        # The parent compares: what it knows may be too much to send along with every photo.
        if not request["compare"]:
            return False
        send(channel, {"compare": sha256})
        return bool(receive(channel)["known"])

    return read_photo(Path(request["path"]), is_known, request["max_side"], limits)


def _answer(channel: socket.socket, reading: ReadPhoto) -> None:
    answer: dict[str, Any] = {
        "sha256": reading.sha256,
        "known": reading.known,
        "reason": reading.reason,
        "detail": reading.detail,
    }
    if reading.photo is None:
        send(channel, answer)
        return
    photo = reading.photo
    answer |= {"width": photo.width, "height": photo.height, "taken_at": photo.taken_at}
    answer["partial"] = photo.partial
    send(channel, answer, photo.pixels)
