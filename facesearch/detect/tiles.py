"""Wide pictures, looked at in tiles: reduced as a whole, their faces would be too small to find.

Tiles overlap by a quarter. Each answers for the faces whose middle lies nearer to its own middle
than to another tile's, so that a face of up to half an overlap on each side is whole in some tile.
Larger faces are found in the picture as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import nms
from facesearch.detect.scaling import shrinking, shrunk
from facesearch.detect.types import Detections, Detector, Pixels

WIDE = 2.0  # a picture longer than twice its short side is looked at in tiles
_OVERLAP = 0.25
# Pixels: networks pad to as many, and a picture of one row would be cut into thousands of tiles.
_SHORTEST = 64
_SAME = 0.6  # of the smaller box, within that of the same face found in another look


@dataclass(frozen=True)
class Tile:
    """A part of a picture along its long side, ``start`` to ``end``, in pixels.

    It answers for the faces whose middle is from ``first`` to ``last``.
    """

    start: int
    end: int
    first: float
    last: float

    def answers_for(self, ranges: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which faces are this tile's, (n,); ``ranges`` (n, 2) are theirs along the long side.

        Not those that reach an end of the tile within the picture, where the picture goes on: they
        may be cut.
        """
        middles = ranges.mean(axis=1)
        cut = (ranges[:, 0] <= self.start) & np.isfinite(self.first)
        cut |= (ranges[:, 1] >= self.end) & np.isfinite(self.last)
        return np.asarray((middles >= self.first) & (middles < self.last) & ~cut)


def is_wide(height: int, width: int, side: int) -> bool:
    """Whether a picture loses by being reduced to ``side`` that tiles of it would keep."""
    return max(height, width) > max(side, WIDE * min(height, width))


def tiles_of(long: int, length: int) -> list[Tile]:
    """Tiles of ``length`` pixels that cover 0 to ``long``, evenly, overlapping by a quarter."""
    if long <= length:
        return [Tile(0, long, -np.inf, np.inf)]
    count = 1 + int(np.ceil((long - length) / (length * (1 - _OVERLAP))))
    starts = np.round(np.linspace(0, long - length, count)).astype(int).tolist()
    ends = [start + length for start in starts]
    borders = [(end + start) / 2 for end, start in zip(ends[:-1], starts[1:], strict=True)]
    return [
        Tile(start, end, first, last)
        for start, end, first, last in zip(
            starts, ends, [-np.inf, *borders], [*borders, np.inf], strict=True
        )
    ]


def detect_in_tiles(detector: Detector, photo: Pixels, side: int) -> Detections:
    """The faces of a wide picture RGB uint8 (h, w, 3), best score first, in its pixels.

    No tile that the detector sees is longer than ``side``.
    """
    height, width = photo.shape[:2]
    lies = width >= height
    short, long = sorted((height, width))
    length = min(long, max(short, min(side, max(int(WIDE * short), _SHORTEST))))
    found = [_large_faces(detector, photo, side, length * _OVERLAP / 2)]
    for tile in tiles_of(long, length):
        part = photo[:, tile.start : tile.end] if lies else photo[tile.start : tile.end]
        faces = _detected(detector, np.ascontiguousarray(part), side)
        corner = np.array([tile.start, 0] if lies else [0, tile.start], np.float32)
        faces = faces.moved(corner)
        found.append(faces.rows(tile.answers_for(faces.boxes[:, slice(not lies, None, 2)])))
    joined = Detections.joined(found)
    return joined.rows(nms(joined.boxes, joined.scores, _SAME, of_smaller=True))


def _large_faces(detector: Detector, photo: Pixels, side: int, least: float) -> Detections:
    """The faces of ``least`` pixels or more, in the picture as a whole."""
    faces = _detected(detector, photo, side)
    sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1, initial=np.inf)
    return faces.rows(sides >= least)


def _detected(detector: Detector, photo: Pixels, side: int) -> Detections:
    (faces,) = detector.detect([shrunk(photo, scale := shrinking(photo, side))])
    return faces.scaled(1 / scale)
