"""What other programs noted of who is on a photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

from facesearch.images.formats.metadata import PhotoMetadata
from facesearch.images.formats.orientation import Box


@dataclass(frozen=True)
class NamedRegion:
    """A place on a photo and whom it shows.

    ``box`` is x0, y0, x1, y1 as shares of the picture: of the one that is stored, or of the upright
    one where ``upright``. ``applied_to`` is the size in pixels of the picture that it was made for.
    """

    name: str
    box: Box
    upright: bool = False
    applied_to: tuple[float, float] | None = None


@dataclass(frozen=True)
class NotedNames:
    """What one ``source`` (a file's path) notes of a photo.

    ``regions`` have a place; ``people`` are on it somewhere. ``unusable`` says of regions that make
    no sense why not, and ``unnamed`` counts those without a name. ``file`` has the metadata of the
    file that regions are of, where that is another than the photo's: a second one of its picture.
    """

    source: str
    regions: tuple[NamedRegion, ...] = ()
    people: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    unnamed: int = 0
    file: PhotoMetadata | None = None


@dataclass(frozen=True)
class ImportProblem:
    """What could not be used at ``place`` (a file), for which ``reason``, and in words."""

    place: str
    reason: str
    detail: str


def box_around(x: float, y: float, width: float, height: float) -> Box:
    """The box of this centre and size; raises ValueError for what is none."""
    return checked_box((x - width / 2, y - height / 2, x + width / 2, y + height / 2))


def checked_box(box: Box) -> Box:
    """``box``, cut at the picture's edges; raises ValueError where its centre is not within."""
    x0, y0, x1, y1 = box
    if not all(map(math.isfinite, box)) or x1 <= x0 or y1 <= y0:
        raise ValueError(f"expected a box in shares of the picture, got {_text(box)}")
    if not (0 <= (x0 + x1) / 2 <= 1 and 0 <= (y0 + y1) / 2 <= 1):
        raise ValueError(f"the box {_text(box)} lies beyond the picture")
    return max(x0, 0.0), max(y0, 0.0), min(x1, 1.0), min(y1, 1.0)


def _text(box: Box) -> str:
    return ", ".join(f"{edge:.4g}" for edge in box)
