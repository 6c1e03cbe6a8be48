"""``crops``: aligned crops of faces for training, from photos."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from facesearch.cli.engine_options import add_detector_options
from facesearch.cli.output import counting_progress, print_facts, print_json

_FAILURES_SHOWN = 20


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "crops",
        help="cut faces out of photos to train an encoder on",
        description="Find the main face of each photo under PHOTOS and write aligned crops of them "
        "to one file for facesearch train. A photo's folder, relative to PHOTOS, names its person.",
    )
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="folder of photos")
    parser.add_argument("output", type=Path, metavar="OUT.h5", help="new file for the crops")
    parser.add_argument(
        "--unlabelled", action="store_true", help="folders are not people: leave names out"
    )
    parser.add_argument(
        "--teacher",
        action="append",
        default=[],
        metavar="NAME",
        help="also keep the vectors of this encoder, to learn from or stay compatible with; may "
        "be given several times",
    )
    add_detector_options(parser)
    parser.set_defaults(run=run_crops)


def run_crops(args: argparse.Namespace) -> int:
    """Write the file, and print how many photos gave a crop."""
    from facesearch.api.training import crop_photos
    from facesearch.engine_options import EngineOptions

    show = counting_progress(args.json, "photo")
    report = crop_photos(
        args.photos,
        args.output,
        teachers=args.teacher,
        labelled=not args.unlabelled,
        engine=EngineOptions(args.detector, args.min_face, args.min_score, turned=args.turned),
        progress=lambda done: show(done, done + 1),
    )
    show(report.photos, report.photos)
    failed = Counter(each.reason for each in report.failures)
    if args.json:
        print_json({"report": report, "failed": dict(failed), "output": args.output})
        return 0
    facts: list[tuple[str, object]] = [
        ("photos", report.photos), ("crops", report.crops), ("people", report.people),
        *(("without a crop: " + reason, count) for reason, count in failed.most_common()),
    ]  # fmt: skip
    print_facts(facts)
    for each in report.failures[:_FAILURES_SHOWN]:
        print(f"  {each.photo}: {each.reason}: {each.detail}")
    if len(report.failures) > _FAILURES_SHOWN:
        print(f"  and {len(report.failures) - _FAILURES_SHOWN} more; --json lists all")
    return 0
