"""A photo as it was found and as it was decoded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

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


# A photo that was read, as far as its file goes.
PARTIAL = "partial"
# A video of which key frames alone were looked at.
KEYFRAMES = "keyframes"

# Times of files fit into int64 nanoseconds: 1677 to 2262. A file of another time has the nearest.
_LAST_NS = 2**63 - 1
# FAT and exFAT keep times to ten milliseconds at best, and number their files at each mount.
_COARSE_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A candidate file: ``root / name`` (name relative), its size in bytes and mtime in ns.

    ``name`` is text as Python decodes names (``os.fsdecode``), "." for the root itself. ``error``
    is what the file system said where it refused (a file or a whole folder that cannot be read, or
    that vanished during the walk); size and times are 0 then. ``ctime_ns`` is when the file last
    changed in any way, ``inode`` its number in its file system; 0 where not known or not kept.
    ``second`` are other files of the same picture, to be read where this one cannot be. ``video``
    marks what is to be read as a video.
    """

    root: Path
    name: str
    size: int
    mtime_ns: int
    error: str = ""
    ctime_ns: int = 0
    inode: int = 0
    second: tuple[FoundPhoto, ...] = ()
    video: bool = False

    @classmethod
    def of(cls, root: Path, name: str, status: os.stat_result) -> Self:
        """The file at ``root / name``, of which the file system says ``status``."""
        ctime_ns = kept_time_ns(status.st_ctime_ns)
        inode = status.st_ino & _LAST_NS if ctime_ns % _COARSE_NS else 0
        mtime_ns = kept_time_ns(status.st_mtime_ns)
        return cls(root, name, status.st_size, mtime_ns, ctime_ns=ctime_ns, inode=inode)

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


def kept_time_ns(time_ns: int) -> int:
    """A time of a file in nanoseconds as it is kept: the nearest that int64 holds."""
    return max(-_LAST_NS, min(time_ns, _LAST_NS))


@dataclass(frozen=True)
class DecodedPhoto:
    """``pixels`` RGB uint8 (h, w, 3), upright, perhaps decoded at reduced scale.

    ``width`` and ``height`` are those of the upright photo at full size; ``scale`` is
    pixels.shape[1] / width (at most 1). ``taken_at`` is the capture time as ISO 8601
    (``YYYY-MM-DDTHH:MM:SS`` with an offset where the file states one, or ``YYYY-MM-DD`` where it
    states no time), or "" if unknown. ``partial`` says what is missing of a file that ends early.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    taken_at: str
    partial: str = ""

    @property
    def scale(self) -> float:
        return float(self.pixels.shape[1] / self.width)
