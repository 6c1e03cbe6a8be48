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
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import iou, nms
from facesearch.detect.types import Detections, Detector, Pixels

TURNS = (0, 1, 2, 3)  # quarters counter-clockwise, as numpy.rot90 has them
_CROP = 128  # pixels of a face's crop, twice as wide as the face
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
            looks = self._four_looks(photo, faces.boxes[row])
            sureness = [float(look.scores[0]) if len(look) else 0.0 for look in looks]
            best = int(np.argmax(sureness))
            if sureness[best] <= sureness[0] + self._limits.gain:
                best = 0
            others = max(sure for turn, sure in enumerate(sureness) if turn != best)
            upright[row] = sureness[best] - others
            if best:
                look = looks[best]
                boxes[row], landmarks[row] = look.boxes[0], look.landmarks[0]
                scores[row], turns[row] = look.scores[0], best
        order = np.argsort(-scores, kind="stable")
        return Detections(boxes, landmarks, scores, upright).rows(order), turns[order]

    def _four_looks(self, photo: Pixels, box: NDArray[np.float32]) -> list[Detections]:
        """What each turn of a face's surroundings shows in its place, at most one face each."""
        crop, corner, scale = _surroundings(photo, box)
        looks = self.detector.detect([np.ascontiguousarray(np.rot90(crop, t)) for t in TURNS])
        result = []
        for turn, look in zip(TURNS, looks, strict=True):
            back = turned_back(look, turn, crop.shape[0], crop.shape[1]).scaled(1 / scale)
            moved = back.moved(corner)
            here = np.flatnonzero(iou(moved.boxes, box[None])[:, 0] > _SAME)
            result.append(moved.rows(here[np.argsort(-moved.scores[here], kind="stable")][:1]))
        return result

    def _turned_photo(self, photo: Pixels) -> Detections:
        """The faces of the turn that shows the most, for a photo that shows none as it is."""
        scale = min(1.0, _SMALL / max(photo.shape[:2]))
        small = photo if scale == 1 else _resized(photo, scale)
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


def turned_back(faces: Detections, turn: int, height: int, width: int) -> Detections:
    """Faces found in ``numpy.rot90(photo, turn)``, in the photo of ``height`` by ``width``.

    Landmarks keep their order: the left eye stays the one that was left in the turned photo.
    """

    def back(points: NDArray[np.float32]) -> NDArray[np.float32]:
        x, y = points[..., 0], points[..., 1]
        places = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
        return np.stack(places[turn], axis=-1).astype(np.float32)

    corners = back(faces.boxes.reshape(-1, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Detections(boxes, back(faces.landmarks), faces.scores, faces.upright)


def _joined(faces: Detections, more: Detections) -> Detections:
    """Both, less those of ``more`` that are among ``faces``; best score first."""
    joined = Detections.joined([faces, more])
    return joined.rows(nms(joined.boxes, joined.scores, _SAME))


def _surroundings(
    photo: Pixels, box: NDArray[np.float32]
) -> tuple[Pixels, NDArray[np.float32], float]:
    """The square around a face, its corner in the photo, and its scale: black beyond the photo."""
    centre = (box[:2] + box[2:]) / 2
    side = max(2, int(np.ceil(2 * (box[2:] - box[:2]).max())))
    left, top = np.round(centre - side / 2).astype(int).tolist()
    square = np.zeros((side, side, 3), np.uint8)
    height, width = photo.shape[:2]
    rows, columns = (
        slice(max(0, at), min(end, at + side)) for at, end in ((top, height), (left, width))
    )
    if rows.start < rows.stop and columns.start < columns.stop:
        square[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
            photo[rows, columns]
        )
    scale = _CROP / side
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    crop = np.asarray(cv2.resize(square, (_CROP, _CROP), interpolation=interpolation), np.uint8)
    return crop, np.array([left, top], np.float32), scale


def _resized(photo: Pixels, scale: float) -> Pixels:
    size = tuple(max(1, round(side * scale)) for side in photo.shape[1::-1])
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
