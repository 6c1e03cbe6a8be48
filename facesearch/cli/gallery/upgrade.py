"""``upgrade``: a gallery's faces embedded again with another encoder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import add_encoder_options, engine_of, positive_int
from facesearch.cli.output import counting_progress, print_facts, print_json, printable
from facesearch.text import count
from indexer.runtime.cores import available_cores

if TYPE_CHECKING:
    from facesearch.gallery.gallery import Gallery
    from facesearch.upgrade.gallery import UpgradeReport

FAILURES_SHOWN = 20


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "upgrade",
        help="embed a gallery's faces again with another encoder",
        description="Embed the faces of a gallery again with another encoder. Photos are read "
        "again, faces stay where they were found, and all names and decisions are kept. Searches "
        "go on with the old vectors until all is done; a job that was stopped goes on where it "
        "was. Afterwards run: facesearch cluster GALLERY, which has new distances to go by.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY")
    parser.add_argument(
        "--drop-unreadable",
        action="store_true",
        help="finish without the faces of photos that cannot be read; without it the gallery stays "
        "as it was until all can be",
    )
    parser.add_argument(
        "--threads",
        type=positive_int,
        default=available_cores(),
        metavar="N",
        help="threads that encode (default: all cores)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_encoder_options(parser)
    parser.set_defaults(run=run_upgrade, min_face=None, min_score=None)


def run_upgrade(args: argparse.Namespace) -> int:
    """Upgrade; 1 where photos could not be read and the gallery stays as it was."""
    from facesearch.embed import EmbedOptions
    from facesearch.encoders import default_encoder
    from facesearch.gallery.gallery import Gallery
    from facesearch.upgrade.gallery import upgrade_gallery

    gallery = Gallery.open(args.gallery)
    args.encoder = args.encoder or default_encoder()
    args.detector = _detector(gallery)
    engine = engine_of(args, callers=args.threads)
    options = EmbedOptions(decoders=max(1, args.threads // 2), threads=args.threads)
    report = upgrade_gallery(
        gallery,
        engine,
        options,
        drop_unreadable=args.drop_unreadable,
        progress=counting_progress(args.quiet, " faces"),
    )
    if args.json:
        print_json({"gallery": gallery.folder, "encoder": engine.contract.name, **vars(report)})
    else:
        _print_report(report, args.gallery, engine.contract.name)
    return 0 if report.upgraded else 1


def _detector(gallery: Gallery) -> str:
    """The gallery's detector, by whose scores qualities go; the default where a file was that."""
    from facesearch.detect import DEFAULT_DETECTOR, detector_of
    from facesearch.errors import InputError

    try:
        return detector_of(gallery.contract.detector)
    except InputError:
        return DEFAULT_DETECTOR


def _print_report(report: UpgradeReport, folder: Path, encoder: str) -> None:
    print_facts(
        [
            ("faces embedded", report.faces),
            ("shards made now", report.shards),
            ("made before", report.shards_before),
            ("faces dropped", report.dropped),
            ("gallery", f"{folder} with vectors of {encoder}" if report.upgraded else "unchanged"),
        ]
    )
    for failure in report.failures[:FAILURES_SHOWN]:
        line = f"not read: {failure.photo}: {failure.reason}: {failure.detail}"
        print(printable(line), file=sys.stderr)
    if not report.upgraded:
        print(
            f"{count(len(report.failures), 'photo')} with faces could not be read, so the gallery "
            "stays as it was; make them readable and run the command again, or finish without "
            "their faces: --drop-unreadable",
            file=sys.stderr,
        )
