"""``upgrade``: a gallery's faces embedded again with another encoder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import add_encoder_options, engine_options, positive_int
from facesearch.cli.output import counting_progress, print_facts, print_json
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.upgrade.report import UpgradeReport

FAILURES_SHOWN = 20


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "upgrade",
        help="embed a gallery's faces again with another encoder",
        description="Embed the faces of a gallery again with another encoder. Photos are read "
        "again; the boxes of the faces, all names and decisions stay. Searches use the old vectors "
        "until all is done. You can stop it at any time and start it again. Afterwards run "
        "facesearch cluster GALLERY, since all distances have changed.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.add_argument(
        "--drop-unreadable",
        action="store_true",
        help="finish without the faces of photos that cannot be read. Without this, the gallery "
        "stays as it was until all can be read",
    )
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="replace shard after shard, so that searches use new vectors at once beside old ones. "
        "For an encoder trained to be comparable with the one before "
        "(facesearch train --compatible-with); this is measured first",
    )
    parser.add_argument(
        "--threads",
        type=positive_int,
        default=None,
        metavar="N",
        help="number of threads that encode (default: all cores)",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    add_encoder_options(parser)
    parser.set_defaults(run=run_upgrade, detector=None, min_face=None, min_score=None, turned=None)


def run_upgrade(args: argparse.Namespace) -> int:
    """Upgrade; 1 where photos could not be read and the gallery stays as it was."""
    from facesearch.api.upgrading import upgrade_gallery
    from facesearch.embed import EmbedOptions

    report = upgrade_gallery(
        args.gallery,
        engine=engine_options(args),
        options=EmbedOptions.for_cores(args.threads),
        drop_unreadable=args.drop_unreadable,
        in_place=args.in_place,
        progress=counting_progress(args.quiet, " faces"),
    )
    if args.json:
        print_json({"gallery": args.gallery, **vars(report)})
    else:
        _print_report(report, args.gallery)
    return 0 if report.upgraded else 1


def _print_report(report: UpgradeReport, folder: Path) -> None:
    became = f"{folder} with vectors of {report.encoder}" if report.upgraded else "unchanged"
    if report.mixed:
        became = f"{folder} with vectors of {report.encoder} and of the encoder before"
    print_facts(
        [
            ("faces embedded", report.faces),
            ("shards made now", report.shards),
            ("made before", report.shards_before),
            ("faces dropped", report.dropped),
            ("gallery", became),
        ]
    )
    for failure in report.failures[:FAILURES_SHOWN]:
        line = f"not read: {failure.photo}: {failure.reason}: {failure.detail}"
        print(printable(line), file=sys.stderr)
    if not report.upgraded:
        print(
            f"{count(len(report.failures), 'photo')} with faces could not be read, so "
            f"{'their shards stay as they were' if report.mixed else 'the gallery stays as it was'}"
            "; make them readable and run the command again, or finish without "
            "their faces: --drop-unreadable",
            file=sys.stderr,
        )
