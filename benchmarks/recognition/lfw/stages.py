"""Photos of LFW to cached detections and embeddings, for every row of the ablation.

A row is a :class:`Variant`: a detector, a rule for which of a photo's faces is meant, a way to find
dlib's five landmarks in it, and the padding of the chip. Each stage keeps what it made in a cache
folder, so a detector runs once for all its rows, and a chip's mirror image is embedded beside it,
so that flip averaging costs no row of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections, Pixels
from facesearch.encoders.types import Encoder

PIECE = 500  # photos held in memory at once
THREADS = 2
SIDE = 250  # pixels: every photo of LFW
CHIP = 150  # pixels

Floats = NDArray[np.float64]
Choose = Callable[[Detections], int]
"""Which of one or more faces of a photo is the one that the photo is named after."""
Locate = Callable[[Pixels, Detections], Floats]
"""dlib's landmarks of one face, float64 (1, 5, 2), x and y in pixels of the photo."""


@dataclass(frozen=True)
class Variant:
    """One row; ``name`` names its file in the cache, ``detector`` one of :data:`DETECTORS`.

    ``title`` says in words what the row is; ``precision`` is the encoder's.
    """

    name: str
    title: str
    detector: str
    choose: Choose
    locate: Locate
    padding: float = 0.25
    precision: str = "fp32"


@dataclass(frozen=True)
class Embedded:
    """n photos: paths, unit vectors float32 (n, d) of the face and of its mirror image.

    ``found`` int64 (n,): how many faces the detector found in each.
    """

    paths: tuple[str, ...]
    vectors: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    found: NDArray[np.int64]

    @property
    def flip_averaged(self) -> NDArray[np.float32]:
        """Unit vectors of the mean of face and mirror image."""
        return unit(self.vectors + self.mirrored)


def joined(parts: list[Embedded]) -> Embedded:
    """The photos of all parts, one after another."""
    return Embedded(
        sum((part.paths for part in parts), ()),
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.mirrored for part in parts]),
        np.concatenate([part.found for part in parts]),
    )


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows float32 (n, d) scaled to length 1."""
    scaled: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def load_photo(path: Path) -> Pixels:
    """RGB uint8 (height, width, 3)."""
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def mtcnn() -> Callable[[Pixels], Detections]:
    """The project's detector as it is by default."""
    from facesearch.detect import create_detector

    detector = create_detector("mtcnn")
    return lambda photo: detector.detect([photo])[0]


def hog() -> Callable[[Pixels], Detections]:
    """dlib's detector, on photos doubled in size so that it finds faces of 40 pixels."""
    import threading

    import dlib

    # One for each thread: dlib does not promise that its detector may be shared.
    of_thread = threading.local()

    def detect(photo: Pixels) -> Detections:
        if not hasattr(of_thread, "detector"):
            of_thread.detector = dlib.get_frontal_face_detector()
        rects, scores, _ = of_thread.detector.run(photo, 1, 0.0)
        boxes = [[r.left(), r.top(), r.right(), r.bottom()] for r in rects]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.zeros((len(boxes), 5, 2), np.float32),
            np.array(scores, np.float32),
        )

    return detect


DETECTORS = {"mtcnn": mtcnn, "hog": hog}


def detections_of(name: str, images: Path, paths: tuple[str, ...], cache: Path) -> list[Detections]:
    """The faces of each photo, from the cache where they are there."""
    file = cache / f"detections-{name}.npz"
    if not file.exists():
        detect, found = DETECTORS[name](), list[Detections]()
        for photos in _photos(images, paths):
            with ThreadPoolExecutor(THREADS) as pool:
                found += pool.map(detect, photos)
        _save(
            file,
            paths=np.array(paths),
            counts=np.array([len(each) for each in found]),
            boxes=np.concatenate([each.boxes for each in found]),
            landmarks=np.concatenate([each.landmarks for each in found]),
            scores=np.concatenate([each.scores for each in found]),
        )
    with np.load(file) as kept:
        _check_paths(file, kept["paths"], paths)
        ends = np.cumsum(kept["counts"])[:-1]
        columns = (np.split(kept[key], ends) for key in ("boxes", "landmarks", "scores"))
        return [Detections(*each) for each in zip(*columns, strict=True)]


def embeddings_of(
    variant: Variant, encoder: Encoder, images: Path, paths: tuple[str, ...], cache: Path
) -> Embedded:
    """The vectors of one row, from the cache where they are there."""
    file = cache / f"embedded-{variant.name}.npz"
    if not file.exists():
        found = detections_of(variant.detector, images, paths, cache)
        faces = chosen_faces(found, variant.choose)
        vectors, mirrored = _embed(variant, encoder, faces, _photos(images, paths))
        counts = np.array([len(each) for each in found])
        _save(file, paths=np.array(paths), vectors=vectors, mirrored=mirrored, found=counts)
    with np.load(file) as kept:
        _check_paths(file, kept["paths"], paths)
        return Embedded(paths, kept["vectors"], kept["mirrored"], kept["found"])


def chosen_faces(found: list[Detections], choose: Choose) -> list[Detections]:
    """One face a photo; where none was found, the median of the other photos' stands in."""
    faces = [one_face(each, choose(each)) for each in found if len(each)]
    stand_in = Detections(
        np.median([face.boxes for face in faces], axis=0).astype(np.float32),
        np.median([face.landmarks for face in faces], axis=0).astype(np.float32),
        np.zeros(1, np.float32),
    )
    left = iter(faces)
    return [next(left) if len(each) else stand_in for each in found]


def one_face(faces: Detections, row: int) -> Detections:
    """Only the face in ``row``."""
    rows = slice(row, row + 1)
    return Detections(faces.boxes[rows], faces.landmarks[rows], faces.scores[rows])


def _embed(
    variant: Variant, encoder: Encoder, faces: list[Detections], pieces: Iterator[list[Pixels]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vectors float32 (n, d) of each photo's face, and of its mirror image."""
    from facesearch.align.chips import face_chips

    def chip_of(photo: Pixels, face: Detections) -> NDArray[np.uint8]:
        return face_chips(photo, variant.locate(photo, face), CHIP, variant.padding)[0]

    straight, mirrored, start = [], [], 0
    for photos in pieces:
        these = faces[start : start + len(photos)]
        start += len(photos)
        with ThreadPoolExecutor(THREADS) as pool:
            chips = np.stack(list(pool.map(chip_of, photos, these)))
        straight.append(encoder.embed(chips).vectors)
        mirrored.append(encoder.embed(np.ascontiguousarray(chips[:, :, ::-1])).vectors)
    return np.concatenate(straight), np.concatenate(mirrored)


def _photos(images: Path, paths: tuple[str, ...]) -> Iterator[list[Pixels]]:
    for start in range(0, len(paths), PIECE):
        with ThreadPoolExecutor(THREADS) as pool:
            files = [images / path for path in paths[start : start + PIECE]]
            yield list(pool.map(load_photo, files))


def _save(file: Path, **arrays: NDArray[np.generic]) -> None:
    """Written beside its place and renamed when whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    partial.rename(file)


def _check_paths(file: Path, kept: NDArray[np.str_], wanted: tuple[str, ...]) -> None:
    if tuple(kept.tolist()) != wanted:
        raise SystemExit(f"{file} is of other photos; remove it or take another cache folder")
