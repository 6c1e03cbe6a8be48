"""Each encoder on LFW and on an album of many photos a person, by the product's own command.

    python -m benchmarks.recognition.encoders --cache DIR [NAME ...]
    python -m benchmarks.recognition.encoders --speeds-only

``facesearch evaluate`` runs LFW View 2 and VAL over all pairs, of LFW and of ``many``, for each
encoder whose files are here. What makers state is beside it. Results of encoders that were measured
before, on the same kind of machine, are kept. Chips a second are the encoder's alone, without flip
averaging, by the process's own seconds on one core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import kept_runs, record
from facesearch.encoders import encoder_names, encoder_spec, load_encoder

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
STATED = {  # LFW View 2, by their makers
    "dlib-resnet-v1": 0.9938,
    "retail-0095": 0.9947,
    "mobilefacenet": 0.9948,
    "sface": 0.9960,
    "arcface-r100": 0.9968,
}
DATA_SETS = "LFW (deep-funneled), many"
FARS = (1e-3, 1e-4)
CHIPS, REPEATS = 64, 5


def evaluate(encoder: str, cache: Path, *arguments: str) -> dict[str, Any]:
    """The JSON of ``facesearch evaluate`` with that encoder."""
    command = [sys.executable, "-m", "facesearch.cli.main", "evaluate", *arguments]
    options = ["--encoder", encoder, "--cache", str(cache), "--quiet", "--json"]
    done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def all_pairs(report: dict[str, Any]) -> dict[str, Any]:
    """VAL at the FARs of interest."""
    figures = report["result"]
    return {
        "same_pairs": figures["same_pairs"],
        "different_pairs": figures["different_pairs"],
        "tar_at_far": {
            f"{each['far']:g}": {"tar": each["validation_rate"], "threshold": each["threshold"]}
            for each in figures["at_far"]
            if each["far"] in FARS
        },
        "at_thresholds": [
            {
                "threshold": each["threshold"],
                "tar": each["validation_rate"],
                "far": each["measured_far"],
            }
            for each in figures["at_thresholds"]
        ],
    }


def measure(name: str, cache: Path) -> dict[str, Any]:
    """All figures of one encoder."""
    lfw = evaluate(name, cache, "folder", str(DATA / "lfw" / "images"))
    view2 = evaluate(name, cache, "lfw", str(DATA / "lfw"))
    many = evaluate(name, cache, "folder", str(DATA / "many"))
    accuracies = np.array(view2["result"]["folds"]["accuracies"])
    spec = encoder_spec(name)
    return {
        "contract": lfw["conditions"]["contract"],
        "stated_view2": STATED.get(name),
        "view2": {
            "accuracy": float(accuracies.mean()),
            "standard_error": float(accuracies.std(ddof=1) / np.sqrt(len(accuracies))),
        },
        "lfw_all_pairs": all_pairs(lfw),
        "many_all_pairs": all_pairs(many),
        "chips_per_second_one_core": speed(name),
        "megabytes": round(sum(file.locate().stat().st_size for file in spec.files) / 1e6, 1),
        "dimension": spec.dimension,
        "operations": spec.operations,
        "licence": spec.licence,
    }


def speed(name: str) -> float:
    """Chips a second of the process's own time, on one core; the best of some repeats."""
    encoder = load_encoder(name, threads=1)
    shape = (CHIPS, *encoder_spec(name).chip_shape)
    chips = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    encoder.embed(chips)
    best = np.inf
    for _ in range(REPEATS):
        started = time.process_time()
        encoder.embed(chips)
        best = min(best, time.process_time() - started)
    return round(CHIPS / best, 1)


def measure_speeds() -> None:
    """Replace the speeds of all recorded encoders, which no load has any other part in."""
    runs = kept_runs("encoders", times_replaced=True)
    absent = [name for name in runs if not encoder_spec(name).present]
    if absent or not runs:
        raise SystemExit(
            "expected runs in encoders.json that this machine made, and the files of their "
            f"encoders here; not here: {', '.join(absent) or 'any run'}"
        )
    for name, run in runs.items():
        run["chips_per_second_one_core"] = speed(name)
        print(name, run["chips_per_second_one_core"])
    record("encoders", {"data": DATA_SETS, "runs": runs})


def main() -> None:
    """Measure the encoders named, or all that are here, and record them."""
    parser = TimingParser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--cache", type=Path, help="folder to keep vectors in")
    parser.add_argument(
        "--speeds-only",
        action="store_true",
        help="measure the speeds again of all encoders in the result, and leave the rest of it",
    )
    args = parser.parse_args()
    if args.speeds_only:
        measure_speeds()
        return
    if args.cache is None:
        parser.error("expected --cache with a folder to keep vectors in, or --speeds-only")
    names = args.names or [name for name in encoder_names() if encoder_spec(name).present]
    runs = kept_runs("encoders")
    for name in names:
        runs[name] = measure(name, args.cache)
        print(name, json.dumps(runs[name]["view2"]), json.dumps(runs[name]["lfw_all_pairs"]))
        record("encoders", {"data": DATA_SETS, "runs": runs})


if __name__ == "__main__":
    main()
