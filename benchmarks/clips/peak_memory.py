"""The greatest memory that reading a video takes, measured in processes of its own.

Resident memory is no timing: it holds on a machine that does other work too. What a process had at
most the system keeps (``VmHWM`` of /proc, on Linux); so each video is read by a new process, and
nothing that was done before hides what it takes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clips.made_clips import ClipFormat, ClipShot, Pixels, background, write_clip
from facesearch.detect.types import Detections
from facesearch.encoders.types import Embeddings, EncoderContract
from facesearch.engine import PhotoFaces
from facesearch.quality import Qualities
from facesearch.video.pipeline import VideoReading, video_faces

_ROOT = Path(__file__).parents[2]
_PROGRAM = """
import sys
from benchmarks.clips.peak_memory import print_memory
print_memory(sys.argv[1], int(sys.argv[2]))
"""
_SHOT_SECONDS = 60.0
_DIMENSION = 128
_LOOK_EVERY = 200  # frames, at the processes that were started


@dataclass(frozen=True)
class VideoMemory:
    """``peak_mib`` of the process that follows people, ``decoder_mib`` of the one that decodes (0
    where it is the same); ``frames`` were looked at, and ``tracks`` found."""

    frames: int
    tracks: int
    peak_mib: float
    decoder_mib: float


class OneFaceEngine:
    """Finds one face in every frame, so that no network takes memory or time."""

    def __init__(self) -> None:
        self.contract = EncoderContract("one-face", "0" * 64, _DIMENSION, 96, "none", "none")
        vector = np.full((1, _DIMENSION), _DIMENSION**-0.5, np.float32)
        number = np.full(1, 0.5, np.float32)
        self._found = PhotoFaces(
            Detections(
                np.array([[8, 8, 40, 40]], np.float32), np.zeros((1, 5, 2), np.float32), number
            ),
            Embeddings(vector, number),
            Qualities(number, number, number),
        )

    def faces(self, photos: Sequence[Pixels], *, in_tiles: bool = True) -> list[PhotoFaces]:
        """One face in each photo."""
        return [self._found] * len(photos)


def write_long_clip(path: Path, minutes: float, fps: int, size: tuple[int, int]) -> None:
    """A video of shots of a minute each, in which nothing moves."""
    left, shots = minutes * 60.0, []
    while left > 0:
        shown = background(len(shots) % 7, size)
        shots.append(ClipShot(min(left, _SHOT_SECONDS), shown, ()))
        left -= _SHOT_SECONDS
    write_clip(path, shots, ClipFormat(fps=fps, options=(("preset", "ultrafast"),)))


def reading_memory(path: Path, decoders: int = 1) -> VideoMemory:
    """What reading the video at ``path`` takes in a new process, with ``decoders`` of another."""
    command = [sys.executable, "-c", _PROGRAM, str(path), str(decoders)]
    folders = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": folders},
        check=True,
        capture_output=True,
        text=True,
    )
    return VideoMemory(**json.loads(ran.stdout))


def print_memory(path: str, decoders: int) -> None:
    """Read a video in this process, which has done nothing before, and print what it took."""
    engine: Any = OneFaceEngine()
    frames, decoder = 0, 0.0

    def look(time_us: int, duration_us: int) -> None:
        nonlocal frames, decoder
        frames += 1
        if frames % _LOOK_EVERY == 1:
            decoder = max([decoder, *map(_peak_mib, _children())])

    reading = VideoReading(threads=1, decoders=decoders)
    found = video_faces(engine, Path(path), reading, progress=look)
    memory = VideoMemory(found.frames, len(found.tracks), _peak_mib(os.getpid()), decoder)
    print(json.dumps(vars(memory)))


def _children() -> Iterator[int]:
    """The processes that this one started, whichever of its threads did."""
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            yield from map(int, listed.read_text().split())


def _peak_mib(process: int) -> float:
    """The greatest resident memory of a process so far; 0 of one that has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return round(int(peaks[0]) / 1024, 1) if peaks else 0.0
