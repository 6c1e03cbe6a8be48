"""``enroll``: name the person in photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.cli.output import known, print_json
from facesearch.text import printable


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "enroll",
        help="name the person in photos, so that identify recognises them",
        description="Give NAME to the largest face of each photo. Photos that are not in the "
        "gallery yet are added to it.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.add_argument("name", metavar="NAME", help="name of the person")
    parser.add_argument(
        "photos", nargs="+", type=Path, metavar="PHOTOS", help="photos of the person"
    )
    add_engine_options(parser)
    parser.set_defaults(run=run_enroll)


def run_enroll(args: argparse.Namespace) -> int:
    """Enroll and print which faces were used; 2 when no photo had a usable face."""
    from facesearch.api.people import enroll
    from facesearch.cli.people.decision_text import overruled_json, print_overruled
    from facesearch.people.decision_words import in_words
    from facesearch.people.store import PeopleStore
    from facesearch.quality import MIN_QUALITY

    enrolment = enroll(args.gallery, args.name, args.photos, engine=engine_options(args))
    results, overruled = enrolment.photos, enrolment.superseded
    done = [each for each in results if each.face]
    words = in_words(PeopleStore(args.gallery).decisions())
    if args.json:
        print_json(
            {
                "name": args.name,
                "enrolled": [
                    {
                        "photo": each.photo,
                        "face_id": each.face.face_id,
                        "box": each.face.box,
                        "quality": known(each.face.quality),
                    }
                    for each in results
                    if each.face
                ],
                "problems": [
                    {"photo": each.photo, "problem": each.problem}
                    for each in results
                    if not each.face
                ],
                "overruled": overruled_json(overruled, words),
            }
        )
    else:
        print(f"{len(done)} of {len(results)} photos enrolled as {args.name}")
        print_overruled(overruled, words)
    for each in results:
        if each.problem:
            print(printable(f"not enrolled: {each.photo}: {each.problem}"), file=sys.stderr)
        elif each.faces_in_photo > 1:
            text = f"{each.photo} shows {each.faces_in_photo} faces; the largest was used"
            print(printable(text), file=sys.stderr)
        if each.face and each.face.quality < MIN_QUALITY:
            text = (
                f"warning: the face in {each.photo} is of low quality ({each.face.quality:.2f}) "
                "and may be confused with other people; use a clearer photo if you can"
            )
            print(printable(text), file=sys.stderr)
    return 0 if done else 2
