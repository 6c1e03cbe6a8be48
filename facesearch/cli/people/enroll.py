"""``enroll``: name the person in photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.cli.output import (
    embed_progress,
    known,
    print_json,
    print_json_line,
    print_lines,
)
from facesearch.cli.photo_lists import HELP as PHOTOS_HELP
from facesearch.cli.photo_lists import are_many, photo_paths
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.curation.enroll import Enrolled, Enrolment


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "enroll",
        help="name the person in photos, so that identify recognises them",
        description="Give NAME to the largest face of each photo. Photos that are not in the "
        "gallery yet are added to it. With --folders everybody who has a folder is enrolled.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of the person")
    parser.add_argument("photos", nargs="*", metavar="PHOTOS", help=PHOTOS_HELP)
    parser.add_argument(
        "--folders",
        type=Path,
        metavar="DIR",
        help="enrol everybody who has a folder in DIR, by its name, from all photos in it; one "
        "undo takes it back; --json prints one object a line",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    add_engine_options(parser)
    parser.set_defaults(run=run_enroll)


def run_enroll(args: argparse.Namespace) -> int:
    """Enroll and print which faces were used; 2 when no photo had a usable face."""
    from facesearch.api.people import enroll, enroll_folders
    from facesearch.errors import InputError

    if args.folders is not None:
        if args.name is not None:
            raise InputError(f"expected --folders alone, got {args.name!r} too; give one of them")
        enrolment = enroll_folders(
            args.gallery,
            args.folders,
            engine=engine_options(args),
            progress=embed_progress(args.quiet),
        )
    elif args.name is None or not args.photos:
        raise InputError("expected NAME and PHOTOS, or --folders DIR; give one of these")
    else:
        photos = list(photo_paths(args.photos))
        enrolment = enroll(args.gallery, args.name, photos, engine=engine_options(args))
    if args.json:
        _print_json(args, enrolment)
    else:
        _print_text(args, enrolment)
    for each in enrolment.photos:
        _warn(each, quiet=args.folders is not None)
    return 0 if any(each.face for each in enrolment.photos) else 2


def _print_json(args: argparse.Namespace, enrolment: Enrolment) -> None:
    from facesearch.curation.documents import overruled_document
    from facesearch.people.decision_words import in_words
    from facesearch.people.store import PeopleStore

    if args.folders is not None or (are_many(args.photos) and len(args.photos) == 1):
        for each in enrolment.photos:
            facts = _enrolled(each) if each.face else {"problem": each.problem}
            print_json_line({"photo": each.photo, "name": each.name or None, **facts})
        return
    words = in_words(PeopleStore(args.gallery).decisions())
    print_json(
        {
            "name": args.name,
            "enrolled": [
                {"photo": each.photo, **_enrolled(each)} for each in enrolment.photos if each.face
            ],
            "problems": [
                {"photo": each.photo, "problem": each.problem}
                for each in enrolment.photos
                if not each.face
            ],
            "overruled": overruled_document(enrolment.superseded, words),
        }
    )


def _enrolled(each: Enrolled) -> dict[str, Any]:
    face = each.face
    return (
        {"face_id": face.face_id, "box": face.box, "quality": known(face.quality)} if face else {}
    )


def _print_text(args: argparse.Namespace, enrolment: Enrolment) -> None:
    from facesearch.curation.documents import overruled_lines
    from facesearch.people.decision_words import in_words
    from facesearch.people.store import PeopleStore

    results = enrolment.photos
    done = [each for each in results if each.face]
    if not results:
        text = "found no photo to enrol; give photos, or a folder that has some"
        print(f"facesearch: {text}", file=sys.stderr)
        return
    if args.folders is None:
        print(printable(f"{len(done)} of {len(results)} photos enrolled as {args.name}"))
    else:
        people = count(len({each.name for each in done}), "person", "people")
        print(f"{people} enrolled from {len(done):,} of {count(len(results), 'photo')}")
    words = in_words(PeopleStore(args.gallery).decisions())
    print_lines(overruled_lines(enrolment.superseded, words))
    if done:
        print(
            "faces that look like these get the name at the next clustering: facesearch cluster "
            f"{printable(str(args.gallery))}"
        )


def _warn(each: Enrolled, *, quiet: bool) -> None:
    """Say what is wrong with a photo, or may be; with ``quiet`` only what is wrong."""
    from facesearch.quality import MIN_QUALITY

    if each.problem:
        print(printable(f"not enrolled: {each.photo}: {each.problem}"), file=sys.stderr)
    elif each.faces_in_photo > 1 and not quiet:
        text = f"{each.photo} shows {each.faces_in_photo} faces; the largest was used"
        print(printable(text), file=sys.stderr)
    if each.face and each.face.quality < MIN_QUALITY:
        text = (
            f"warning: the face in {each.photo} is of low quality ({each.face.quality:.2f}) "
            "and may be confused with other people; use a clearer photo if you can"
        )
        print(printable(text), file=sys.stderr)
