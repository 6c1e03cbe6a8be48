"""An engine that needs no model: photos say in their first pixel what faces they show."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesearch.detect.types import Detections, Pixels
from facesearch.encoders.types import Embeddings, EncoderContract
from facesearch.engine import PhotoFaces
from facesearch.quality import Qualities

DIMENSION = 16


def write_photo(
    path: Path, people: Sequence[int], variant: int = 0, side: int = 48, quality: float = 1.0
) -> Path:
    """A PNG that the fake engine sees ``people`` (each 1 to 255, at most ``side``) in.

    ``quality`` is that of every face of it, to a 255th.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[0, : len(people), 0] = people
    pixels[1, 0] = (variant >> 16 & 255, variant >> 8 & 255, variant & 255)
    pixels[2, 0, 0] = round(255 * (1 - quality))
    Image.fromarray(pixels).save(path)
    return path


def person_vector(person: int, variant: int = 0) -> np.ndarray:
    """The unit vector of a person in a photo; variants of one person are close together."""
    base = np.random.default_rng(person).normal(size=DIMENSION)
    noise = np.random.default_rng(zlib.crc32(f"{person}/{variant}".encode())).normal(size=DIMENSION)
    vector = base / np.linalg.norm(base) + 0.05 * noise / np.linalg.norm(noise)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class FakeEngine:
    """Stands in for :class:`facesearch.engine.FaceEngine`; ``calls`` counts photos seen."""

    def __init__(self, name: str = "fake") -> None:
        self.contract = EncoderContract(name, "0" * 64, DIMENSION, 48, "none", "fake")
        self.encoder = self
        self.name = name
        self.settings: dict[str, float] = {}
        self.calls = 0

    def faces(self, photos: Sequence[Pixels], *, in_tiles: bool = True) -> list[PhotoFaces]:
        self.calls += len(photos)
        return self.embed(photos, self.detect(photos, in_tiles=in_tiles))

    def detect(self, photos: Sequence[Pixels], *, in_tiles: bool = True) -> list[Detections]:
        return [self._detections(photo) for photo in photos]

    def embed(self, photos: Sequence[Pixels], found: Sequence[Detections]) -> list[PhotoFaces]:
        return [self._embedded(photo, each) for photo, each in zip(photos, found, strict=True)]

    def _detections(self, photo: Pixels) -> Detections:
        n = int(np.count_nonzero(photo[0, :, 0]))
        boxes = [(4.0 * i, 2.0, 4.0 * i + 3.0 + i, 6.0 + i) for i in range(n)]
        return Detections(
            np.array(boxes, np.float32).reshape(n, 4),
            np.zeros((n, 5, 2), np.float32),
            np.full(n, 0.9, np.float32),
        )

    def _embedded(self, photo: Pixels, found: Detections) -> PhotoFaces:
        people = [int(photo[0, int(box[0]) // 4, 0]) for box in found.boxes]
        if 255 in people:
            raise RuntimeError("a photo of person 255 breaks the engine")
        variant = int.from_bytes(photo[1, 0].tobytes(), "big")
        vectors = [person_vector(person, variant) for person in people]
        n = len(people)
        return PhotoFaces(
            found,
            Embeddings(np.array(vectors, np.float32).reshape(n, DIMENSION), np.ones(n, np.float32)),
            Qualities(
                np.full(n, 1 - photo[2, 0, 0] / 255, np.float32),
                np.full(n, 0.5, np.float32),
                np.full(n, 0.01, np.float32),
            ),
        )


class OtherEngine(FakeEngine):
    """Another encoder: vectors of 24 components, those of the first turned by a fixed matrix."""

    DIMENSION = 24

    def __init__(self, name: str = "other") -> None:
        super().__init__(name)
        self.contract = replace(self.contract, dimension=self.DIMENSION, detector="another")
        mixed = np.random.default_rng(1).normal(size=(self.DIMENSION, 16))
        self._turn = np.linalg.qr(mixed)[0].T.astype(np.float32)
        self.photos = 0

    def embed(self, photos: Sequence[Pixels], found: Sequence[Detections]) -> list[PhotoFaces]:
        self.photos += len(photos)
        return [
            replace(
                each,
                embeddings=Embeddings(self.turned(each.embeddings.vectors), each.embeddings.norms),
            )
            for each in super().embed(photos, found)
        ]

    def turned(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        turned = vectors @ self._turn
        return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True), np.float32)
