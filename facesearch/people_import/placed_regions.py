"""Regions of other programs on the upright photo, and which faces they are of.

Programs draw their boxes differently: around the face alone, or with hair and chin, as a square or
not. A region is of a face if the centre of each lies in the other, and the one is not much larger
(a square around the same centre of two and a half times the side); or if they overlap as two boxes
of one face do. Where several may be, those pairs are taken that overlap most in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.images.formats.metadata import PhotoMetadata
from facesearch.images.formats.orientation import Box, upright_box
from facesearch.people_import.noted_names import NamedRegion

_LEAST_OVERLAP = 0.15  # of boxes whose centres are in each other
_SAME_SHAPE = 0.02  # of pictures, by width over height


@dataclass(frozen=True)
class PlacedName:
    """Everybody whom sources name at one place: ``box`` in pixels of the upright photo."""

    box: Box
    names: tuple[str, ...]
    sources: tuple[str, ...]


def place_region(
    region: NamedRegion, photo: PhotoMetadata, file: PhotoMetadata | None = None
) -> Box:
    """The box of ``region`` in pixels of the upright ``photo``; ``file`` is the one that it is of,
    where that is another file of the same picture.

    Raises ValueError where it was made for a picture of another shape, one that was cropped since.
    """
    width, height = photo.size
    source = file or photo
    if not _alike(source.size, photo.size):
        raise ValueError(
            f"a region of a file of {source.size[0]} x {source.size[1]} pixels, on a photo of "
            f"{width} x {height}, which shows another part"
        )
    orientation = 1 if region.upright else source.orientation
    if region.applied_to is not None:
        orientation = _orientation_of(region.applied_to, source.size, orientation)
    x0, y0, x1, y1 = upright_box(region.box, orientation)
    return x0 * width, y0 * height, x1 * width, y1 * height


def _orientation_of(
    applied_to: tuple[float, float], size: tuple[int, int], orientation: int
) -> int:
    """The orientation of the picture that a region was made for."""
    stored = size if orientation < 5 else size[::-1]
    if _alike(applied_to, stored):
        return orientation
    if orientation >= 5 and _alike(applied_to, size):
        return 1  # the program had turned the picture before
    raise ValueError(
        f"a region for a picture of {applied_to[0]:g} x {applied_to[1]:g} pixels, on one of "
        f"{stored[0]} x {stored[1]}, which was cropped or turned since"
    )


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= _SAME_SHAPE


def same_places(boxes: Sequence[Box], names: Sequence[tuple[str, str]]) -> list[PlacedName]:
    """Boxes of one face as one; ``names`` are the name and the source of each."""
    places: list[tuple[Box, dict[str, None], dict[str, None]]] = []
    for box, (name, source) in zip(boxes, names, strict=True):
        overlaps = affinity([box], [place[0] for place in places])[0]
        if len(overlaps) and overlaps.max() > 0:
            _, known, sources = places[int(overlaps.argmax())]
            known[name] = sources[source] = None
        else:
            places.append((box, {name: None}, {source: None}))
    return [PlacedName(box, tuple(known), tuple(sources)) for box, known, sources in places]


def affinity(one: Sequence[Box], other: Sequence[Box]) -> NDArray[np.float64]:
    """How much each two boxes (n, m) overlap, in [0, 1]; 0 for those that are not of one face."""
    a, b = (np.array(boxes, np.float64).reshape(-1, 4) for boxes in (one, other))
    overlap = iou(a, b)
    mutual = _holds(a, b) & _holds(b, a).T
    possible = (mutual & (overlap >= _LEAST_OVERLAP)) | (overlap >= SAME_FACE_IOU)
    return np.where(possible, overlap, 0.0)


def _holds(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each of ``boxes`` holds the centre of each of ``others``: (n, m)."""
    centres = (others[:, :2] + others[:, 2:]) / 2
    low, high = boxes[:, None, :2] <= centres[None], centres[None] <= boxes[:, None, 2:]
    return np.asarray((low & high).all(axis=2), np.bool_)


def match_faces(places: Sequence[Box], faces: Sequence[Box]) -> list[int | None]:
    """For each place the row of its face, or None; no face is taken twice."""
    matched: list[int | None] = [None] * len(places)
    overlap = affinity(places, faces)
    if overlap.size:
        for place, face in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[place, face] > 0:
                matched[int(place)] = int(face)
    return matched
