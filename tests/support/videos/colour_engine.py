"""An engine that sees squares of full colours in frames of videos: each colour is a person."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.clips.made_clips import Actor, ClipShot, Pixels
from facesearch.detect.types import Detections
from facesearch.encoders.types import Embeddings
from facesearch.engine import PhotoFaces
from facesearch.quality import Qualities
from support.fake_engine import DIMENSION, FakeEngine, person_vector

# By person: RGB, all far apart in hue.
PEOPLE = {
    "red": (230, 20, 20),
    "green": (20, 200, 20),
    "blue": (30, 30, 240),
    "pink": (230, 20, 220),
}


def actor(
    person: str, start: tuple[float, float], end: tuple[float, float], **other: object
) -> Actor:
    """A square of the person's colour; the whole picture counts as the face."""
    picture = np.full((64, 64, 3), PEOPLE[person], np.uint8)
    fields: dict[str, object] = {"sides": (60.0, 60.0), **other}
    return Actor(person, (picture,), start, end, **fields)  # type: ignore[arg-type]


def grey_shot(
    seconds: float, *actors: Actor, level: int = 60, size: tuple[int, int] = (320, 180)
) -> ClipShot:
    """A shot with a grey background."""
    return ClipShot(seconds, np.full((size[1], size[0], 3), level, np.uint8), actors)


class ColourEngine(FakeEngine):
    """Sees coloured boxes; ``calls`` counts frames seen."""

    def __init__(self) -> None:
        super().__init__("colours")

    def _detections(self, photo: Pixels) -> Detections:
        boxes = []
        for colour in PEOPLE.values():
            near = (np.abs(photo.astype(int) - colour).max(axis=2) < 60).astype(np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(near)
            boxes += [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:].tolist() if area >= 60]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.zeros((len(boxes), 5, 2), np.float32),
            np.full(len(boxes), 0.9, np.float32),
        )

    def _embedded(self, photo: Pixels, found: Detections) -> PhotoFaces:
        vectors, qualities = [], []
        for x0, y0, x1, y1 in found.boxes.astype(int).tolist():
            middle = photo[(y0 + y1) // 2, (x0 + x1) // 2].astype(int)
            person = min(
                range(len(PEOPLE)),
                key=lambda at: int(np.abs(middle - list(PEOPLE.values())[at]).sum()),
            )
            vectors.append(person_vector(person + 1, (x0 << 8) + y0))
            qualities.append(min(1.0, (x1 - x0) / 100))
        n = len(vectors)
        return PhotoFaces(
            found,
            Embeddings(np.array(vectors, np.float32).reshape(n, DIMENSION), np.ones(n, np.float32)),
            Qualities(
                np.array(qualities, np.float32),
                np.full(n, 0.5, np.float32),
                np.full(n, 0.01, np.float32),
            ),
        )
