"""The faces that a quality score is fitted to and judged by, embedded once and kept.

Photos of LFW as they are and degraded (:mod:`benchmarks.common.degrade`), in which the face nearest
the middle is the one; and photos of WIDER FACE as :mod:`benchmarks.vision.detection` matches what
is found in them with its labels: 100 to report on, and 60 to fit to, these at three sizes and
mirrored too.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.degrade import FITTED, OTHERS, degraded
from benchmarks.vision.detection import MATCH_OVERLAP, REPORTED, Labelled, load_photos
from facesearch.detect.boxes import matched
from facesearch.detect.turned import TurningDetector, TurnLimits
from facesearch.detect.types import Detections, Pixels
from facesearch.engine import FaceEngine, PhotoFaces
from facesearch.evaluate.verification import LabelledPairs, read_pairs
from facesearch.quality import components, uprightness

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
BATCH = 32  # photos


@dataclass(frozen=True)
class RatedFaces:
    """n faces: their photos' names, how those were degraded ("" where not), and whether they are
    ``real`` bool (n,); the other arrays as :class:`PhotoFaces` has them."""

    names: NDArray[np.str_]
    ways: NDArray[np.str_]
    real: NDArray[np.bool_]
    quality: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    noise: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]
    norms: NDArray[np.float32]
    upright: NDArray[np.float32]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.names)

    def components(self) -> dict[str, NDArray[np.float64]]:
        """What quality is made of; see :func:`facesearch.quality.components`."""
        sharpness, noise = self.sharpness.astype(np.float64), self.noise.astype(np.float64)
        return components(sharpness, noise, self.landmarks, self.scores, self.norms, self.upright)

    def rows(self) -> dict[str, int]:
        """Row of each name."""
        return {name: row for row, name in enumerate(self.names.tolist())}


def view1_pairs() -> list[LabelledPairs]:
    """Both halves of LFW View 1."""
    return [read_pairs(DATA / "lfw" / f"pairsDev{part}.txt") for part in ("Train", "Test")]


def view2_pairs() -> LabelledPairs:
    """The pairs of LFW View 2."""
    return read_pairs(DATA / "lfw" / "pairs.txt")


def photos_of(pairs: Sequence[LabelledPairs]) -> list[str]:
    """Names of all photos in some pairs, sorted."""
    return sorted({name for each in pairs for name in (*each.first, *each.second)})


def load_faces(name: str, cache: Path, engine: Callable[[], FaceEngine]) -> RatedFaces:
    """A set of faces by name, from ``cache`` or embedded into it."""
    path = cache / f"{name}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        faces = _sets()[name](engine())
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **vars(faces))
        partial.rename(path)
    with np.load(path) as stored:
        return RatedFaces(**{key: stored[key] for key in stored.files})


def _lfw(names: Sequence[str], ways: Sequence[Any]) -> Callable[[FaceEngine], RatedFaces]:
    def embed(engine: FaceEngine) -> RatedFaces:
        pieces = []
        for start in range(0, len(names), BATCH):
            batch = [_lfw_photo(name, ways) for name in names[start : start + BATCH]]
            photos = [photo for photo, _ in batch]
            found = [
                _nearest_middle(each, photo)
                for each, photo in zip(engine.detect(photos), photos, strict=True)
            ]
            for name, (_, way), faces in zip(
                names[start : start + BATCH], batch, engine.embed(photos, found), strict=True
            ):
                pieces.append(_faces(name, way, faces, np.ones(len(faces), bool)))
        return _joined(pieces)

    return embed


def _turned(names: Sequence[str]) -> Callable[[FaceEngine], RatedFaces]:
    """Photos turned by one to three quarters, their faces left as a detector first sees them."""

    def embed(engine: FaceEngine) -> RatedFaces:
        detector = engine.detector
        detector = detector.detector if isinstance(detector, TurningDetector) else detector
        unbelieving = TurningDetector(detector, TurnLimits(gain=np.inf))
        pieces = []
        for number, name in enumerate(names):
            photo = np.ascontiguousarray(np.rot90(_lfw_photo(name, ())[0], 1 + number % 3))
            found = _nearest_middle(unbelieving.detect([photo])[0], photo)
            (faces,) = engine.embed([photo], [found])
            pieces.append(_faces(name, "turned", faces, np.ones(len(faces), bool)))
        return _joined(pieces)

    return embed


def _with_mates(names: Sequence[str]) -> list[str]:
    """The photos of people of whom there are several."""
    people = Counter(name.partition("/")[0] for name in names)
    return [name for name in names if people[name.partition("/")[0]] > 1]


def _lfw_photo(name: str, ways: Sequence[Any]) -> tuple[Pixels, str]:
    photo = cv2.imread(str(DATA / "lfw" / "images" / name))[:, :, ::-1].copy()
    return degraded(photo, name, ways) if ways else (photo, "")


def _nearest_middle(faces: Detections, photo: Pixels) -> Detections:
    """The one face nearest the photo's middle, or none."""
    middle = np.array([photo.shape[1], photo.shape[0]]) / 2
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    return faces.rows(np.argsort(((centres - middle) ** 2).sum(axis=1))[:1])


def _wider(part: slice, variants: bool) -> Callable[[FaceEngine], RatedFaces]:
    def embed(engine: FaceEngine) -> RatedFaces:
        names = list(json.loads((DATA / "wider" / "boxes.json").read_text()))[part]
        pieces = []
        for photo in load_photos(DATA / "wider", names):
            for pixels, boxes in _variants(photo) if variants else [(photo.pixels, photo.boxes)]:
                (faces,) = engine.faces([pixels])
                real = matched(faces.detections.boxes, boxes, MATCH_OVERLAP) >= 0
                pieces.append(_faces(photo.name, "", faces, real))
        return _joined(pieces)

    return embed


def _variants(photo: Labelled) -> Iterator[tuple[Pixels, NDArray[np.float64]]]:
    """The photo and its labelled boxes at three sizes, each as it is and mirrored."""
    for scale in (1.0, 0.7, 0.5):
        pixels, boxes = photo.pixels, photo.boxes * scale
        if scale < 1:
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield pixels, boxes
        mirrored = boxes.copy()
        mirrored[:, [0, 2]] = pixels.shape[1] - boxes[:, [2, 0]]
        yield np.ascontiguousarray(pixels[:, ::-1]), mirrored


def _faces(name: str, way: str, faces: PhotoFaces, real: NDArray[np.bool_]) -> RatedFaces:
    return RatedFaces(
        names=np.full(len(faces), name),
        ways=np.full(len(faces), way),
        real=real,
        **vars(faces.qualities),
        landmarks=faces.detections.landmarks,
        scores=faces.detections.scores,
        upright=uprightness(faces.detections),
        **vars(faces.embeddings),
    )


def _joined(pieces: Sequence[RatedFaces]) -> RatedFaces:
    return RatedFaces(
        **{key: np.concatenate([getattr(each, key) for each in pieces]) for key in vars(pieces[0])}
    )


def _sets() -> dict[str, Callable[[FaceEngine], RatedFaces]]:
    view1, view2 = photos_of(view1_pairs()), photos_of([view2_pairs()])
    return {
        "lfw": _lfw(sorted({*view1, *view2}), ()),
        "view1": _lfw(_with_mates(view1), ()),
        "view1-degraded": _lfw(_with_mates(view1), FITTED),
        "view1-turned": _turned(_with_mates(view1)[::4]),
        "view2-degraded": _lfw(sorted(set(view2_pairs().second)), (*FITTED, *OTHERS)),
        "wider-fitted": _wider(slice(REPORTED, None), variants=True),
        "wider-reported": _wider(slice(REPORTED), variants=False),
    }
