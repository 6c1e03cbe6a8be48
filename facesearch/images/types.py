"""A photo as it was found and as it was decoded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Why a photo could not be used; stored in the photo table beside a sentence of detail.
REASONS = (
    "empty",  # zero bytes
    "unreadable",  # the file system refused: permissions, I/O error, vanished while reading
    "not-an-image",  # no known image signature, whatever its name says
    "not-a-video",  # named as a video, and no known container
    "unsupported",  # an image of a kind or mode that cannot be decoded here
    "truncated",  # ends before its pixels do
    "corrupt",  # the decoder found damage
    "too-large",  # more pixels or bytes than the limits allow (decompression bomb)
    "timeout",  # decoding took longer than the limit, or killed its worker
    "internal",  # decoded, but the engine failed on it; tried again at the next run
)


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A candidate file: ``root / name`` (name relative), its size in bytes and mtime in ns.

    ``name`` is text as Python decodes names (``os.fsdecode``), "." for the root itself. ``error``
    is what the file system said where it refused (a file or a whole folder that cannot be read, or
    that vanished during the walk); size and mtime are 0 then. ``video`` marks what is to be read as
    a video.
    """

    root: Path
    name: str
    size: int
    mtime_ns: int
    error: str = ""
    video: bool = False

    @property
    def path(self) -> Path:
        return Path(self.name)

    @property
    def location(self) -> Path:
        return self.root / self.name

    @property
    def location_bytes(self) -> bytes:
        if self.name == ".":
            return os.fsencode(self.root)
        return os.fsencode(os.path.join(self.root, self.name))  # noqa: PTH118 - quicker


@dataclass(frozen=True)
class DecodedPhoto:
    """``pixels`` RGB uint8 (h, w, 3), upright, perhaps decoded at reduced scale.

    ``width`` and ``height`` are those of the upright photo at full size; ``scale`` is
    pixels.shape[1] / width (at most 1). ``taken_at`` is the capture time as ISO 8601
    (``YYYY-MM-DDTHH:MM:SS`` with an offset where the file states one), or "" if unknown.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    taken_at: str

    @property
    def scale(self) -> float:
        return float(self.pixels.shape[1] / self.width)
