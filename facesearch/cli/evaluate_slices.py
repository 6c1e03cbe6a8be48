"""``evaluate slices``: errors within groups of people."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facesearch.encoders import Thresholds
    from facesearch.evaluate.presentation.report import Report
    from facesearch.evaluate.protocols import Setup


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which groups there are."""
    parser.add_argument("photos", type=Path, metavar="FOLDER", help="photos of one face each")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--names",
        metavar="PATTERN",
        help='groups are in file names, such as "{age}_{gender}_{origin}_*"; {person} says who it '
        "is, else each photo is of another person, or of one a folder",
    )
    source.add_argument(
        "--groups",
        type=Path,
        metavar="FILE",
        help="groups are in a CSV: a column photo, perhaps person, and one for each kind of group "
        "(default: folders, as group/person/photo.jpg or group/photo.jpg)",
    )


def run(args: argparse.Namespace, setup: Setup, defaults: Thresholds) -> Report:
    """The report of the groups of a folder."""
    from facesearch.evaluate.datasets.sliced_photos import (
        photos_by_folders,
        photos_by_names,
        photos_by_table,
    )
    from facesearch.evaluate.protocols import run_slices

    if args.names is not None:
        photos = photos_by_names(args.photos, args.names)
    elif args.groups is not None:
        photos = photos_by_table(args.photos, args.groups)
    else:
        photos = photos_by_folders(args.photos)
    uses = ("verification", "identification", "cluster")
    return run_slices(setup, photos, {use: getattr(defaults, use) for use in uses})
