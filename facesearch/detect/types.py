"""What a face detector takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Detections:
    """The n faces found in one photo, best score first.

    ``boxes`` float32 (n, 4): x0, y0, x1, y1 in pixels of the array given to the detector, which
    may reach beyond it. ``landmarks`` float32 (n, 5, 2): left eye, right eye, nose, left and
    right mouth corner (left and right as seen in the image), x and y in the same pixels.
    ``scores`` float32 (n,) in [0, 1]. Left and right are as seen when the face is upright: those of
    a face that lies on its side, or stands on its head, are named as if it were turned back.

    ``upright`` float32 (n,) in [-1, 1]: by how much the detector is surer of the face the way its
    landmarks say it stands than turned by any quarter; None where it was not looked at turned.
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]
    upright: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n = len(self.scores)
        expected = {"boxes": (n, 4), "landmarks": (n, 5, 2), "scores": (n,), "upright": (n,)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(
                    f"expected {name} float32 {shape}, got {array.dtype} {array.shape}"
                )

    def __len__(self) -> int:
        return len(self.scores)

    def scaled(self, factor: float) -> Detections:
        """The same faces in a photo resized by ``factor``."""
        scale = np.float32(factor)
        return Detections(self.boxes * scale, self.landmarks * scale, self.scores, self.upright)

    def rows(self, kept: NDArray[Any] | slice) -> Detections:
        """The faces in rows ``kept``, or that it marks, in that order."""
        upright = None if self.upright is None else self.upright[kept]
        return Detections(self.boxes[kept], self.landmarks[kept], self.scores[kept], upright)

    def moved(self, by: NDArray[np.float32]) -> Detections:
        """The same faces, ``by`` x and y pixels farther right and down."""
        return Detections(
            self.boxes + np.tile(by, 2), self.landmarks + by, self.scores, self.upright
        )

    @staticmethod
    def joined(parts: Sequence[Detections]) -> Detections:
        """The faces of ``parts``, one or more, after each other; not sorted by score."""
        upright = [each.upright for each in parts if each.upright is not None]
        return Detections(
            np.concatenate([each.boxes for each in parts]),
            np.concatenate([each.landmarks for each in parts]),
            np.concatenate([each.scores for each in parts]),
            np.concatenate(upright) if len(upright) == len(parts) else None,
        )

    @staticmethod
    def none() -> Detections:
        """No face."""
        return Detections(
            np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32)
        )


class Detector(Protocol):
    """Finds faces in photos. ``name`` identifies model and weights in the encoder contract.

    ``min_face`` is the side in pixels of the smallest faces looked for, ``min_score`` the least
    score of a face that is returned.
    """

    name: str
    min_face: int
    min_score: float

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        """Faces of each photo; photos are RGB uint8 (height, width, 3), of any sizes."""
        ...
