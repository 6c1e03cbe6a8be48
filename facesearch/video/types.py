"""What is asked of a video, and what comes of it: times count microseconds from its start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MICROSECONDS = 1_000_000
# Five frames a second: a walking person's face moves by less than its width from one to the next.
SAMPLE_US = 200_000


@dataclass(frozen=True)
class VideoLimits:
    """What a video may cost. ``pixels`` are those of one frame, ``seconds`` its length as its
    times say, ``memory_bytes`` the address space of the process that decodes it (0: any)."""

    pixels: int = 64_000_000
    seconds: int = 100 * 3600
    memory_bytes: int = 6 * 2**30


DEFAULT_VIDEO_LIMITS = VideoLimits()


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself before it is decoded.

    ``width`` and ``height`` are pixels of the upright frame as it is shown; ``duration_us`` is 0
    where the file does not say; ``taken_at`` as in :class:`facesearch.images.types.DecodedPhoto`.
    """

    width: int
    height: int
    duration_us: int
    taken_at: str


@dataclass(frozen=True)
class VideoFrame:
    """``pixels`` RGB uint8 (h, w, 3), upright, perhaps reduced, shown at ``time_us``.

    ``cut`` says that a new shot began since the frame that was given before.
    """

    time_us: int
    pixels: NDArray[np.uint8]
    cut: bool


@dataclass(frozen=True)
class VideoEnd:
    """The end of a video: ``reason`` and ``detail`` say what is wrong with it, "" if nothing is.

    ``frames`` were decoded, up to ``time_us``.
    """

    frames: int
    time_us: int
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class TimeSpan:
    """When a track is seen in its video, and the time of the frame that stands for it."""

    start_us: int
    end_us: int
    still_us: int

    @property
    def start(self) -> float:
        """Seconds from the start of the video."""
        return self.start_us / MICROSECONDS

    @property
    def end(self) -> float:
        """Seconds from the start of the video."""
        return self.end_us / MICROSECONDS

    @property
    def still(self) -> float:
        """Seconds from the start of the video."""
        return self.still_us / MICROSECONDS

    @property
    def text(self) -> str:
        """The range as people write it: ``0:07-1:02:03``."""
        return f"{_clock(self.start_us)}-{_clock(self.end_us)}"

    @property
    def fragment(self) -> str:
        """What opens a video there, behind its address (W3C, "Media Fragments URI 1.0", 4.2.1)."""
        return f"t={self.start:.3f}".rstrip("0").rstrip(".")

    def as_json(self) -> dict[str, float]:
        """Seconds, for files."""
        return {each: round(getattr(self, each), 3) for each in ("start", "end", "still")}


def _clock(microseconds: int) -> str:
    minutes, seconds = divmod(microseconds // MICROSECONDS, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
