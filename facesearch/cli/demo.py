"""``demo``: make a small folder of sample photos to try the other commands on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from facesearch.cli.output import print_json


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="make sample photos to try the commands on",
        description="Make a small folder of photos from portraits that are part of scikit-image "
        "and matplotlib: with varied crops, light and quality, photos without people, and "
        "damaged files.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder to write the photos to")
    parser.add_argument("--seed", type=int, help="seed of the random variations")
    parser.set_defaults(run=run_demo)


def run_demo(args: argparse.Namespace) -> int:
    """Write the photos."""
    from facesearch.demo import DEFAULT_SEED, make_demo_photos

    truth = make_demo_photos(args.folder, DEFAULT_SEED if args.seed is None else args.seed)
    photos = len(truth.people) + len(truth.unreadable)
    if args.json:
        print_json({"folder": args.folder, "photos": photos})
    else:
        print(f"{photos} sample photos in {args.folder}, {len(truth.unreadable)} of them damaged")
    return 0
