"""``forget``: delete faces for good."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_json
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.erasure.forget import ForgetReport


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "forget",
        help="delete faces for good",
        description="Delete faces and everything derived from them: vectors, boxes, names, cluster "
        "memberships, and the report. Indexing their photos again does not bring them back. This "
        "cannot be undone. Without any option, finish a deletion that was interrupted.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.add_argument(
        "--photo",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="delete all faces of these photos and of all copies of them",
    )
    parser.add_argument(
        "--face",
        nargs="+",
        type=int,
        default=[],
        metavar="ID",
        help="delete faces by id (search --json shows ids)",
    )
    parser.add_argument(
        "--person",
        nargs="+",
        default=[],
        metavar="NAME",
        help="delete all faces of a person, decided or clustered, and the name",
    )
    parser.add_argument(
        "--lift",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="allow photos to be indexed again, including their deleted faces",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be deleted, and delete nothing"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask to confirm on a terminal")
    parser.add_argument(
        "--previewed",
        metavar="DIGEST",
        help="delete only what --dry-run showed, whose digest it prints; refuse where that has "
        "changed since",
    )
    parser.add_argument(
        "--receipt",
        type=Path,
        metavar="FILE",
        help="write the receipt to this new file (default: a new file in GALLERY/erasures); "
        "facesearch check --erased FILE proves later that nothing came back",
    )
    parser.set_defaults(run=run_forget)


def run_forget(args: argparse.Namespace) -> int:
    """Delete faces, or allow photos again, and print what was done."""
    from facesearch.api.maintenance import unforget_photos
    from facesearch.errors import InputError

    if args.lift and (args.photo or args.face or args.person):
        raise InputError("expected either --lift or faces to delete, got both; give one of them")
    report = unforget_photos(args.gallery, args.lift) if args.lift else _forgotten(args)
    if args.json:
        print_json({"gallery": args.gallery, **vars(report)})
    elif args.dry_run:
        print("\n".join(_preview_lines(report)))
        print(f"to delete just this, add to the command: --previewed {report.digest}")
    else:
        print("\n".join(_lines(report, bool(args.lift), args.gallery)))
    if report.found:
        shown = printable(", ".join(report.found[:_SHOWN]))
        print(f"facesearch: something is still left in: {shown}", file=sys.stderr)
    return 0


def _forgotten(args: argparse.Namespace) -> ForgetReport:
    """What was deleted, or with --dry-run would be; who confirms deletes just what they saw."""
    from facesearch.api.maintenance import forget_faces
    from facesearch.errors import InputError

    chosen = {"photos": args.photo, "ids": args.face, "people": args.person}
    previewed = args.previewed
    asks = any(chosen.values()) and not args.yes and sys.stdin.isatty() and sys.stderr.isatty()
    if args.dry_run or asks:
        report = forget_faces(args.gallery, **chosen, dry_run=True)
        if args.dry_run:
            return report
        if not _confirmed(report):
            raise InputError("nothing was deleted")
        previewed = previewed or report.digest
    return forget_faces(args.gallery, **chosen, receipt=args.receipt, previewed=previewed)


def _confirmed(report: ForgetReport) -> bool:
    print("\n".join(_preview_lines(report)), file=sys.stderr)
    print("This cannot be undone. Delete? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _preview_lines(report: ForgetReport) -> list[str]:
    lines = [f"{count(report.faces, 'face')} would be deleted for good"]
    if report.decided or report.clustered:
        lines.append(
            f"of the people named: {report.decided} by decision, {report.clustered} only by "
            "clustering"
        )
    lines += [f"sidecar that would be removed: {printable(each)}" for each in report.sidecars]
    return [*lines, *_elsewhere(report)]


def _lines(report: ForgetReport, lifted: bool, gallery: Path) -> list[str]:
    if lifted:
        lines = ["the next facesearch index treats these photos as new"]
    else:
        lines = [f"{count(report.faces, 'face')} forgotten, {report.named} of them named"]
    if report.clustered:
        lines.append(f"{count(report.clustered, 'face')} only by clustering were among them")
    lines.append(
        f"{count(report.shards, 'shard')} and {count(report.clusterings, 'clustering')} rewritten"
    )
    if report.sidecars:
        lines.append(f"{count(len(report.sidecars), 'sidecar file')} removed")
    for name in report.removed:
        command = _COMMANDS.get(name.partition("-")[0], "cluster")
        lines.append(f"{name} removed; rebuild it with: facesearch {command} {gallery}")
    lines += _elsewhere(report)
    if report.receipt:
        lines.append(f"receipt: {report.receipt}")
    return lines


def _elsewhere(report: ForgetReport) -> list[str]:
    return [
        f"reports, sidecars or an archive were written to {printable(each)}: look there, and "
        "delete them or write them again"
        for each in report.elsewhere
    ]


_COMMANDS = {"graph.h5": "graph", "report": "report", "shards": "upgrade"}
_SHOWN = 10
