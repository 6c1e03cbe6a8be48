"""``identify``: name the people in photos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.by_service import ask_about_people, ask_service, has_usual_engine
from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.cli.output import print_json, print_json_line, print_table
from facesearch.cli.photo_lists import are_many, photo_paths
from facesearch.cli.recognition.face_text import (
    add_threshold,
    is_video_file,
    name_and_time,
    name_text,
    threshold_text,
    where,
)
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.images import FoundPhoto
    from facesearch.recognition.documents import Document

PROBES_HELP = (
    'photos, videos or folders of them; "-" reads their paths from standard input, one a line'
)


def add_commands(commands: Any) -> None:
    """Add the command."""
    identify = commands.add_parser(
        "identify",
        help="name the people in photos and videos, if they are enrolled",
        description="Name the people in photos and videos, if they are enrolled. For several "
        "photos --json prints one object a line; a photo that cannot be read is reported, and the "
        "others go on.",
    )
    identify.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    identify.add_argument("photos", nargs="+", metavar="PHOTOS", help=PROBES_HELP)
    add_threshold(identify, "the calibrated one of the gallery, or the encoder's")
    add_engine_options(identify)
    identify.set_defaults(run=run_identify)


def run_identify(args: argparse.Namespace) -> int:
    """Print a name or "unknown" for every face; 1 when no face is known."""
    if are_many(args.photos):
        return _identify_many(args)
    (photo,) = args.photos
    found = None
    if not is_video_file(photo):
        found = ask_service(args, "identify", {"photo": Path(photo)}, threshold=args.threshold)
    if found is None:
        found = _identified(args, photo)
    if args.json:
        print_json({"photo": photo, "faces": found})
    elif not found:
        print(f"no face found in {photo}", file=sys.stderr)
    else:
        rows = [
            (
                where(face),
                name_text(face),
                face["distance"],
                face["nearest"],
                "" if face["margin"] is None else f"{face['margin']:.3f}",
            )
            for face in found
        ]
        print_table(("face", "person", "distance", "nearest", "margin"), rows)
        print(f"threshold: {threshold_text(found[0])}")
    return 0 if any(face["person"] for face in found) else 1


def _identified(args: argparse.Namespace, photo: str) -> list[Document]:
    from facesearch.api.session import identify_photo
    from facesearch.recognition.documents import identification_document

    engine = engine_options(args)
    return identification_document(
        identify_photo(args.gallery, photo, threshold=args.threshold, engine=engine)
    )


def _identify_many(args: argparse.Namespace) -> int:
    photos, known, failed, threshold = 0, 0, 0, ""
    for each in identified_photos(args):
        photos += 1
        known += any(face["person"] for face in each["faces"])
        failed += bool(each["reason"])
        if args.json:
            print_json_line(each)
            continue
        shown = each["photo"]
        if each["reason"]:
            text = f"{shown}: {each['reason']}: {each['detail']}"
            print(printable(text), file=sys.stderr)
            continue
        names = [name_and_time(face) for face in each["faces"]]
        print(printable(f"{shown}: {', '.join(names) or 'no face found'}"))
        threshold = threshold or (threshold_text(each["faces"][0]) if each["faces"] else "")
    if not args.json:
        print(f"{count(photos, 'photo')}; {known:,} with somebody known; {failed:,} not readable")
        if threshold:
            print(f"threshold: {threshold}")
    return 0 if known else 1


def identified_photos(args: argparse.Namespace) -> Iterator[Document]:
    """Who is in each of ``args.photos``, in their order; or the ``reason`` and ``detail`` why one
    cannot be read. The service is asked, if one runs, and what it does not take is done here."""
    from facesearch.cli.photo_questions import PhotoQuestions
    from facesearch.images import find_each

    alone = _Alone(args)
    found = find_each(photo_paths(args.photos))
    # Where nobody can be identified this is said before any photo is looked at.
    if not has_usual_engine(args) or ask_about_people(args.gallery, "enrolled") is None:
        yield from alone.documents(found)
        return
    questions = PhotoQuestions(args.gallery, "identify", found, threshold=args.threshold)
    answers = iter(questions)
    for photo, answer in answers:
        if questions.is_over:
            rest = chain([photo], (each for each, _ in answers))
            yield from alone.documents(rest)
        elif answer is None:
            yield from alone.documents([photo])
        else:
            yield {"photo": photo.location, "faces": [], "reason": "", "detail": "", **answer}


class _Alone:
    """What this process does itself, with an engine that is loaded when it is first needed."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._opened: Any = None

    def documents(self, found: Iterable[FoundPhoto]) -> Iterator[Document]:
        """Who is in each of ``found``."""
        from facesearch.api.batch import open_batch_session
        from facesearch.recognition.documents import identification_document

        if self._opened is None:
            self._opened = open_batch_session(self._args.gallery, engine=engine_options(self._args))
        session, options = self._opened
        threshold = self._args.threshold
        for each in session.identify_found(found, threshold=threshold, options=options):
            yield {**vars(each), "faces": identification_document(each.faces)}
