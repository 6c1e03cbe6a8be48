"""``encoders calibrate``: thresholds from photos of people who are known."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.cli.output import counting_progress, print_facts, print_json


def add_command(below: Any) -> None:
    """Add the command below ``encoders``."""
    parser = below.add_parser(
        "calibrate",
        help="learn an encoder's thresholds from photos of known people",
        description="Learn an encoder's thresholds from FOLDER, which has a folder of photos for "
        "each person, and save them for all galleries made with it. 50 people with 3 photos each "
        "are enough. More people, and photos like your own, make them better.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the encoder")
    parser.add_argument(
        "photos", type=Path, metavar="FOLDER", help="a folder for each person: PERSON/PHOTO"
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep vectors between runs here")
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    add_engine_options(parser, encoder=False)
    parser.set_defaults(run=run_learn, encoder=None)


def run_learn(args: argparse.Namespace) -> int:
    """Embed the photos, learn, keep and print."""
    from facesearch.api.encoders import calibrate_encoder

    calibration = calibrate_encoder(
        args.name,
        args.photos,
        engine=engine_options(args),
        cache=args.cache,
        progress=counting_progress(args.quiet, " photos"),
    )
    learned, accepted = calibration.thresholds, calibration.true_accepts
    if args.json:
        facts = dataclasses.asdict(learned)
        print_json({**facts, "true_accepts": accepted, "file": calibration.file})
        return 0
    print_facts(
        [
            ("encoder", f"{args.name} ({calibration.contract.preprocessing})"),
            ("verification", learned.verification),
            ("identification", learned.identification),
            ("cluster", learned.cluster),
            ("of one person", f"{100 * accepted:.1f}% of pairs are within identification"),
            ("chosen on", learned.chosen_on),
            ("kept in", calibration.file),
        ]
    )
    return 0
