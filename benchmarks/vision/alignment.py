"""Alignment: where dlib's predictor should look, what that costs in accuracy, and speed.

    python -m benchmarks.vision.alignment collect --cache DIR [--seconds 150]
    python -m benchmarks.vision.alignment fit --cache DIR
    python -m benchmarks.vision.alignment shift --cache DIR
    python -m benchmarks.vision.alignment view1 --cache DIR --variant NAME
    python -m benchmarks.vision.alignment speed
    python -m benchmarks.vision.alignment report --cache DIR

``collect`` finds the faces of ``album`` and of LFW's View 1 with both MTCNN and dlib's HOG, and
goes on where it stopped. ``fit`` prints the constants of ``facesearch/align/box_mapping.py``, from
a random half of the album's photos. ``shift`` compares embeddings of the other half with those of
dlib's own chips. ``view1`` embeds View 1 for one variant; ``report`` writes the results, accuracy
only over the pairs whose four faces were found (two photos, two detectors).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from benchmarks.vision.alignment_speed import first_calls, speed_on
from benchmarks.vision.alignment_tables import (
    PIECE,
    SEED,
    SETS,
    Floats,
    Table,
    box_frame,
    fit,
    fit_half,
    load_photo,
    load_table,
    squares,
)
from facesearch.align import box_mapping
from facesearch.align.chips import MEAN_FACE, cut_chips, face_chips
from facesearch.align.shape_predictor import FIVE_POINT_MODEL, five_point_predictor, rounded
from facesearch.detect.types import Detections, Pixels
from facesearch.evaluate import verification as v


def run_collect(args: argparse.Namespace) -> None:
    """Fill the cache with both detectors' faces, for at most ``args.seconds``."""
    import dlib

    from facesearch.detect import create_detector

    detector, hog = create_detector("mtcnn"), dlib.get_frontal_face_detector()
    began = time.perf_counter()
    for name, (photos, pairing, upsampling) in SETS.items():
        paths = photos(args.data)
        for start in range(0, len(paths), PIECE):
            file = args.cache / f"{name}-{start:05d}.npz"
            if file.exists():
                continue
            if time.perf_counter() - began > args.seconds:
                raise SystemExit(f"stopped before {file.name}; run again")
            piece = paths[start : start + PIECE]
            images = [load_photo(path, args.data) for path in piece]
            rows: list[tuple[str, Floats, Any, Any]] = []
            for path, image, found in zip(piece, images, detector.detect(images), strict=True):
                rects = hog.run(image, upsampling, 0.0)[0]
                squares = np.array([[r.left(), r.top(), r.right(), r.bottom()] for r in rects])
                for rect, i in pairing(squares.reshape(-1, 4).astype(float), found):
                    rows.append((path, rect, found.boxes[i], found.landmarks[i]))
            columns = list(zip(*rows, strict=True)) or [()] * 4
            keys = ("photo", "hog", "box", "landmarks")
            np.savez(file, **{k: np.array(c) for k, c in zip(keys, columns, strict=True)})


def mean_landmarks(table: Table, args: argparse.Namespace) -> Floats:
    """MTCNN's landmarks (5, 2) as they lie on average in dlib's unit square, on the fitted half.

    Each face's are brought there by the similarity of dlib's own five landmarks.
    """
    rows, placed = np.flatnonzero(fit_half(table)), []
    for row in rows:
        photo = load_photo(str(table["photo"][row]), args.data)
        reference = five_point_predictor().predict(photo, table["hog"][row][None])[0]
        a, b = reference - reference.mean(axis=0), MEAN_FACE - MEAN_FACE.mean(axis=0)
        a_complex, b_complex = a @ (1, 1j), b @ (1, 1j)
        turn = (np.conj(a_complex) @ b_complex) / (np.conj(a_complex) @ a_complex)
        z = turn * ((table["landmarks"][row] - reference.mean(axis=0)) @ (1, 1j))
        placed.append(np.stack([z.real, z.imag], axis=1) + MEAN_FACE.mean(axis=0))
    return np.median(placed, axis=0)


def cutters(table: Table, args: argparse.Namespace) -> dict[str, Callable[[Pixels, Any], Any]]:
    """What makes the chip (150, 150, 3) of a photo and one row of a table, for each variant."""
    import dlib

    constants, predictor = fit(table), five_point_predictor()
    reference = dlib.shape_predictor(str(FIVE_POINT_MODEL.locate()))
    target = (mean_landmarks(table, args) + 0.25) / 1.5 * 150

    def hog(photo: Pixels, row: Any) -> Any:
        rect = dlib.rectangle(*(int(x) for x in row["hog"]))
        return dlib.get_face_chip(photo, reference(photo, rect), 150, 0.25)

    def by_rect(rect: Callable[[Any], Floats], exact: bool = False) -> Callable[..., Any]:
        def cut(photo: Pixels, row: Any) -> Any:
            points = predictor.predict(photo, rect(row))
            return face_chips(photo, points if exact else rounded(points), 150, 0.25)[0]

        return cut

    def default_rect(row: Any) -> Floats:
        one = np.ones(1, np.float32)
        return box_mapping.predictor_rects(
            Detections(row["box"][None], row["landmarks"][None], one)
        )

    def box_rect(row: Any) -> Floats:
        return squares(box_frame(row["box"][None].astype(float)), constants["from_box"])

    def no_predictor(photo: Pixels, row: Any) -> Any:
        chip = np.zeros((1, 150, 150, 3), np.uint8)
        cut_chips(photo, row["landmarks"][None].astype(np.float64), target, chip)
        return chip[0]

    return {
        "dlib HOG, dlib chip": hog,
        "MTCNN box as it is": by_rect(lambda row: row["box"][None].astype(float)),
        "MTCNN box mapped": by_rect(box_rect),
        "MTCNN landmarks mapped (default)": by_rect(default_rect),
        "the same, landmarks not rounded": by_rect(default_rect, exact=True),
        "MTCNN landmarks, no predictor": no_predictor,
    }


def rows_of(table: Table, which: NDArray[Any]) -> list[dict[str, Any]]:
    return [{key: column[i] for key, column in table.items()} for i in which]


def embed(rows: list[dict[str, Any]], cut: Callable[..., Any], args: argparse.Namespace) -> Any:
    """Unit vectors of the chips of ``rows``."""
    from facesearch.encoders import load_encoder

    chips = [cut(load_photo(str(row["photo"]), args.data), row) for row in rows]
    return load_encoder("dlib-resnet-v1").embed(np.array(chips)).vectors


def run_shift(args: argparse.Namespace) -> None:
    """Embedding shifts from dlib's chips on the half of the album not fitted on."""
    table = load_table(args.cache, "album", args.data)
    rows = rows_of(table, np.flatnonzero(~fit_half(table)))
    vectors = {name: embed(rows, cut, args) for name, cut in cutters(table, args).items()}
    reference = vectors.pop("dlib HOG, dlib chip")
    shifts = {name: np.linalg.norm(each - reference, axis=1) for name, each in vectors.items()}
    result = {
        name: {
            "mean": float(s.mean()),
            "median": float(np.median(s)),
            "p90": float(np.quantile(s, 0.9)),
        }
        for name, s in shifts.items()
    }
    (args.cache / "shift.json").write_text(json.dumps({"faces": len(rows), "shift": result}))
    print(json.dumps(result, indent=1))


def run_view1(args: argparse.Namespace) -> None:
    """Vectors of View 1 for one variant, in the cache."""
    album = load_table(args.cache, "album", args.data)
    table = load_table(args.cache, "view1", args.data)
    cut = cutters(album, args)[args.variant]
    rows = rows_of(table, np.arange(len(table["photo"])))
    np.savez(
        args.cache / f"vectors {args.variant}.npz",
        photo=table["photo"],
        vectors=embed(rows, cut, args),
    )


def view1_accuracy(file: Path, data: Path) -> dict[str, Any]:
    """Accuracy on DevTest at the threshold of DevTrain, and the best over all of View 1."""
    stored = np.load(file)
    rows = {path: i for i, path in enumerate(stored["photo"].tolist())}
    parts = {}
    for part in ("Train", "Test"):
        pairs = v.read_pairs(data / f"lfw/pairsDev{part}.txt")
        sides = list(zip(pairs.first, pairs.second, strict=True))
        ids = [[rows.get(f"lfw/images/{path}", -1) for path in side] for side in sides]
        index = np.array(ids)
        known = (index >= 0).all(axis=1)
        first, second = (stored["vectors"][index[known, side]] for side in (0, 1))
        parts[part] = v.pair_distances(first, second), pairs.same[known]
    distances, same = (np.concatenate([parts[p][i] for p in parts]) for i in (0, 1))
    return {
        "pairs": len(same),
        "devtest_accuracy": v.accuracy(*parts["Test"], v.best_threshold(*parts["Train"])),
        "all_best_accuracy": v.accuracy(distances, same, v.best_threshold(distances, same)),
        "auc": v.area_under_roc(distances, same),
        "tar_at_far_0.01": v.tar_at_far(distances, same, 0.01),
        "equal_error_rate": v.equal_error_rate(distances, same),
    }


def run_speed(args: argparse.Namespace) -> None:
    """Speed on album photos at up to LONG_SIDE pixels and on LFW's, and first calls."""
    rng = np.random.default_rng(SEED)
    result: dict[str, Any] = {"seed": SEED, "first_call_seconds": first_calls()}
    for name, (photos, _, _) in SETS.items():
        paths = rng.choice(photos(args.data), args.faces, replace=False)
        result[name] = speed_on([load_photo(str(p), args.data) for p in paths], args.repeats)
    print(record("alignment_speed", result))


def run_report(args: argparse.Namespace) -> None:
    """Write what the other commands found."""
    files = sorted(args.cache.glob("vectors *.npz"))
    result = {
        "seed": SEED,
        "fit": fit(load_table(args.cache, "album", args.data)),
        "held_out": json.loads((args.cache / "shift.json").read_text()),
        "view1": {f.stem.removeprefix("vectors "): view1_accuracy(f, args.data) for f in files},
    }
    print(json.dumps(result, indent=1))
    print(record("alignment", result))


def run_fit(args: argparse.Namespace) -> None:
    print(json.dumps(fit(load_table(args.cache, "album", args.data)), indent=1))


def main() -> None:
    """Run one step of the benchmark."""
    commands = {
        "collect": run_collect,
        "fit": run_fit,
        "shift": run_shift,
        "view1": run_view1,
        "speed": run_speed,
        "report": run_report,
    }
    parser = TimingParser(__doc__)
    parser.add_argument("command", choices=commands)
    parser.add_argument("--cache", type=Path, default=Path("alignment-cache"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--variant", default="MTCNN landmarks mapped (default)")
    parser.add_argument("--faces", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    args.data = args.data or Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
    args.cache.mkdir(parents=True, exist_ok=True)
    commands[args.command](args)


if __name__ == "__main__":
    main()
