"""``search``: find the faces of the gallery that are nearest to those of photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.by_service import ask_service
from facesearch.cli.engine_options import (
    add_engine_options,
    add_search_device,
    engine_options,
    positive_int,
)
from facesearch.cli.output import counting_progress, print_json, print_table
from facesearch.cli.recognition.face_text import is_video_file, where

if TYPE_CHECKING:
    from facesearch.recognition.documents import Document


def add_commands(commands: Any) -> None:
    """Add the command."""
    search = commands.add_parser(
        "search", help="find the faces of the gallery that are nearest to those of a photo or video"
    )
    search.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    search.add_argument(
        "photo",
        nargs="?",
        type=Path,
        metavar="PHOTO",
        help="photo or video whose faces are compared",
    )
    search.add_argument(
        "-k", type=positive_int, default=10, help="matches for each face (default: 10)"
    )
    search.add_argument(
        "--probes",
        type=Path,
        metavar="DIR",
        help="search for all faces of a folder of photos and videos, of another gallery, or of a "
        "folder of shards, instead of PHOTO; an interrupted job continues",
    )
    search.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="new file for the matches of --probes: *.jsonl or *.csv; it says of each name whether "
        "it was confirmed, and how sure it is",
    )
    add_search_device(search)
    search.add_argument("--quiet", action="store_true", help="show no progress bar")
    add_engine_options(search)
    search.set_defaults(run=run_search)


def run_search(args: argparse.Namespace) -> int:
    """Print the matches of every face, or write those of many photos."""
    from facesearch.errors import InputError

    if (args.photo is None) == (args.probes is None) or (args.probes is None) != (args.out is None):
        raise InputError("expected a PHOTO, or both --probes DIR and --out FILE; give one of these")
    if args.probes is not None:
        return _search_batch(args)
    faces = None
    if not is_video_file(args.photo):
        faces = ask_service(args, "search", {"photo": args.photo}, k=args.k)
    if faces is None:
        faces = _searched(args)
    names = [[match.pop("name") for match in face["matches"]] for face in faces]
    if args.json:
        print_json({"photo": args.photo, "faces": faces})
        return 0
    if not faces:
        print(f"no face found in {args.photo}", file=sys.stderr)
    for number, face in enumerate(faces, 1):
        print(f"face {number} at {where(face)}, quality {face['quality']:.2f}")
        rows = [
            (rank, match["distance"], match["person"] or "", name)
            for rank, (match, name) in enumerate(
                zip(face["matches"], names[number - 1], strict=True), 1
            )
        ]
        print_table(("rank", "distance", "person", "photo"), rows)
    return 0


def _searched(args: argparse.Namespace) -> list[Document]:
    from facesearch.api.session import search_photo
    from facesearch.recognition.documents import matches_document

    engine = engine_options(args)
    return matches_document(
        search_photo(args.gallery, args.photo, args.k, engine=engine, device=args.search_device)
    )


def _search_batch(args: argparse.Namespace) -> int:
    from facesearch.api.batch import search_many

    report = search_many(
        args.gallery,
        args.probes,
        args.out,
        args.k,
        engine=engine_options(args),
        device=args.search_device,
        progress=counting_progress(args.quiet, " probes"),
    )
    if args.json:
        print_json(report)
        return 0
    print(
        f"{report.matches:,} matches of {report.faces:,} faces written to {report.out}; of "
        f"{report.probes:,} {report.unit}, {report.without_face:,} show no face and "
        f"{report.failed:,} failed"
    )
    return 0
