"""``encoders``: list encoders, download their weights, calibrate them for int8."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import positive_int
from facesearch.cli.output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from facesearch.encoders import EncoderSpec


def add_commands(commands: Any) -> None:
    """Add the command and the commands below it."""
    parser = commands.add_parser(
        "encoders",
        help="list encoders, download their weights, calibrate them for int8",
        description="List the available encoders; the commands below do more.",
    )
    parser.set_defaults(run=run_list)
    below = parser.add_subparsers(title="commands", metavar="COMMAND")
    fetch = below.add_parser("fetch", help="download the weights of an encoder")
    fetch.add_argument("name", metavar="NAME", help="name of the encoder")
    fetch.add_argument("--url", help="another address of the same file")
    fetch.set_defaults(run=run_fetch)
    calibrate = below.add_parser(
        "calibrate",
        help="measure the ranges that int8 needs, on your photos",
        description="Measure the range of the numbers inside an encoder, on the faces of PHOTOS "
        "(64 faces or more, of many people), so that it can run in int8. The ranges are saved in "
        "the cache folder, unless int8 differs too much from fp32.",
    )
    calibrate.add_argument("name", metavar="NAME", help="name of the encoder")
    calibrate.add_argument(
        "photos", nargs="+", type=Path, metavar="PHOTOS", help="folders or files"
    )
    calibrate.add_argument(
        "--weights", type=Path, metavar="FILE", help="other weights for the encoder"
    )
    calibrate.add_argument(
        "--faces",
        type=positive_int,
        default=512,
        metavar="N",
        help="number of faces to measure, at least 64 (default: 512)",
    )
    calibrate.set_defaults(run=run_calibrate)


def run_list(args: argparse.Namespace) -> int:
    """Print a table of the encoders, or all facts as JSON."""
    from facesearch.encoders import ENCODERS

    described = [_described(spec) for spec in ENCODERS.values()]
    if args.json:
        print_json(described)
        return 0
    columns = ("name", "dimension", "input", "parameters", "operations", "weights")
    print_table(columns, [[each[column] for column in columns] for each in described])
    for each in described:
        print()
        facts = [(fact, each[fact]) for fact in ("name", "licence", "source", "lfw")]
        for way, thresholds in each["thresholds"].items():
            facts += [(f"thresholds, {way}", _thresholds_text(thresholds))]
        facts += [
            ("chosen on", thresholds["chosen_on"]),
            ("path", each["path"] or "not downloaded"),
        ]
        print_facts(facts)
    return 0


def _described(spec: EncoderSpec) -> dict[str, Any]:
    path = _present(spec)
    return {
        "name": spec.name,
        "dimension": spec.dimension,
        "input": spec.input_size,
        "parameters": spec.parameters,
        "operations": spec.operations,
        "weights": "present" if path else "not downloaded",
        "path": str(path or ""),
        "licence": spec.licence,
        "source": spec.source,
        "lfw": spec.lfw,
        "thresholds": {
            "flip": dataclasses.asdict(spec.flipped),
            "no flip": dataclasses.asdict(spec.plain),
        },
    }


def _thresholds_text(thresholds: dict[str, Any]) -> str:
    uses = ("verification", "identification", "cluster")
    return ", ".join(f"{use} {thresholds[use]}" for use in uses)


def _present(spec: EncoderSpec) -> Path | None:
    """The file of the weights where there is one; its digest is checked when it is loaded."""
    from facesearch.errors import WeightsError
    from facesearch.model_files.download import DownloadedFile

    if isinstance(spec.weights, DownloadedFile):
        return spec.weights.path if spec.weights.path.exists() else None
    try:
        return spec.weights.locate()
    except WeightsError:
        return None


def run_fetch(args: argparse.Namespace) -> int:
    """Download with a progress bar; says so when there was no digest to compare with."""
    from facesearch.encoders import encoder_spec
    from facesearch.model_files.download import DownloadedFile, fetch

    weights = encoder_spec(args.name).weights
    if not isinstance(weights, DownloadedFile):
        path = weights.locate()
        print(f"{args.name} is part of the package {weights.distribution}", file=sys.stderr)
        facts = {"path": path, "sha256": weights.sha256, "first_use": False}
    else:
        with _Bar() as bar:
            facts = vars(fetch(weights, args.url, bar.show))
    if args.json:
        print_json(facts)
        return 0
    print_facts(list(facts.items())[:2])
    if facts["first_use"]:
        print(
            "no digest was published for this file; later downloads must have the digest above",
            file=sys.stderr,
        )
    return 0


class _Bar:
    """A progress bar in bytes on standard error, made when the first bytes come."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int | None) -> None:
        """Move to ``done`` of ``total`` bytes."""
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="B", unit_scale=True, disable=None)
        self._bar.update(done - self._bar.n)


def run_calibrate(args: argparse.Namespace) -> int:
    """Measure, and print how close int8 is to fp32; 1 when it is too far to be used."""
    from facesearch.api.encoders import calibrate_encoder
    from facesearch.encoders.int8_calibration import LEAST_COSINE

    calibration = calibrate_encoder(args.name, args.photos, weights=args.weights, faces=args.faces)
    result, path = calibration.result, calibration.file
    if args.json:
        print_json({**vars(result), "good": result.good, "file": path})
    else:
        print_facts(
            [
                ("faces measured", f"{result.measured:,}"),
                ("faces compared", f"{result.compared:,}"),
                ("cosine of int8 to fp32", f"{result.mean_cosine:.5f} on average"),
                ("  at the least", f"{result.least_cosine:.5f}"),
                ("file", path if result.good else "none"),
            ]
        )
        if not result.good:
            print(
                f"int8 differs too much from fp32: expected a mean cosine of {LEAST_COSINE}",
                file=sys.stderr,
            )
    return 0 if result.good else 1
