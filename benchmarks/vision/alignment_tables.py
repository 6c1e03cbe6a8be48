"""Faces that MTCNN and dlib's HOG both found, and what is fitted to them: for alignment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections, Pixels
from facesearch.evaluate import verification as v

SEED = 0
PIECE = 64  # photos
LONG_SIDE = 1024
Floats = NDArray[np.float64]
Table = dict[str, NDArray[Any]]  # photo (n,), hog (n, 4), box (n, 4), landmarks (n, 5, 2)


def load_photo(path: str, data: Path) -> Pixels:
    """RGB, shrunk to at most LONG_SIDE."""
    photo = cv2.cvtColor(cv2.imread(str(data / path)), cv2.COLOR_BGR2RGB)
    scale = min(1.0, LONG_SIDE / max(photo.shape[:2]))
    if scale < 1:
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return photo


def album_photos(data: Path) -> list[str]:
    return sorted(path.relative_to(data).as_posix() for path in data.glob("album/photos/*"))


def view1_photos(data: Path) -> list[str]:
    parts = [v.read_pairs(data / f"lfw/pairsDev{part}.txt") for part in ("Train", "Test")]
    return sorted({f"lfw/images/{path}" for p in parts for path in (*p.first, *p.second)})


def matched_faces(hog: Floats, found: Detections) -> list[tuple[Floats, int]]:
    """HOG's squares with the MTCNN face that is meant: centres and sizes close."""
    matches = []
    for rect in hog:
        side, centre = rect[2] - rect[0], (rect[:2] + rect[2:]) / 2
        offset = np.abs((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - centre).max(axis=1)
        ratio = (found.boxes[:, 3] - found.boxes[:, 1]) / side
        close = np.flatnonzero((offset < 0.4 * side) & (ratio > 0.5) & (ratio < 2))
        if len(close) == 1:
            matches.append((rect, int(close[0])))
    return matches


def central_faces(hog: Floats, found: Detections) -> list[tuple[Floats, int]]:
    """HOG's and MTCNN's face nearest the middle of a photo of LFW, if both found one."""
    if not len(hog) or not len(found):
        return []
    nearest = [
        int((((boxes[:, :2] + boxes[:, 2:]) / 2 - 125.0) ** 2).sum(axis=1).argmin())
        for boxes in (hog, found.boxes)
    ]
    return [(hog[nearest[0]], nearest[1])]


SETS: dict[str, tuple[Any, Any, int]] = {  # photos, pairing, times that HOG doubles the photo
    "album": (album_photos, matched_faces, 0),
    "view1": (view1_photos, central_faces, 1),
}


def load_table(cache: Path, name: str, data: Path) -> Table:
    """All faces of one set; SystemExit when pieces are missing."""
    files = sorted(cache.glob(f"{name}-?????.npz"))
    if len(files) != -(-len(SETS[name][0](data)) // PIECE):
        raise SystemExit(f"{cache} has not all of {name}; run collect first")
    pieces = [np.load(file) for file in files]
    filled = [piece for piece in pieces if len(piece["photo"])]
    return {
        key: np.concatenate([piece[key] for piece in filled])
        for key in ("photo", "hog", "box", "landmarks")
    }


def fit_half(table: Table) -> NDArray[np.bool_]:
    """Which rows belong to the random half of the photos that constants are fitted on."""
    photos = np.unique(table["photo"])
    chosen = np.random.default_rng(SEED).permutation(photos)[: len(photos) // 2]
    return np.isin(table["photo"], chosen)


def fit_square(centre: Floats, side: Floats, hog: Floats) -> dict[str, Any]:
    """Medians of what turns a centre and side into HOG's square, and the spread around them."""
    hog_side = hog[:, 2] - hog[:, 0]
    offset = ((hog[:, :2] + hog[:, 2:]) / 2 - centre) / hog_side[:, None]
    ratio = np.log(hog_side / side)
    return {
        "side": float(np.exp(np.median(ratio))),
        "offset": np.median(offset, axis=0).tolist(),
        "offset_deviation": offset.std(axis=0).tolist(),
        "log_side_deviation": float(ratio.std()),
    }


def landmark_frame(landmarks: Floats) -> tuple[Floats, Floats]:
    """Centroid (n, 2) and spread (n,) of landmarks (n, 5, 2)."""
    centroid = landmarks.mean(axis=1)
    return centroid, np.sqrt(((landmarks - centroid[:, None]) ** 2).sum(axis=(1, 2)))


def box_frame(boxes: Floats) -> tuple[Floats, Floats]:
    """Centre (n, 2) and geometric mean of the sides (n,)."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2, np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))


def fit(table: Table) -> dict[str, Any]:
    """Constants of both mappings, and MTCNN's mean landmarks in the frame of dlib's chips."""
    half = fit_half(table)
    hog = table["hog"][half]
    landmarks, boxes = (table[key][half].astype(np.float64) for key in ("landmarks", "box"))
    return {
        "faces": int(half.sum()),
        "from_landmarks": fit_square(*landmark_frame(landmarks), hog),
        "from_box": fit_square(*box_frame(boxes), hog),
    }


def squares(frame: tuple[Floats, Floats], constants: dict[str, Any]) -> Floats:
    """Squares (n, 4) from centres and sides by fitted constants."""
    side = frame[1] * constants["side"]
    centre = frame[0] + np.array(constants["offset"]) * side[:, None]
    return np.concatenate([centre - side[:, None] / 2, centre + side[:, None] / 2], axis=1)
