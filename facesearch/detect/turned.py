"""Faces that do not stand upright: photos without EXIF, people who lie, heads that lean.

Detectors are trained on upright faces. They miss most that lie on their side, and find those on
their head with landmarks as if they stood: aligned by these, strangers resemble each other. So

- faces that the detector is not quite sure of are cut out and looked at in four turns, and the
  surest turn tells their landmarks (of a crowd only the largest, while these stand upright);
- a photo that shows no face, or one that was turned, is looked at as a whole in the turns that may
  show more: without a face at a reduced size first, which costs less than a second full look.

How sure is sure was chosen by cost and recall (benchmarks/vision/turned.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import iou, nms
from facesearch.detect.scaling import shrinking, shrunk
from facesearch.detect.types import Detections, Detector, Pixels

TURNS = (0, 1, 2, 3)  # quarters counter-clockwise, as numpy.rot90 has them
# Pixels of a face's crop, twice as wide as the face: at a glance, and where that leaves doubts.
_GLANCE, _CROP = 64, 128
_CLEAR = 0.3  # by how much surer at a glance of a face that stands, to leave it at that
_IN_CROP = 20  # pixels that a face has in any crop, however large those are that are wanted
_SMALL = 480  # longest side of a photo without a face that is looked at turned
_ENOUGH_UPRIGHT = 4  # doubtful faces of a photo, after which the rest are taken to stand too
_SAME = 0.4  # intersection over union of the same face


@dataclass(frozen=True)
class TurnLimits:
    """Scores that decide where a detector looks again.

    Faces below ``sure`` are looked at turned; a photo is turned as a whole when no face reaches the
    detector's own least score, and what that finds counts from ``firm``. A turned look is believed
    where it scores better by more than ``gain``.
    """

    sure: float = 0.94
    firm: float = 0.75
    gain: float = 0.02


class TurningDetector:
    """A detector that also finds faces that are turned. It keeps the detector's name and settings.

    What it finds where faces stand upright is what the detector finds.
    """

    def __init__(self, detector: Detector, limits: TurnLimits = TurnLimits()) -> None:
        self.detector = detector
        self._limits = limits
        self.name = detector.name
        self.min_face = detector.min_face
        self.min_score = detector.min_score
        self._of_crops = copy(detector)
        self._of_crops.min_face = min(detector.min_face, _IN_CROP)

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        """Faces of each photo (RGB uint8 (h, w, 3)), best score first, with ``upright``."""
        found = self.detector.detect(photos)
        return [self._looked_at(photo, each) for photo, each in zip(photos, found, strict=True)]

    def _looked_at(self, photo: Pixels, first: Detections) -> Detections:
        if not len(first):
            return self._turned_photo(photo)
        faces, turns = self._righted(photo, first)
        for turn in sorted(set(turns.tolist()) - {0}):
            faces = _joined(faces, self._full_look(photo, turn))
        return faces

    def _righted(self, photo: Pixels, faces: Detections) -> tuple[Detections, NDArray[np.int64]]:
        """``faces`` with the landmarks of their surest turn, and which turn that is."""
        doubtful = np.flatnonzero(faces.scores < self._limits.sure)
        sizes = (faces.boxes[doubtful, 2:] - faces.boxes[doubtful, :2]).max(axis=1, initial=0)
        doubtful = doubtful[np.argsort(-sizes, kind="stable")]
        boxes, landmarks, scores = (
            each.copy() for each in (faces.boxes, faces.landmarks, faces.scores)
        )
        upright = np.ones(len(faces), np.float32)
        turns = np.zeros(len(faces), np.int64)
        for place, row in enumerate(doubtful.tolist()):
            if place >= _ENOUGH_UPRIGHT and not turns.any():
                break  # where the largest stand, so do the others of a crowd
            upright[row], turns[row], face = self._stands(photo, faces.boxes[row])
            if turns[row]:
                boxes[row], landmarks[row] = face.boxes[0], face.landmarks[0]
                scores[row] = face.scores[0]
        order = np.argsort(-scores, kind="stable")
        return Detections(boxes, landmarks, scores, upright).rows(order), turns[order]

    def _stands(self, photo: Pixels, box: NDArray[np.float32]) -> tuple[float, int, Detections]:
        """By how much a face is surest the way it stands, which turn that is, and it as then found.

        Seldom is more than a glance needed to see that a face is upright.
        """
        for size in (_GLANCE, _CROP):
            crop = _Crop.around(photo, box, size)
            looks = self._four_looks(crop)
            sureness = [float(look.scores[0]) if len(look) else 0.0 for look in looks]
            if sureness[0] >= max(sureness[1:]) + _CLEAR:
                break
        best = int(np.argmax(sureness))
        if sureness[best] <= sureness[0] + self._limits.gain:
            best = 0
        others = max(sure for turn, sure in enumerate(sureness) if turn != best)
        return sureness[best] - others, best, crop.back(looks[best], best)

    def _four_looks(self, crop: _Crop) -> list[Detections]:
        """What each turn of a crop shows in the place of its face, at most one face each."""
        looks = self._of_crops.detect([crop.turned(turn) for turn in TURNS])
        return [
            look.rows(np.flatnonzero(crop.holds(look, turn))[:1]) if len(look) else look
            for turn, look in zip(TURNS, looks, strict=True)
        ]

    def _turned_photo(self, photo: Pixels) -> Detections:
        """The faces of the turn that shows the most, for a photo that shows none as it is."""
        small = shrunk(photo, shrinking(photo, _SMALL))
        turns = [1, 2, 3]
        looks = self.detector.detect(
            [np.ascontiguousarray(np.rot90(small, turn)) for turn in turns]
        )
        weights = [float(look.scores[look.scores >= self._limits.firm].sum()) for look in looks]
        best = int(np.argmax(weights))
        if weights[best] == 0:
            none = np.zeros(0, np.float32)
            return replace(Detections.none(), upright=none)
        return self._full_look(photo, turns[best])

    def _full_look(self, photo: Pixels, turn: int) -> Detections:
        """The faces of a turn of the whole photo that are firm."""
        turned = np.ascontiguousarray(np.rot90(photo, turn))
        (look,) = self.detector.detect([turned])
        righted, _ = self._righted(turned, look.rows(look.scores >= self._limits.firm))
        return turned_back(righted, turn, *photo.shape[:2])


@dataclass(frozen=True)
class _Crop:
    """The square around a face: its pixels, black beyond the photo, its corner in the photo, its
    scale, and the face's box (4,) in it."""

    pixels: Pixels
    corner: NDArray[np.float32]
    scale: float
    box: NDArray[np.float32]

    @classmethod
    def around(cls, photo: Pixels, box: NDArray[np.float32], size: int) -> _Crop:
        """``size`` pixels wide, and twice as wide as the face."""
        centre = (box[:2] + box[2:]) / 2
        side = max(2, int(np.ceil(2 * (box[2:] - box[:2]).max())))
        left, top = np.round(centre - side / 2).astype(int).tolist()
        scale = size / side
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        square = _square(photo, left, top, side)
        pixels = np.asarray(cv2.resize(square, (size, size), interpolation=interpolation), np.uint8)
        corner = np.array([left, top], np.float32)
        return cls(pixels, corner, scale, (box - np.tile(corner, 2)) * np.float32(scale))

    def turned(self, turn: int) -> Pixels:
        """The pixels, turned."""
        return np.ascontiguousarray(np.rot90(self.pixels, turn))

    def back(self, look: Detections, turn: int) -> Detections:
        """Faces found in ``turned(turn)``, in the photo."""
        size = len(self.pixels)
        return turned_back(look, turn, size, size).scaled(1 / self.scale).moved(self.corner)

    def holds(self, look: Detections, turn: int) -> NDArray[np.bool_]:
        """Which faces found in ``turned(turn)`` are in the place of the face, (n,)."""
        size = len(self.pixels)
        place = _corners_back(self.box, -turn % 4, size, size)
        return np.asarray(iou(look.boxes, place[None])[:, 0] > _SAME)


def turned_back(faces: Detections, turn: int, height: int, width: int) -> Detections:
    """Faces found in ``numpy.rot90(photo, turn)``, in the photo of ``height`` by ``width``.

    Landmarks keep their order: the left eye stays the one that was left in the turned photo.
    """
    boxes = _corners_back(faces.boxes, turn, height, width)
    landmarks = _points_back(faces.landmarks, turn, height, width)
    return Detections(boxes, landmarks, faces.scores, faces.upright)


def _points_back(
    points: NDArray[np.float32], turn: int, height: int, width: int
) -> NDArray[np.float32]:
    """Points (..., 2) of a turned photo in the photo."""
    x, y = points[..., 0], points[..., 1]
    places = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
    return np.stack(places[turn], axis=-1).astype(np.float32)


def _corners_back(
    boxes: NDArray[np.float32], turn: int, height: int, width: int
) -> NDArray[np.float32]:
    """Boxes (..., 4) of a turned photo in the photo."""
    corners = _points_back(boxes.reshape(*boxes.shape[:-1], 2, 2), turn, height, width)
    return np.concatenate([corners.min(axis=-2), corners.max(axis=-2)], axis=-1)


def _joined(faces: Detections, more: Detections) -> Detections:
    """Both, less those of ``more`` that are among ``faces``; best score first."""
    joined = Detections.joined([faces, more])
    return joined.rows(nms(joined.boxes, joined.scores, _SAME))


def _square(photo: Pixels, left: int, top: int, side: int) -> Pixels:
    """A square of a photo, black beyond it; a view where all of it is inside."""
    height, width = photo.shape[:2]
    rows, columns = (
        slice(max(0, at), max(0, min(end, at + side))) for at, end in ((top, height), (left, width))
    )
    part = photo[rows, columns]
    if part.shape[:2] == (side, side):
        return part
    square = np.zeros((side, side, 3), np.uint8)
    if part.size:
        row, column = rows.start - top, columns.start - left
        square[row : row + part.shape[0], column : column + part.shape[1]] = part
    return square
