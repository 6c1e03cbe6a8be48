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
        description="Delete faces and everything made of them: vectors, boxes, names, memberships "
        "of clusters, and the report. Indexing their photos again does not bring them back. "
        "Cannot be undone. Without a face, finish what an earlier call was kept from finishing.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY")
    parser.add_argument(
        "--photo",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="all faces of photos, wherever else copies of them are",
    )
    parser.add_argument(
        "--face", nargs="+", type=int, default=[], metavar="ID", help="faces by id, as --json shows"
    )
    parser.add_argument(
        "--person",
        nargs="+",
        default=[],
        metavar="NAME",
        help="all faces that were given a name, and the name",
    )
    parser.add_argument(
        "--lift",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="let photos be indexed again as new, with the faces of them that were forgotten",
    )
    parser.set_defaults(run=run_forget)


def run_forget(args: argparse.Namespace) -> int:
    """Forget, or lift, and say what was done."""
    from facesearch.api.maintenance import forget_faces, unforget_photos
    from facesearch.errors import InputError

    if args.lift and (args.photo or args.face or args.person):
        raise InputError("expected either --lift or faces to forget, got both; give one of them")
    if args.lift:
        report = unforget_photos(args.gallery, args.lift)
    else:
        report = forget_faces(args.gallery, photos=args.photo, ids=args.face, people=args.person)
    if args.json:
        print_json({"gallery": args.gallery, **vars(report)})
        return 0
    if args.lift:
        print("the photos will be new to the next: facesearch index")
    else:
        print(f"{report.faces} faces forgotten, {report.named} of them named")
    print(f"{report.shards} shards and {report.clusterings} clusterings rewritten")
    for name in report.removed:
        print(f"{name} removed; make it again with: facesearch {_COMMANDS[name]} {args.gallery}")
    return 0


_COMMANDS = {"graph.h5": "graph", "report": "report"}
