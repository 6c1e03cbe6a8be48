"""``encoders quantise``: the ranges that an encoder needs to run in int8."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from facesearch.cli.engine_options import positive_int
from facesearch.cli.output import print_facts, print_json


def add_command(below: Any) -> None:
    """Add the command below ``encoders``."""
    parser = below.add_parser(
        "quantise",
        help="measure the ranges that int8 needs, on the faces of photos",
        description="Measure the range of the numbers inside an encoder, on the faces of PHOTOS "
        "(64 faces or more, of many people), so that it can run in int8. The ranges are saved in "
        "the cache folder, unless int8 differs too much from fp32.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the encoder")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="folders or files")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="other weights for the encoder"
    )
    parser.add_argument(
        "--faces",
        type=positive_int,
        default=512,
        metavar="N",
        help="number of faces to measure, at least 64 (default: 512)",
    )
    parser.set_defaults(run=run_quantise)


def run_quantise(args: argparse.Namespace) -> int:
    """Measure, and print how close int8 is to fp32; 1 when it is too far to be used."""
    from facesearch.api.encoders import quantise_encoder
    from facesearch.encoders.int8_calibration import LEAST_COSINE

    measured = quantise_encoder(args.name, args.photos, weights=args.weights, faces=args.faces)
    result, path = measured.result, measured.file
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
