"""Portraits turned by 90, 180 and 270 degrees: how many are found, near their own upright face.

    python -m benchmarks.vision.turned [--encoder NAME ...]

200 photos of ``many``, four of each person, drawn by a seed, and without EXIF. Near is within the
encoder's identification threshold of the same photo's upright face. Pairs of strangers are faces of
different people turned alike; accepted are those within that threshold, beside the upright ones.
What photos cost is the process's own seconds; those without faces are noise of a photo's size.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from facesearch.detect.types import Pixels
from facesearch.encoders import encoder_names, encoder_spec, thresholds_of
from facesearch.engine import EncoderChoice, FaceEngine, PhotoFaces, create_engine
from facesearch.quality import MIN_QUALITY

MANY = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "many"
A_PERSON, SEED = 4, 0
QUARTERS = (1, 2, 3)


def portraits() -> tuple[list[Pixels], NDArray[np.int64]]:
    """The photos and their people."""
    draw = random.Random(SEED)
    folders = sorted(folder for folder in MANY.iterdir() if folder.is_dir())
    photos, people = [], []
    for person, folder in enumerate(folders):
        for path in draw.sample(sorted(folder.iterdir()), A_PERSON):
            photos.append(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
            people.append(person)
    return photos, np.array(people)


def middle_face(faces: PhotoFaces, photo: Pixels) -> int | None:
    """The row of the face nearest the middle."""
    if not len(faces):
        return None
    centres = faces.detections.boxes.reshape(-1, 2, 2).mean(axis=1)
    return int(((centres - np.array(photo.shape[1::-1]) / 2) ** 2).sum(axis=1).argmin())


def judge(
    engine: FaceEngine,
    photos: list[Pixels],
    people: NDArray[np.int64],
    upright: NDArray[np.float32] | None,
    threshold: float,
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """What is found, near and accepted; and the vectors, NaN where no face was found."""
    started = time.process_time()
    found = [engine.faces([photo])[0] for photo in photos]
    seconds = time.process_time() - started
    rows = [middle_face(faces, photo) for faces, photo in zip(found, photos, strict=True)]
    vectors = np.full((len(photos), engine.encoder.dimension), np.nan, np.float32)
    quality = np.full(len(photos), np.nan)
    for at, (faces, row) in enumerate(zip(found, rows, strict=True)):
        if row is not None:
            vectors[at] = faces.embeddings.vectors[row]
            quality[at] = faces.qualities.quality[row]
    there = np.flatnonzero(np.isfinite(quality))
    distances = 2 - 2 * vectors[there] @ vectors[there].T
    strangers = np.triu(people[there, None] != people[None, there], 1)
    usable = quality[there] >= MIN_QUALITY
    good = strangers & usable[:, None] & usable[None, :]
    reference = vectors[there] if upright is None else upright[there]
    near = ((vectors[there] - reference) ** 2).sum(axis=1) <= threshold
    return {
        "found": len(there) / len(photos),
        "near_own_upright": float(near.sum()) / len(photos),
        "pairs_of_strangers": int(strangers.sum()),
        "accepted": int((distances[strangers] <= threshold).sum()),
        "accepted_of_quality": int((distances[good] <= threshold).sum()),
        "of_quality": float(usable.mean()) if len(usable) else 0.0,
        "other_faces": sum(len(faces) for faces in found) - len(there),
        "milliseconds_a_photo": round(1000 * seconds / len(photos), 2),
    }, vectors


def measure(encoder: str, photos: list[Pixels], people: NDArray[np.int64]) -> dict[str, Any]:
    """Upright and turned, with and without looking at turns."""
    result: dict[str, Any] = {}
    for name, turned in (("one look", False), ("turned too", True)):
        engine = create_engine(encoder=EncoderChoice(encoder, threads=1), turned=turned)
        threshold = thresholds_of(engine.contract).identification
        engine.faces(photos[:4])
        upright, vectors = judge(engine, photos, people, None, threshold)
        blank = [np.random.default_rng(SEED).integers(0, 256, (768, 1024, 3), np.uint8)] * 10
        started = time.process_time()
        for photo in blank:
            engine.detect([photo])
        result[name] = {
            "threshold": threshold,
            "0": upright,
            "milliseconds_a_photo_without_faces": round(100 * (time.process_time() - started), 2),
        }
        for quarter in QUARTERS:
            turned_photos = [np.ascontiguousarray(np.rot90(photo, quarter)) for photo in photos]
            result[name][str(90 * quarter)] = judge(
                engine, turned_photos, people, vectors, threshold
            )[0]
    return result


def main() -> None:
    """Measure each encoder and record the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--encoder", nargs="*", metavar="NAME")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    photos, people = portraits()
    known = ("dlib-resnet-v1", "retail-0095")
    names = args.encoder or [
        name for name in encoder_names() if name in known and encoder_spec(name).present
    ]
    result = {name: measure(name, photos, people) for name in names}
    print(json.dumps(result, indent=2))
    print(record("turned", {"photos": len(photos), "seed": SEED, "encoders": result}))


if __name__ == "__main__":
    main()
