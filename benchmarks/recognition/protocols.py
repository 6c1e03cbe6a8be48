"""Published protocols on Labeled Faces in the Wild, by the functions of ``facesearch evaluate``.

    python -m benchmarks.recognition.protocols --cache DIR --out DIR [options of the engine]

Settings were chosen elsewhere (LFW View 1; thresholds are the encoder's). Robustness is that of all
photos of 200 drawn people with two or more, as it embeds each photo a dozen times. Vectors are kept
in ``--cache``, so that a run that was stopped goes on; reports and plots go to ``--out``, figures
without curves and without names of photos to ``results/protocols.json``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.encoders import thresholds_of
from facesearch.evaluate import protocols
from facesearch.evaluate.datasets.embed_dataset import DatasetEmbedOptions
from facesearch.evaluate.datasets.labelled_photos import read_folder
from facesearch.evaluate.datasets.pair_lists import read_pairs_file
from facesearch.evaluate.degradation import paper_degradations
from facesearch.evaluate.presentation.report import Report, json_value, report_json, write_report
from indexer.runtime.cores import available_cores

SEED = 0
ROBUSTNESS_PEOPLE = 200
CURVES = ("roc", "fnir_by_fpir")


def parse() -> argparse.Namespace:
    """The command line."""
    data = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw"
    parser = TimingParser(__doc__)
    parser.add_argument("--data", type=Path, default=data, help="folder with images/, pairs.txt")
    parser.add_argument("--cache", type=Path, required=True, help="outside the repository")
    parser.add_argument("--out", type=Path, required=True, help="for reports and plots")
    parser.add_argument("--missing", choices=("reject", "centre"), default="reject")
    add_engine_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run every protocol, write its report, record all figures."""
    args = parse()
    cores = available_cores()
    options = DatasetEmbedOptions(decoders=1, threads=cores, cache=args.cache)
    engine = engine_options(args).create(callers=cores)
    setup = protocols.Setup(
        engine, missing=args.missing, seed=SEED, options=options, progress=progress
    )
    results = {}
    for name, run in runs(setup, args.data).items():
        print(f"{name} ...", file=sys.stderr)
        began = time.perf_counter()
        report = run()
        write_report(args.out / name, report)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        for table in report.tables:
            print(table.title, *("  ".join(row) for row in table.rows), "", sep="\n")
        results[name] = without_curves(report)
    data = "LFW, deep-funneled, 13,233 photos of 5,749 people; squared distances of unit vectors"
    print(record("protocols", {"data": data, "seed": SEED, "results": results}))


def runs(setup: protocols.Setup, data: Path) -> dict[str, Callable[[], Report]]:
    """The protocols by the name of their results."""
    defaults = thresholds_of(setup.engine.contract)
    images, pairs = data / "images", read_pairs_file(data / "pairs.txt")
    photos = read_folder(images)
    drawn = photos.of_people(ROBUSTNESS_PEOPLE, SEED)
    default_thresholds = (defaults.verification, defaults.identification)
    worse = paper_degradations()
    return {
        "lfw": lambda: protocols.run_pairs(
            setup, images, pairs, name="LFW View 2", threshold=defaults.verification
        ),
        "folder": lambda: protocols.run_folder(setup, photos, thresholds=default_thresholds),
        "identification": lambda: protocols.run_identification(setup, photos),
        "clustering": lambda: protocols.run_clustering(
            setup, photos, threshold=defaults.cluster, with_density=True
        ),
        "robustness": lambda: protocols.run_robustness(setup, images, drawn, worse),
        "robustness_photo": lambda: protocols.run_robustness(
            setup, images, drawn, worse, of="photo"
        ),
    }


def without_curves(report: Report) -> dict[str, Any]:
    """The figures and tables of a report without curves, and failures as their number."""
    document = report_json(report)
    document["tables"] = json_value(report.tables)
    document["conditions"]["failures"] = len(document["conditions"]["failures"])
    document["result"] = pruned(document["result"])
    return document


def pruned(value: Any) -> Any:
    """``value`` without the objects called as in CURVES, however deep."""
    if isinstance(value, dict):
        return {name: pruned(each) for name, each in value.items() if name not in CURVES}
    return [pruned(each) for each in value] if isinstance(value, list) else value


def progress(done: int, total: int) -> None:
    if done % 500 == 0 or done == total:
        print(f"  {done} of {total} photos", file=sys.stderr)


if __name__ == "__main__":
    main()
