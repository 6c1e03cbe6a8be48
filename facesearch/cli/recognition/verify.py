"""``verify``: compare the faces of two photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.by_service import ask_service
from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.cli.output import box_text, print_facts, print_json
from facesearch.cli.recognition.face_text import add_threshold, is_video_file

if TYPE_CHECKING:
    from facesearch.recognition.documents import Document


def add_commands(commands: Any) -> None:
    """Add the command."""
    verify = commands.add_parser("verify", help="check whether two photos show the same person")
    verify.add_argument("first", type=Path, metavar="PHOTO", help="photo whose faces are compared")
    verify.add_argument("second", type=Path, metavar="PHOTO", help="photo whose faces are compared")
    verify.add_argument(
        "--gallery",
        type=Path,
        metavar="GALLERY",
        help="gallery whose detector and encoder compare them; quick while its service runs",
    )
    add_threshold(verify, "the encoder's")
    add_engine_options(verify)
    verify.set_defaults(run=run_verify)


def run_verify(args: argparse.Namespace) -> int:
    """Print whether the photos' largest faces show one person; 1 when they do not."""
    photos = {"first": args.first, "second": args.second}
    result = None
    if not any(map(is_video_file, photos.values())):
        result = ask_service(args, "verify", photos, threshold=args.threshold)
    if result is None:
        result = _verified(args)
    too_poor = result.pop("too_poor")
    if args.json:
        print_json(result)
    else:
        print_facts(
            [
                ("verdict", "same person" if result["same"] else "different people"),
                ("distance", f"{result['distance']:.3f}"),
                ("threshold", f"{result['threshold']:.3f}"),
                ("faces", " and ".join(box_text(box) for box in result["boxes"])),
                ("qualities", " and ".join(f"{each:.2f}" for each in result["qualities"])),
            ]
        )
        if too_poor:
            print("both faces are too poor to compare: use sharper photos", file=sys.stderr)
    return 0 if result["same"] else 1


def _verified(args: argparse.Namespace) -> Document:
    from facesearch.api.arguments import to_engine
    from facesearch.api.session import verify_photos
    from facesearch.gallery.gallery import Gallery
    from facesearch.recognition.documents import verification_document

    contract = None if args.gallery is None else Gallery.open(args.gallery).contract
    engine = to_engine(engine_options(args), contract)
    return verification_document(
        verify_photos(args.first, args.second, threshold=args.threshold, engine=engine)
    )
