"""``evaluate``: published protocols on labelled photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import (
    add_engine_options,
    engine_of,
    positive_int,
    whole_number,
)
from facesearch.cli.output import print_json, print_table

if TYPE_CHECKING:
    from facesearch.evaluate.protocols import Setup
    from facesearch.evaluate.report import Report

PROTOCOLS = {
    "lfw": "View 2 of LFW: PHOTOS with images/ and pairs.txt, or photos and --pairs",
    "pairs": "verification on the pairs of --pairs",
    "folder": "VAL and FAR over every two photos of PERSON/PHOTO.jpg",
    "identification": "open-set identification among PERSON/PHOTO.jpg",
    "clustering": "clusters of PERSON/PHOTO.jpg against its people",
    "video": "tracks PERSON/TRACK/FRAME.jpg, every two or those of --pairs",
    "robustness": "VAL by JPEG quality and size, of every two photos or --pairs",
}


def add_commands(commands: Any) -> None:
    """Add the command."""
    protocols = "\n".join(f"  {name:<15} {text}" for name, text in PROTOCOLS.items())
    parser = commands.add_parser(
        "evaluate",
        help="measure accuracy on labelled photos by published protocols",
        epilog=f"protocols:\n{protocols}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("protocol", choices=tuple(PROTOCOLS), metavar="PROTOCOL", help="see below")
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="folder of labelled photos")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="list of pairs")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write report and plots here")
    parser.add_argument("--no-plots", action="store_true", help="write the report without plots")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep vectors between runs")
    parser.add_argument(
        "--missing",
        choices=("reject", "centre"),
        default="reject",
        help="photos without a face match nothing, or their centre counts (default: reject)",
    )
    parser.add_argument("--seed", type=whole_number, default=0, help="of all draws (default: 0)")
    parser.add_argument(
        "--enrol",
        type=positive_int,
        default=1,
        metavar="N",
        help="photos enrolled a person, for identification (default: 1)",
    )
    add_engine_options(parser)
    parser.set_defaults(run=run_evaluate)


def run_evaluate(args: argparse.Namespace) -> int:
    """Run the protocol, print its tables, write the report."""
    from facesearch.evaluate.embedding import EmbedOptions
    from facesearch.evaluate.protocols import Setup
    from facesearch.evaluate.report import report_json, write_report

    if args.out is not None and not args.no_plots:
        from facesearch.evaluate.plots import require_matplotlib

        require_matplotlib()  # before the work, not after it
    engine = engine_of(args, callers=2)
    setup = Setup(
        engine, missing=args.missing, seed=args.seed, options=EmbedOptions(cache=args.cache)
    )
    report = _run(args, setup)
    if args.out is not None:
        written = write_report(args.out, report, plots=not args.no_plots)
        print(f"wrote {len(written)} files to {args.out}", file=sys.stderr)
    if args.json:
        print_json(report_json(report))
        return 0
    for table in report.tables:
        print(table.title)
        print_table(table.header, table.rows)
        print(f"{table.note}\n")
    return 0


def _run(args: argparse.Namespace, setup: Setup) -> Report:
    from facesearch.encoders import encoder_spec
    from facesearch.evaluate import protocols
    from facesearch.evaluate.degradation import paper_degradations
    from facesearch.evaluate.photos import read_folder, read_tracks

    spec = encoder_spec(setup.engine.contract.name)
    if args.protocol in ("lfw", "pairs"):
        root, pairs = _listed(args)
        threshold = spec.verification_threshold
        return protocols.run_pairs(setup, root, pairs, name=args.protocol, threshold=threshold)
    if args.protocol == "video":
        return protocols.run_video(setup, read_tracks(args.photos), _optional_pairs(args))
    if args.protocol == "robustness":
        subject = _optional_pairs(args) or read_folder(args.photos)
        return protocols.run_robustness(setup, args.photos, subject, paper_degradations())
    photos = read_folder(args.photos)
    if args.protocol == "folder":
        return protocols.run_folder(setup, photos)
    if args.protocol == "identification":
        return protocols.run_identification(setup, photos, enrol=args.enrol)
    return protocols.run_clustering(setup, photos, threshold=spec.cluster_threshold)


def _listed(args: argparse.Namespace) -> tuple[Path, Any]:
    from facesearch.errors import InputError
    from facesearch.evaluate.pair_files import read_pairs_file

    images, listed = args.photos / "images", args.photos / "pairs.txt"
    root = images if args.protocol == "lfw" and images.is_dir() else args.photos
    file = args.pairs or (listed if args.protocol == "lfw" and listed.is_file() else None)
    if file is None:
        raise InputError(f"expected a list of pairs for {args.protocol}; name it with --pairs FILE")
    return root, read_pairs_file(file)


def _optional_pairs(args: argparse.Namespace) -> Any:
    from facesearch.evaluate.pair_files import read_pairs_file

    return read_pairs_file(args.pairs) if args.pairs else None
