"""What detector, choice of face, landmarks, crop and flip averaging contribute on LFW.

    python -m benchmarks.recognition.lfw.ablation fit --cache DIR
    python -m benchmarks.recognition.lfw.ablation embed --cache DIR [--rows NAME ...]
    python -m benchmarks.recognition.lfw.ablation report --cache DIR

``embed`` makes the rows that are not in ``DIR`` yet (``benchmarks/recognition/lfw/rows.py`` has
them all), ``report`` writes the results, each row without and with flip averaging. Settings are
chosen on View 1: on its 3,200 pairs and, as these tell rows hardly apart, on every two of its
photos (``benchmarks/recognition/all_pairs.py``). View 2 is reported only. ``fit`` prints the
constants of ``lfw_landmarks.MEAN_POINTS``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from benchmarks.recognition.lfw import figures
from benchmarks.recognition.lfw.landmarks import mean_detector_points
from benchmarks.recognition.lfw.rows import BASE, ROWS
from benchmarks.recognition.lfw.stages import (
    Embedded,
    Variant,
    chosen_faces,
    detections_of,
    embeddings_of,
    joined,
    load_photo,
)
from facesearch.encoders import load_encoder
from facesearch.evaluate import verification as v

FLIP = " + flip"
FIT_EVERY = 3  # photos of View 1's training half: enough for ten medians


def embed_row(row: Variant, views: figures.Views, args: argparse.Namespace) -> Embedded:
    """All photos of both views, from the cache where they are there."""
    encoder = load_encoder("dlib-resnet-v1", precision=row.precision)
    parts = {"view1": views.first_photos, "view2": views.other_photos}
    return joined(
        [
            embeddings_of(row, encoder, args.data / "images", paths, args.cache / part)
            for part, paths in parts.items()
        ]
    )


def run_embed(args: argparse.Namespace) -> None:
    """Embed the rows that are not in the cache yet."""
    views = figures.read_views(args.data)
    for name in args.rows:
        embed_row(ROWS[name], views, args)
        print(name)


def run_fit(args: argparse.Namespace) -> None:
    """Print where MTCNN's points lie in dlib's unit square, from View 1's training half."""
    paths, images = figures.read_views(args.data).first_photos, args.data / "images"
    found = detections_of("mtcnn", images, paths, args.cache / "view1")
    chosen = zip(paths, found, chosen_faces(found, ROWS[BASE].choose), strict=True)
    faces = {path: face for path, each, face in chosen if len(each)}
    train = v.read_pairs(args.data / "pairsDevTrain.txt")
    used = sorted({*train.first, *train.second} & faces.keys())[::FIT_EVERY]
    photos = [load_photo(images / path) for path in used]
    print(mean_detector_points(photos, [faces[path] for path in used]).round(4).tolist())


def run_report(args: argparse.Namespace) -> None:
    """Evaluate every row, without and with flip averaging, and record the results."""
    views = figures.read_views(args.data)
    names = [BASE, *(name for name in args.rows if name != BASE)]
    results: dict[str, Any] = {}
    base: figures.Rates | None = None
    for row in (ROWS[name] for name in names):
        embedded = embed_row(row, views, args)
        for suffix, vectors in (("", embedded.vectors), (FLIP, embedded.flip_averaged)):
            everything = figures.pairs_of_view1(views, vectors)
            rates = figures.rates_of(everything)
            base = base or rates
            measured = evaluate(views, vectors, everything, rates, base)
            about = {"pipeline": row.title + suffix, "padding": row.padding}
            results[row.name + suffix] = about | faces_found(views, embedded) | measured
            print(summary(row.name + suffix, measured))
    data = "LFW, deep-funneled; squared distances of unit vectors"
    print(record("lfw", {"data": data, "seed": figures.SEED, "results": results}))


def evaluate(
    views: figures.Views,
    vectors: NDArray[np.float32],
    everything: figures.AllPairs,
    rates: figures.Rates,
    base: figures.Rates,
) -> dict[str, Any]:
    """Both views of one row, its vectors being those of ``views.photos``."""
    first, second = (
        figures.distances_of(pairs, views, vectors) for pairs in (views.first, views.second)
    )
    view1 = figures.view1_figures(views.first, first, everything, rates, base)
    threshold = view1["verification_threshold"]
    return {"view1": view1} | figures.view2_figures(views.second, second, threshold)


def faces_found(views: figures.Views, embedded: Embedded) -> dict[str, int]:
    """How many photos of View 2 have no face."""
    used = set(views.second.first + views.second.second)
    found = [
        count for path, count in zip(embedded.paths, embedded.found, strict=True) if path in used
    ]
    return {"view2_photos": len(found), "view2_photos_without_face": found.count(0)}


def summary(name: str, measured: dict[str, Any]) -> str:
    """One line for the person who waits."""
    view1, accuracy, tar = measured["view1"], measured["accuracy"], measured["tar_at_far"]["0.001"]
    differences = zip(view1["val_difference"], view1["val_difference_standard_error"], strict=True)
    return (
        f"{name:22s} View 1: {view1['accuracy']['value']:.4f}, VAL "
        + " ".join(f"{value:.4f}" for value in view1["val"])
        + ", difference "
        + " ".join(f"{100 * value:+.2f}+-{100 * error:.2f}" for value, error in differences)
        + f"; View 2: {accuracy['mean']:.4f} +- {accuracy['standard_error']:.4f}, "
        + f"TAR {tar['value']:.4f} +- {tar['standard_error']:.4f}"
    )


def main() -> None:
    """Fit, embed, or report."""
    data = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=data, help="folder with images/, pairs.txt")
    commands = parser.add_subparsers(required=True)
    for name, run in (("fit", run_fit), ("embed", run_embed), ("report", run_report)):
        command = commands.add_parser(name)
        command.add_argument("--cache", type=Path, required=True, help="outside the repository")
        command.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
        command.set_defaults(run=run)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
