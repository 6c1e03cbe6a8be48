"""Faces from some size on, in photos that are reduced for it: as many as in photos that are not?

    python -m benchmarks.vision.large_faces [--encoder NAME ...]

Labelled photos of WIDER FACE are those of benchmarks/vision/detection.py, and so is what counts as
right and false. How many pixels a face is to have in what YuNet is shown was chosen on 60 photos;
reported are the other 100, at that choice. Recall is of labelled faces whose longer side has at
least so many pixels, found by boxes that have as many; false are such boxes that match no labelled
face of any size. What reduced photos do to vectors, by landmarks that are less exact, is measured
on every second photo of the album: squared distances of each face found both ways.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np

from benchmarks.common.record import record
from benchmarks.vision.detection import DATA, MATCH_OVERLAP, REPORTED, Labelled, load_photos
from facesearch.detect import create_detector, scaling
from facesearch.detect.boxes import matched
from facesearch.detect.types import Detections
from facesearch.detect.yunet import detector as yunet
from facesearch.encoders import encoder_names, encoder_spec, thresholds_of
from facesearch.engine import DECODE_SIDE, EncoderChoice, create_engine
from facesearch.images.decode import decode_photo

SIGHTS = (16, 20, 24, 28, 32)
MIN_FACES = (20, 30, 40, 60, 80)
OF_VECTORS = 40  # pixels of the smallest faces whose vectors are compared
EVERY, BATCH = 2, 16  # photos of the album
ENCODERS = ("dlib-resnet-v1", "retail-0095")


@contextmanager
def sight(pixels: int | None) -> Iterator[None]:
    """Within this, photos are reduced until faces have so many pixels; None for not at all."""
    scale = functools.partial(scaling.sight_scale, sight=pixels)
    with mock.patch.object(yunet, "sight_scale", scale if pixels else lambda *_: 1.0):
        yield


def large(boxes: Any, least: int) -> Any:
    """Which boxes (n, 4) have a longer side of ``least`` pixels."""
    return (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= least


def quality(photos: list[Labelled], found: list[Detections], least: int) -> dict[str, Any]:
    """Recall of the labelled faces that are large, and how many boxes are false."""
    labelled = hits = detections = false = 0
    for photo, faces in zip(photos, found, strict=True):
        taken = matched(faces.boxes, photo.boxes, MATCH_OVERLAP)
        wanted = np.flatnonzero(large(photo.boxes, least))
        labelled += len(wanted)
        hits += len(set(taken.tolist()) & set(wanted.tolist()))
        detections += len(faces)
        false += int((taken < 0).sum())
    return {
        "recall": round(hits / labelled, 4),
        "labelled": labelled,
        "detections": detections,
        "false": false,
    }


def measure(photos: list[Labelled], pixels: int | None) -> dict[str, Any]:
    """The quality for each size of the smallest faces wanted."""
    result = {}
    for least in MIN_FACES:
        detector = create_detector("yunet", least, threads=1)
        with sight(pixels):
            found = [detector.detect([photo.pixels])[0] for photo in photos]
        result[str(least)] = quality(photos, found, least)
    return result


def vectors(encoder: str, paths: list[Path]) -> dict[str, Any]:
    """How far the vectors of a face found both ways are apart."""
    engine = create_engine(encoder=EncoderChoice(encoder, threads=1), min_face=OF_VECTORS)
    distances = [np.zeros(0)]
    for start in range(0, len(paths), BATCH):
        photos = [
            decode_photo(path, max_side=DECODE_SIDE).pixels for path in paths[start : start + BATCH]
        ]
        reduced = engine.faces(photos)
        with sight(None):
            full = engine.faces(photos)
        for one, other in zip(reduced, full, strict=True):
            row = matched(one.detections.boxes, other.detections.boxes, MATCH_OVERLAP)
            mine = one.embeddings.vectors[row >= 0]
            theirs = other.embeddings.vectors[row[row >= 0]]
            distances.append(((mine - theirs) ** 2).sum(axis=1))
    joined = np.concatenate(distances)
    threshold = thresholds_of(engine.contract).identification
    return {
        "faces": len(joined),
        "threshold": threshold,
        "mean_squared_distance": round(float(joined.mean()), 5),
        "of_100_the_99th": round(float(np.quantile(joined, 0.99)), 5),
        "within_threshold": round(float((joined <= threshold).mean()), 5),
    }


def main() -> None:
    """Measure all sizes and record the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--encoder", nargs="*", metavar="NAME")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    names = list(json.loads((DATA / "boxes.json").read_text()))
    chosen_on, reported = load_photos(DATA, names[REPORTED:]), load_photos(DATA, names[:REPORTED])
    album = sorted((DATA.parent / "album" / "photos").iterdir())[::EVERY]
    encoders = args.encoder or [
        name for name in encoder_names() if name in ENCODERS and encoder_spec(name).present
    ]
    result = {
        "photos": {"chosen_on": len(chosen_on), "reported": len(reported), "album": len(album)},
        "match_iou": MATCH_OVERLAP,
        "sight": scaling.SIGHT,
        "shortest": scaling.SHORTEST,
        "chosen_on": {
            "full": measure(chosen_on, None),
            **{str(pixels): measure(chosen_on, pixels) for pixels in SIGHTS},
        },
        "reported": {
            "full": measure(reported, None),
            str(scaling.SIGHT): measure(reported, scaling.SIGHT),
        },
        "vectors": {name: vectors(name, album) for name in encoders},
    }
    print(json.dumps(result, indent=2))
    print(f"recorded in {record('large_faces', result)}")


if __name__ == "__main__":
    main()
