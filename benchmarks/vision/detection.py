"""Recall, false detections and speed of the face detectors on labelled photos of WIDER FACE.

    pip install --no-deps --target PEERS facenet-pytorch==2.6.0
    python -m benchmarks.vision.detection --peers PEERS [--repeats 4]

Photos are resized to at most 1024 pixels on their longer side for every detector. A detection is
right if it overlaps a labelled face of any size by IoU 0.4 or more (best score first, one detection
a face) and false otherwise; recall at a level is the share of that level's labelled faces that
have one. Reported are the first 100 photos in the order of boxes.json; the default scores of YuNet
and MTCNN were chosen on the other 60, MTCNN's as the best recall with no more false detections than
facenet-pytorch has there.

Speed is photos a second with the process bound to one core and every library to one thread, photos
decoded beforehand. In each repeat all detectors see the same 30 of the 100 photos one after the
other; every repeat is recorded, with wall time and the process's own processor time (on a shared
machine, wall time also measures the neighbours). Ratios are of the medians over repeats.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from facesearch.detect import create_detector
from facesearch.detect.boxes import matched, nms
from facesearch.detect.types import Detections, Pixels

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "wider"
REPORTED, TIMED, SEED = 100, 30, 0
PEER = "facenet-pytorch 2.6.0, min face {}"
OURS = {"yunet": "facesearch YuNet, min face {}", "mtcnn": "facesearch MTCNN, min face {}"}
HOG = ("dlib HOG, no upsampling", "dlib HOG, upsampled once, as face_recognition has it")
MIN_FACES = (20, 40)
Detect = Callable[[Pixels], Detections]
LEVELS = ("easy", "medium", "hard")
MATCH_OVERLAP = 0.4
LONG_SIDE = 1024


@dataclass(frozen=True)
class Labelled:
    """A photo as detectors see it, and its labelled faces in the same pixels."""

    name: str
    pixels: Pixels
    boxes: NDArray[np.float64]
    levels: dict[str, list[int]]


def load_photos(folder: Path, names: list[str]) -> list[Labelled]:
    """The named photos, resized to at most LONG_SIDE pixels on their longer side."""
    truth = json.loads((folder / "boxes.json").read_text())
    photos = []
    for name in names:
        pixels = cv2.cvtColor(cv2.imread(str(folder / "images" / name)), cv2.COLOR_BGR2RGB)
        scale = min(1.0, LONG_SIDE / max(pixels.shape[:2]))
        if scale < 1:
            size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        boxes = np.array(truth[name]["boxes_xywh"], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        levels = {level: truth[name][level] for level in LEVELS}
        photos.append(Labelled(name, pixels, boxes * scale, levels))
    return photos


def quality(photos: list[Labelled], found: list[Detections]) -> dict[str, Any]:
    """Recall at each level, and detections that match no labelled face of any level."""
    hits = dict.fromkeys(LEVELS, 0)
    totals = dict.fromkeys(LEVELS, 0)
    false = detections = 0
    for photo, faces in zip(photos, found, strict=True):
        taken = matched(faces.boxes, photo.boxes, MATCH_OVERLAP)
        false += int((taken < 0).sum())
        detections += len(faces)
        for level in LEVELS:
            totals[level] += len(photo.levels[level])
            hits[level] += len(set(taken.tolist()) & set(photo.levels[level]))
    recall = {level: round(hits[level] / totals[level], 4) for level in LEVELS}
    return {"recall": recall, "labelled": totals, "detections": detections, "false": false}


def facenet_pytorch(folder: Path, min_face: int) -> Detect:
    """facenet-pytorch's MTCNN at its defaults but for the smallest face."""
    import torch

    stand_in_for_torchvision()
    # The package's __init__ also imports its face encoder and that one's downloader: go around it.
    package = types.ModuleType("facenet_pytorch")
    package.__path__ = [str(folder / "facenet_pytorch")]
    sys.modules["facenet_pytorch"] = package
    from facenet_pytorch.models.mtcnn import MTCNN

    network = MTCNN(min_face_size=min_face, keep_all=True, device="cpu")

    def detect(photo: Pixels) -> Detections:
        with torch.no_grad():
            boxes, scores, landmarks = network.detect(photo, landmarks=True)
        if boxes is None:
            return Detections.none()
        return Detections(
            np.asarray(boxes, np.float32),
            np.asarray(landmarks, np.float32),
            np.asarray(scores, np.float32),
        )

    return detect


def stand_in_for_torchvision() -> None:
    """Give facenet-pytorch the one function it needs of torchvision: NMS by compiled code.

    Each group of boxes is moved to a place of its own, as torchvision does, and suppressed by
    this project's compiled NMS, which takes well under a millisecond a call.
    """
    import torch

    def batched_nms(boxes: Any, scores: Any, groups: Any, threshold: float) -> Any:
        if boxes.numel() == 0:
            return torch.empty(0, dtype=torch.int64)
        moved = boxes + (groups.to(boxes) * (boxes.max() + 1))[:, None]
        return torch.from_numpy(nms(moved.numpy(), scores.numpy(), threshold))

    names = ("", ".transforms", ".transforms.functional", ".ops", ".ops.boxes")
    names += (".datasets", ".models", ".datasets.utils")
    for name in names:
        sys.modules.setdefault("torchvision" + name, types.ModuleType("torchvision" + name))
    sys.modules["torchvision.transforms"].functional = sys.modules[
        "torchvision.transforms.functional"
    ]
    sys.modules["torchvision.ops.boxes"].batched_nms = batched_nms


def dlib_hog(upsampled: int) -> Detect:
    """dlib's HOG detector: faces from about 80 pixels, from 40 in a photo upsampled once."""
    import dlib

    network = dlib.get_frontal_face_detector()

    def detect(photo: Pixels) -> Detections:
        found, scores, _ = network.run(photo, upsampled, 0.0)
        boxes = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in found]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.zeros((len(boxes), 5, 2), np.float32),
            np.array(scores, np.float32),
        )

    return detect


def ours(name: str, min_face: int) -> Detect:
    """One photo a call, as the peers take them."""
    detector = create_detector(name, min_face, threads=1)
    return lambda photo: detector.detect([photo])[0]


def seconds(detect: Detect, photos: list[Pixels]) -> tuple[float, float]:
    """Wall and processor seconds of all photos, one after the other."""
    wall, processor = time.perf_counter(), time.process_time()
    for photo in photos:
        detect(photo)
    return time.perf_counter() - wall, time.process_time() - processor


def measure_speed(
    detectors: dict[str, Detect], photos: list[Pixels], repeats: int
) -> dict[str, Any]:
    """Photos a second of each detector in each repeat."""
    speeds: dict[str, Any] = {name: {"wall": [], "processor": []} for name in detectors}
    for _ in range(repeats):
        for name, detect in detectors.items():
            for clock, spent in zip(speeds[name], seconds(detect, photos), strict=True):
                speeds[name][clock].append(round(len(photos) / spent, 2))
    return speeds


def measure_threads(photos: list[Pixels], min_face: int, repeats: int) -> dict[str, list[float]]:
    """Photos a second (wall) when one or two threads share the default detector."""
    detector = create_detector("yunet", min_face, threads=1, callers=2)
    speeds: dict[str, list[float]] = {"1": [], "2": []}
    for _ in range(repeats):
        for threads in (1, 2):
            with ThreadPoolExecutor(threads) as pool:
                start = time.perf_counter()
                list(pool.map(lambda photo: detector.detect([photo]), photos))
                spent = time.perf_counter() - start
            speeds[str(threads)].append(round(len(photos) / spent, 2))
    return speeds


_START = """
import re, time
from pathlib import Path
def peak():  # not getrusage: that one starts at the parent's size
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
start = time.perf_counter()
import numpy as np
from facesearch.detect import create_detector
detector = create_detector("yunet")
imported = time.perf_counter()
detector.detect([np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)])
ready = time.perf_counter()
before = peak()
photos = np.random.default_rng(0).integers(0, 256, (8, 768, 1024, 3), dtype=np.uint8)
detector.detect(list(photos))
after = peak()
print(imported - start, ready - imported, before / 1024, after / 1024)
"""


def measure_start() -> dict[str, Any]:
    """Seconds to be ready and MiB in fresh processes: compiling, then with the code cached."""
    result = {}
    with tempfile.TemporaryDirectory() as cache:
        for run in ("first_run", "later_run"):
            done = subprocess.run(
                [sys.executable, "-c", _START],
                env=os.environ | {"NUMBA_CACHE_DIR": cache},
                capture_output=True,
                text=True,
                check=True,
            )
            values = [round(float(value), 2) for value in done.stdout.split()]
            names = ("import_seconds", "ready_seconds", "ready_mib", "peak_mib_8_photos")
            result[run] = dict(zip(names, values, strict=True))
    return result


def table(qualities: dict[str, Any], speeds: dict[str, Any]) -> str:
    """The result in Markdown."""
    lines = [
        "| detector | easy | medium | hard | false / found | photos/s | by processor time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in qualities.items():
        recall = " | ".join(f"{found['recall'][level]:.3f}" for level in LEVELS)
        clocks = [statistics.median(speeds[name][clock]) for clock in ("wall", "processor")]
        lines.append(
            f"| {name} | {recall} | {found['false']} / {found['detections']} "
            f"| {clocks[0]:.1f} | {clocks[1]:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure quality and speed of every detector and record them."""
    import torch

    parser = TimingParser(__doc__)
    parser.add_argument("--peers", type=Path, help="folder that holds facenet-pytorch")
    parser.add_argument("--repeats", type=int, default=4)
    arguments = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    names = list(json.loads((DATA / "boxes.json").read_text()))[:REPORTED]
    photos = load_photos(DATA, names)
    timed = [photo.pixels for photo in random.Random(SEED).sample(photos, TIMED)]
    detectors: dict[str, Detect] = {
        label.format(size): ours(name, size) for name, label in OURS.items() for size in MIN_FACES
    }
    if arguments.peers:
        for size in MIN_FACES:
            detectors[PEER.format(size)] = facenet_pytorch(arguments.peers, size)
    for upsampled, name in enumerate(HOG):
        detectors[name] = dlib_hog(upsampled)
    qualities = {
        name: quality(photos, [detect(photo.pixels) for photo in photos])
        for name, detect in detectors.items()
    }
    speeds = measure_speed(detectors, timed, arguments.repeats)
    ratios = {
        label.format(size): {
            clock: round(
                statistics.median(speeds[label.format(size)][clock])
                / statistics.median(speeds[PEER.format(size)][clock]),
                2,
            )
            for clock in ("wall", "processor")
        }
        for label in OURS.values()
        for size in MIN_FACES
        if arguments.peers
    }
    os.sched_setaffinity(0, cores)
    result = {
        "photos": {"reported": len(photos), "timed": TIMED, "seed": SEED, "long_side": LONG_SIDE},
        "match_iou": MATCH_OVERLAP,
        "notes": "facenet-pytorch's torchvision NMS is replaced by this project's compiled NMS",
        "quality": qualities,
        "photos_per_second_one_core": speeds,
        "speed_over_facenet_pytorch": ratios,
        "photos_per_second_by_threads_min_face_20": measure_threads(timed, 20, arguments.repeats),
        "start": measure_start(),
    }
    print(table(qualities, speeds))
    print(json.dumps({key: result[key] for key in list(result)[5:]}, indent=2))
    record("detection", result)


if __name__ == "__main__":
    main()
