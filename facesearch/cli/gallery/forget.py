"""``forget``: delete faces for good."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from facesearch.cli.output import print_json


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
        help="delete all faces with this name, and the name",
    )
    parser.add_argument(
        "--lift",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="allow photos to be indexed again, including their deleted faces",
    )
    parser.set_defaults(run=run_forget)


def run_forget(args: argparse.Namespace) -> int:
    """Delete faces, or allow photos again, and print what was done."""
    from facesearch.api.maintenance import forget_faces, unforget_photos
    from facesearch.errors import InputError

    if args.lift and (args.photo or args.face or args.person):
        raise InputError("expected either --lift or faces to delete, got both; give one of them")
    if args.lift:
        report = unforget_photos(args.gallery, args.lift)
    else:
        report = forget_faces(args.gallery, photos=args.photo, ids=args.face, people=args.person)
    if args.json:
        print_json({"gallery": args.gallery, **vars(report)})
        return 0
    if args.lift:
        print("the next facesearch index treats these photos as new")
    else:
        print(f"{report.faces} faces forgotten, {report.named} of them named")
    print(f"{report.shards} shards and {report.clusterings} clusterings rewritten")
    for name in report.removed:
        print(f"{name} removed; rebuild it with: facesearch {_COMMANDS[name]} {args.gallery}")
    return 0


_COMMANDS = {"graph.h5": "graph", "report": "report"}
