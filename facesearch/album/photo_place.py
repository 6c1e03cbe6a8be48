"""Where a photo lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PhotoPlace:
    """A photo's absolute location and its relative path."""

    photo: Path
    name: str
