"""Detectors at equal numbers of false finds, on faces cut close, and what a photo costs each.

    python -m benchmarks.vision.detectors

Labelled photos of WIDER FACE are those of benchmarks/vision/detection.py, and so is what counts as
right and false. Default scores were chosen on 60 photos; reported are the other 100, at the default
score and at the score that leaves each detector so many false finds on these. Tight crops are the
middle of LFW photos, of a side in which the face fills the picture: found is a face whose box holds
the middle and takes a quarter of the crop. Seconds are the process's own, bound to one core, the
best of some repeats. Detectors whose files are not here are left out.
"""

from __future__ import annotations

import json
import os
import random
import time
from typing import Any

import cv2
import numpy as np

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from benchmarks.vision.detection import DATA, REPORTED, SEED, TIMED, Labelled, load_photos, quality
from facesearch.detect import create_detector
from facesearch.detect.turned import TurningDetector
from facesearch.detect.types import Detections, Detector, Pixels
from facesearch.evaluate.verification import read_pairs

MODELS = DATA.parent / "models"
LFW = DATA.parent / "lfw"
FALSE_FINDS = (17, 55, 100)
LOW_SCORE = 0.3
CROPS, CROP_SIDES = 500, (140, 112, 96)
REPEATS = 3


def detectors(min_score: float | None) -> dict[str, Detector]:
    """All that can be made here, by name; None takes each one's default."""
    made: dict[str, Detector] = {
        "YuNet (libfacedetection, OpenVINO)": create_detector("yunet", min_score=min_score),
        "YuNet, min face 10": create_detector("yunet", 10, min_score),
        "YuNet, min face 40": create_detector("yunet", 40, min_score),
        "MTCNN": create_detector("mtcnn", min_score=min_score),
    }
    scrfd = MODELS / "scrfd_500m_bnkps.onnx"
    if scrfd.exists():
        made["SCRFD 500m"] = create_detector(scrfd, min_score=min_score)
    return made


def at_score(found: list[Detections], score: float) -> list[Detections]:
    """What is left at a least score."""
    return [each.rows(each.scores >= score) for each in found]


def score_for(photos: list[Labelled], found: list[Detections], false_finds: int) -> float:
    """The least score that leaves no more than so many false finds."""
    scores = np.unique(np.concatenate([each.scores for each in found]))
    low, high = 0, len(scores) - 1
    while low < high:
        middle = (low + high) // 2
        if quality(photos, at_score(found, float(scores[middle])))["false"] <= false_finds:
            high = middle
        else:
            low = middle + 1
    return float(scores[low])


def at_equal_false_finds(photos: list[Labelled], found: list[Detections]) -> dict[str, Any]:
    """Recall at each number of false finds."""
    result = {}
    for count in FALSE_FINDS:
        score = score_for(photos, found, count)
        result[str(count)] = {"score": round(score, 4), **quality(photos, at_score(found, score))}
    return result


def tight_crops(side: int) -> list[Pixels]:
    """The middle of photos of LFW View 2."""
    pairs = read_pairs(LFW / "pairs.txt")
    names = sorted({*pairs.first, *pairs.second})
    chosen = random.Random(SEED).sample(names, CROPS)
    crops = []
    for name in chosen:
        photo = cv2.cvtColor(cv2.imread(str(LFW / "images" / name)), cv2.COLOR_BGR2RGB)
        top, left = ((length - side) // 2 for length in photo.shape[:2])
        crops.append(np.ascontiguousarray(photo[top : top + side, left : left + side]))
    return crops


def share_found(detector: Detector, crops: list[Pixels]) -> float:
    """In which the face of the middle is found."""
    found = 0
    for crop in crops:
        boxes = detector.detect([crop])[0].boxes
        middle, area = crop.shape[0] / 2, crop.shape[0] ** 2
        holds = (boxes[:, :2] < middle).all(axis=1) & (boxes[:, 2:] > middle).all(axis=1)
        large = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) > area / 4
        found += bool((holds & large).any())
    return round(found / len(crops), 4)


def photos_per_second(detector: Detector, photos: list[Pixels]) -> float:
    """By the process's own seconds, after a round that compiles what is compiled by use."""
    best = np.inf
    for repeat in range(REPEATS + 1):
        started = time.process_time()
        for photo in photos:
            detector.detect([photo])
        if repeat:
            best = min(best, time.process_time() - started)
    return round(len(photos) / best, 2)


def main() -> None:
    """Measure all detectors and record the result."""
    TimingParser(__doc__).parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    cv2.setNumThreads(1)
    names = list(json.loads((DATA / "boxes.json").read_text()))
    chosen_on, reported = load_photos(DATA, names[REPORTED:]), load_photos(DATA, names[:REPORTED])
    timed = [photo.pixels for photo in random.Random(SEED).sample(reported, TIMED)]
    result: dict[str, Any] = {}
    usual = detectors(None)
    for name, low in detectors(LOW_SCORE).items():
        detector = usual[name]
        turning = TurningDetector(detector)
        result[name] = {
            "name": detector.name,
            "default_score": detector.min_score,
            "chosen_on": quality(chosen_on, [detector.detect([p.pixels])[0] for p in chosen_on]),
            "at_default": quality(reported, [detector.detect([p.pixels])[0] for p in reported]),
            "at_false_finds": at_equal_false_finds(
                reported, [low.detect([photo.pixels])[0] for photo in reported]
            ),
            "tight_crops": {
                str(side): share_found(detector, tight_crops(side)) for side in CROP_SIDES
            },
            "photos_per_second_one_core": photos_per_second(detector, timed),
        }
        if name.startswith("YuNet ("):
            result[name]["turning"] = {
                "at_default": quality(reported, [turning.detect([p.pixels])[0] for p in reported]),
                "photos_per_second_one_core": photos_per_second(turning, timed),
            }
        print(name, json.dumps(result[name]))
    os.sched_setaffinity(0, cores)
    path = record(
        "detectors",
        {
            "photos": {"chosen_on": len(chosen_on), "reported": len(reported), "timed": TIMED},
            "tight_crops": CROPS,
            "seed": SEED,
            "repeats": REPEATS,
            "detectors": result,
        },
    )
    print(f"recorded in {path}")


if __name__ == "__main__":
    main()
