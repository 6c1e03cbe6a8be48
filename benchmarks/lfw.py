"""Verification on Labeled Faces in the Wild, end to end: detector, aligner, encoder.

    python -m benchmarks.lfw embed --pipeline facesearch --cache DIR [--seconds 150]
    python -m benchmarks.lfw embed --pipeline dlib-hog --cache DIR
    python -m benchmarks.lfw report --cache DIR

``embed`` keeps every finished piece in ``DIR`` and goes on where it stopped. The pipeline
``dlib-hog`` is the peer: dlib's HOG detector and its own chips before the same network. In photos
with several faces the one nearest the centre is taken; where none was found, the median of the
boxes found in other photos stands in for it. Thresholds are chosen on View 1 and reported on
View 2.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.record import record
from facesearch.detect.types import Detections, Pixels
from facesearch.encoders import load_encoder
from facesearch.evaluate import verification as v

PIECE = 500  # photos
FARS = (1e-3, 1e-2)
ALL_PAIRS_FARS = (1e-2, 1e-3, 1e-4, 1e-5)
PERCENTILES = (0.1, 1, 5, 25, 50, 75, 95, 99, 99.9)
CENTRE = 125.0  # pixels: the photos are 250 x 250
SEED = 0


@dataclass(frozen=True)
class Pipeline:
    """``detect`` gives the faces of one photo, ``align`` the chips of given faces."""

    detect: Callable[[Pixels], Detections]
    align: Callable[[Pixels, Detections], NDArray[np.uint8]]
    name: str
    workers: int  # threads that detect and align


def facesearch_pipeline() -> Pipeline:
    """The project's defaults."""
    from facesearch.align import DlibAligner
    from facesearch.detect import create_detector

    detector, aligner = create_detector(), DlibAligner()
    return Pipeline(
        lambda photo: detector.detect([photo])[0],
        aligner.align,
        f"{detector.name} {aligner.name}",
        workers=2,
    )


def dlib_hog_pipeline() -> Pipeline:
    """dlib's detector (photos doubled in size, so that it finds faces of 40 pixels) and chips."""
    import dlib

    from facesearch.align.shape_predictor import FIVE_POINT_MODEL

    find = dlib.get_frontal_face_detector()
    predict = dlib.shape_predictor(str(FIVE_POINT_MODEL.locate()))

    def detect(photo: Pixels) -> Detections:
        rects, scores, _ = find.run(photo, 1, 0.0)
        boxes = [[r.left(), r.top(), r.right(), r.bottom()] for r in rects]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.zeros((len(boxes), 5, 2), np.float32),
            np.array(scores, np.float32),
        )

    def align(photo: Pixels, faces: Detections) -> NDArray[np.uint8]:
        rects = [dlib.rectangle(*(round(x) for x in box)) for box in faces.boxes.tolist()]
        chips = [dlib.get_face_chip(photo, predict(photo, r), 150, 0.25) for r in rects]
        return np.array(chips, np.uint8).reshape(-1, 150, 150, 3)

    # One worker: dlib does not promise that its detector may be shared between threads.
    return Pipeline(detect, align, "dlib HOG, upsampled once; dlib get_face_chip", workers=1)


PIPELINES = {"facesearch": facesearch_pipeline, "dlib-hog": dlib_hog_pipeline}


def nearest_centre(faces: Detections) -> Detections:
    """The one face nearest the photo's centre, or none."""
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    order = np.argsort(((centres - CENTRE) ** 2).sum(axis=1))[:1]
    return Detections(faces.boxes[order], faces.landmarks[order], faces.scores[order])


def median_face(faces: list[Detections]) -> Detections:
    """The median box and landmarks of photos in which a face was found."""
    found = [face for face in faces if len(face)]
    return Detections(
        np.median([face.boxes for face in found], axis=0).astype(np.float32),
        np.median([face.landmarks for face in found], axis=0).astype(np.float32),
        np.zeros(1, np.float32),
    )


def embed_piece(photos: list[Pixels], pipeline: Pipeline, encoder: Any) -> dict[str, Any]:
    """Vectors, norms, boxes and whether a face was found, for photos of one piece."""
    with ThreadPoolExecutor(pipeline.workers) as pool:
        found = list(pool.map(pipeline.detect, photos))
        faces = [nearest_centre(each) for each in found]
        stand_in = median_face(faces)
        faces = [face if len(face) else stand_in for face in faces]
        chips = list(pool.map(pipeline.align, photos, faces))
    embedded = encoder.embed(np.concatenate(chips))
    return {
        "vectors": embedded.vectors,
        "norms": embedded.norms,
        "boxes": np.concatenate([face.boxes for face in faces]),
        "scores": np.concatenate([face.scores for face in faces]),
        "faces": np.array([len(each) for each in found], np.int32),
    }


def list_photos(data: Path) -> list[str]:
    """Relative paths of all photos, sorted."""
    return sorted(path.relative_to(data / "images").as_posix() for path in data.glob("images/*/*"))


def run_embed(args: argparse.Namespace) -> None:
    """Embed the pieces that are not in the cache yet, for at most ``args.seconds``."""
    paths = list_photos(args.data)
    args.cache.mkdir(parents=True, exist_ok=True)
    pipeline, encoder = PIPELINES[args.pipeline](), load_encoder()
    began = time.perf_counter()
    for start in range(0, len(paths), PIECE):
        file = args.cache / f"{args.pipeline}-{start:05d}.npz"
        if file.exists():
            continue
        if time.perf_counter() - began > args.seconds:
            print(f"stopped before photo {start} of {len(paths)}; run again", file=sys.stderr)
            raise SystemExit(3)
        piece = paths[start : start + PIECE]
        photos = [cv2.imread(str(args.data / "images" / path))[:, :, ::-1].copy() for path in piece]
        result = embed_piece(photos, pipeline, encoder)
        partial = file.with_suffix(".partial.npz")
        np.savez(partial, paths=np.array(piece), pipeline=pipeline.name, **result)
        partial.rename(file)


def load_embeddings(cache: Path, pipeline: str, paths: list[str]) -> dict[str, NDArray[Any]]:
    """All cached pieces of one pipeline, joined; SystemExit when some are missing."""
    pieces = [np.load(file) for file in sorted(cache.glob(f"{pipeline}-?????.npz"))]
    if not pieces or sum(len(piece["paths"]) for piece in pieces) != len(paths):
        raise SystemExit(f"{cache} has not all photos of {pipeline}; run embed first")
    keys = ("paths", "vectors", "norms", "boxes", "scores", "faces")
    joined = {key: np.concatenate([piece[key] for piece in pieces]) for key in keys}
    return joined | {"pipeline": pieces[0]["pipeline"]}


def distances_of(pairs: v.Pairs, embedded: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Squared distances of all pairs of a view."""
    rows = {path: row for row, path in enumerate(embedded["paths"].tolist())}
    first, second = (
        embedded["vectors"][[rows[path] for path in side]] for side in (pairs.first, pairs.second)
    )
    return v.pair_distances(first, second)


def choose_thresholds(data: Path, embedded: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Thresholds from both halves of View 1 together: best accuracy, and FARs."""
    parts = [v.read_pairs(data / f"pairsDev{part}.txt") for part in ("Train", "Test")]
    distances = np.concatenate([distances_of(part, embedded) for part in parts])
    same = np.concatenate([part.same for part in parts])
    best = v.best_threshold(distances, same)
    return {
        "pairs": len(same),
        "best_accuracy": best,
        "accuracy_there": v.accuracy(distances, same, best),
        "at_far": {str(far): v.threshold_at_far(distances, same, far) for far in FARS},
    }


def choose_by_all_pairs(data: Path, embedded: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Thresholds for rarer false accepts: from every two photos of View 1 of different people."""
    parts = [v.read_pairs(data / f"pairsDev{part}.txt") for part in ("Train", "Test")]
    used = {path for part in parts for path in (*part.first, *part.second)}
    rows = np.array([path in used for path in embedded["paths"].tolist()])
    vectors = embedded["vectors"][rows]
    people = np.array([path.partition("/")[0] for path in embedded["paths"][rows].tolist()])
    upper = np.triu(np.ones((len(people), len(people)), bool), 1)
    same = (people[:, None] == people)[upper]
    distances = (2 - 2 * (vectors @ vectors.T))[upper]
    rows_of_table = []
    for far in ALL_PAIRS_FARS:
        threshold = v.threshold_at_far(distances, same, far)
        tar, _ = v.rates(distances, same, threshold)
        rows_of_table.append({"far": far, "threshold": threshold, "tar": tar})
    counts = {"photos": len(people), "same_pairs": int(same.sum()), "pairs": len(same)}
    return counts | {"at_far": rows_of_table}


def evaluate(data: Path, embedded: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """View 2 by its protocol, and at the threshold chosen on View 1."""
    pairs = v.read_pairs(data / "pairs.txt")
    distances, same = distances_of(pairs, embedded), pairs.same
    folds = v.fold_accuracy(distances, same, pairs.folds)
    view1 = choose_thresholds(data, embedded)
    tar, far = v.rates(distances, same, view1["best_accuracy"])
    used = set(pairs.first) | set(pairs.second)
    in_view2 = np.array([path in used for path in embedded["paths"].tolist()])
    return {
        "pipeline": str(embedded["pipeline"]),
        "photos": len(in_view2),
        "photos_without_face": int((embedded["faces"] == 0).sum()),
        "view2_photos": len(used),
        "view2_photos_without_face": int((embedded["faces"][in_view2] == 0).sum()),
        "accuracy": {
            "mean": folds.mean,
            "standard_error": folds.standard_error,
            "folds": folds.accuracies.tolist(),
            "fold_thresholds": folds.thresholds.tolist(),
        },
        "tar_at_far": {str(far): tar_estimate(distances, same, far) for far in FARS},
        "area_under_roc": v.area_under_roc(distances, same),
        "equal_error_rate": vars(v.bootstrap(v.equal_error_rate, distances, same, seed=SEED)),
        "view1_thresholds": view1,
        "view1_all_pairs": choose_by_all_pairs(data, embedded),
        "at_view1_threshold": {
            "accuracy": v.accuracy(distances, same, view1["best_accuracy"]),
            "tar": tar,
            "far": far,
        },
        "distance_percentiles": {
            "percentiles": PERCENTILES,
            "same": np.percentile(distances[same], PERCENTILES).tolist(),
            "different": np.percentile(distances[~same], PERCENTILES).tolist(),
        },
    }


def tar_estimate(
    distances: NDArray[np.float32], same: NDArray[np.bool_], far: float
) -> dict[str, float]:
    """TAR at one FAR with its bootstrap interval, and the threshold that gives it."""
    estimate = v.bootstrap(lambda d, s: v.tar_at_far(d, s, far), distances, same, seed=SEED)
    return vars(estimate) | {"threshold": v.threshold_at_far(distances, same, far)}


def run_report(args: argparse.Namespace) -> None:
    """Evaluate the pipelines that are in the cache and record the result."""
    paths = list_photos(args.data)
    results = {}
    for name in args.pipelines:
        embedded = load_embeddings(args.cache, name, paths)
        results[name] = evaluate(args.data, embedded)
        accuracy, tars = results[name]["accuracy"], results[name]["tar_at_far"]
        print(
            f"{name:12s} accuracy {accuracy['mean']:.4f} +- {accuracy['standard_error']:.4f}   "
            + "   ".join(
                f"TAR at FAR {far}: {tar['value']:.4f} +- {tar['standard_error']:.4f}"
                for far, tar in tars.items()
            )
        )
    data = "LFW, deep-funneled, View 2 (6,000 pairs, 10 folds); squared distances of unit vectors"
    print(record("lfw", {"data": data, "seed": SEED, "results": results}))


def main() -> None:
    """Embed the photos, or report on what was embedded."""
    data = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=data, help="folder with images/, pairs.txt")
    commands = parser.add_subparsers(required=True)
    embed = commands.add_parser("embed")
    embed.add_argument("--pipeline", choices=sorted(PIPELINES), required=True)
    embed.add_argument("--seconds", type=float, default=np.inf, help="begin no piece after these")
    embed.set_defaults(run=run_embed)
    report = commands.add_parser("report")
    report.add_argument("--pipelines", nargs="+", default=sorted(PIPELINES, reverse=True))
    report.set_defaults(run=run_report)
    for command in (embed, report):
        command.add_argument("--cache", type=Path, required=True, help="outside the repository")
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
