"""Photos made worse as in table 4 of the FaceNet paper: by JPEG compression and by fewer pixels.

The paper's images are crops of faces; so here, by default, the face is found in the photo as
it is, and the photo then compressed as a whole, or shrunk until the box of the face has so many
pixels. With ``of`` "photo" the photo is made worse before anything looks at it, a face that is no
longer found is missing, and the size is that of the photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facesearch.detect.types import Detections, Pixels
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.evaluate.datasets.embed_dataset import ChosenFace, embed_chosen, find_faces
from facesearch.evaluate.datasets.embedding_cache import CachedPhoto
from facesearch.evaluate.datasets.face_selection import DEFAULT_RULE

QUALITIES = (10, 20, 30, 50, 70, 90)
PIXELS = (1_600, 6_400, 14_400, 25_600, 65_536)
PARTS = ("face", "photo")


@dataclass(frozen=True)
class Degradation:
    """``kind`` "none", "jpeg" (``value``: quality 1 to 100) or "pixels" (``value``: how many)."""

    kind: str
    value: int = 0

    def __post_init__(self) -> None:
        fine = {"none": True, "jpeg": 1 <= self.value <= 100, "pixels": self.value >= 1}
        if not fine.get(self.kind, False):
            raise InputError(
                "expected none, jpeg with a quality from 1 to 100 or pixels with a number above "
                f"0, got {self.kind} {self.value}"
            )

    def apply(self, photo: Pixels, pixels: float) -> Pixels:
        """``photo`` RGB uint8 (h, w, 3) made worse; ``pixels``: how many count now as its size.

        A photo is never enlarged.
        """
        if self.kind == "jpeg":
            return _recompressed(photo, self.value)
        factor = float(np.sqrt(self.value / max(pixels, 1.0))) if self.kind == "pixels" else 1.0
        if factor >= 1:
            return photo
        height, width = photo.shape[:2]
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)


ORIGINAL = Degradation("none")


@dataclass(frozen=True)
class Degraded:
    """A way of embedding: the photo as it is, then with each of ``degradations``."""

    degradations: tuple[Degradation, ...]
    of: str = "face"
    rule: str = DEFAULT_RULE

    def __post_init__(self) -> None:
        if self.of not in PARTS:
            raise InputError(f"expected one of {', '.join(PARTS)}, got {self.of!r}")

    @property
    def name(self) -> str:
        values = ", ".join(f"{each.kind} {each.value}" for each in self.degradations)
        return f"the {self.rule} face; then the {self.of} as {values}"

    @property
    def variants(self) -> int:
        return 1 + len(self.degradations)

    def embed(self, engine: FaceEngine, photos: Sequence[Pixels]) -> list[CachedPhoto]:
        """A record of all variants of each photo, the photo as it is first."""
        faces = find_faces(engine, photos, self.rule)
        variants = [embed_chosen(engine, photos, faces)]
        for degradation in self.degradations:
            if self.of == "photo":
                worse = [degradation.apply(photo, _pixels(photo)) for photo in photos]
                found = find_faces(engine, worse, self.rule)
            else:
                worse = [
                    degradation.apply(photo, _box_pixels(face.detection))
                    for photo, face in zip(photos, faces, strict=True)
                ]
                found = [
                    _scaled(face, old, new)
                    for face, old, new in zip(faces, photos, worse, strict=True)
                ]
            variants.append(embed_chosen(engine, worse, found))
        return [
            CachedPhoto(
                np.concatenate([each.vectors for each in records]),
                np.concatenate([each.states for each in records]),
            )
            for records in zip(*variants, strict=True)
        ]


def paper_degradations() -> tuple[Degradation, ...]:
    """Those of the paper's table 4."""
    return tuple(Degradation("jpeg", quality) for quality in QUALITIES) + tuple(
        Degradation("pixels", pixels) for pixels in PIXELS
    )


def _recompressed(photo: Pixels, quality: int) -> Pixels:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    written, data = cv2.imencode(".jpg", np.ascontiguousarray(photo[:, :, ::-1]), options)
    if not written:
        raise ValueError(f"expected a photo that JPEG can hold, got {photo.shape}")
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[:, :, ::-1])


def _scaled(face: ChosenFace, old: Pixels, new: Pixels) -> ChosenFace:
    """The same face in a photo that was resized, by the factor of its longer side."""
    factor = max(new.shape[:2]) / max(old.shape[:2])
    return ChosenFace(face.detection.scaled(factor), face.state)


def _pixels(photo: Pixels) -> float:
    return float(photo.shape[0] * photo.shape[1])


def _box_pixels(face: Detections) -> float:
    x0, y0, x1, y1 = face.boxes[0].tolist()
    return float(max(x1 - x0, 0.0) * max(y1 - y0, 0.0))
