"""``people suggestions`` and the answers to them: confirm, apart, later, cover, not-face."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from facesearch.cli.by_service import ask_about_people
from facesearch.cli.output import print_json, print_table
from facesearch.cli.people.decisions import (
    FACE,
    PERSON,
    add_command,
    add_person,
    decide,
    face_number,
    open_editor,
)
from facesearch.text import count, printable

if TYPE_CHECKING:
    from pathlib import Path

    from facesearch.curation.documents import Document

_SHOWN = 20
_PAUSE = 0.2  # seconds between two questions whether the service is done


def add_commands(below: Any) -> None:
    """Add the commands, below ``people``."""
    listed = add_command(
        below,
        "suggestions",
        run_suggestions,
        "list what is worth a look, people you know before the crowd",
    )
    listed.add_argument("person", nargs="?", metavar="PERSON", help=f"about this person: {PERSON}")
    listed.add_argument("--all", action="store_true", help=f"list more than {_SHOWN}")
    confirm = add_command(
        below, "confirm", run_confirm, "confirm faces of a person, by default all"
    )
    add_person(confirm)
    confirm.add_argument("faces", nargs="*", metavar="FACE", help=FACE)
    apart = add_command(below, "apart", run_apart, "state that two people are not the same")
    add_person(apart)
    apart.add_argument("other", metavar="OTHER", help="the other person")
    later = add_command(below, "later", run_later, "put a suggestion at the end of the list")
    add_person(later)
    later.add_argument("other", nargs="?", metavar="OTHER", help="who may be the same person")
    later.add_argument(
        "--face", action="append", type=face_number, default=[], help="number of a face"
    )
    cover = add_command(below, "cover", run_cover, "choose the face that shows a person")
    add_person(cover)
    cover.add_argument("face", metavar="FACE", help=FACE)
    none = add_command(
        below, "not-face", run_not_face, "leave out what was found but is not a face"
    )
    none.add_argument("faces", nargs="+", type=face_number, metavar="FACE", help="number of a face")


def run_suggestions(args: argparse.Namespace) -> int:
    """Print one line for each suggestion, with the command that follows it."""
    found = _asked(args)
    if found is None:
        found = _found(args)
    if args.json:
        print_json({"suggestions": [_json(each) for each in found]})
        return 0
    if not found:
        print("facesearch: there is nothing to look at", file=sys.stderr)
        return 0
    shown = found if args.all else found[:_SHOWN]
    rows = [(f"{100 * each['probability']:.0f}%", _text(each)) for each in shown]
    print_table(("chance", "suggestion"), rows)
    if len(found) > len(shown):
        print(f"{len(found) - len(shown):,} more: --all lists them")
    print(f"answer with, for example: {_command(shown[0], args.gallery)}")
    return 0


def _asked(args: argparse.Namespace) -> list[Document] | None:
    """What the service says, once it has looked at all faces; None where it does not."""
    while True:
        answer = ask_about_people(args.gallery, "suggestions", person=args.person)
        if answer is None or "suggestions" in answer:
            return None if answer is None else list(answer["suggestions"])
        time.sleep(_PAUSE)


def _found(args: argparse.Namespace) -> list[Document]:
    from facesearch.api.people import people_suggestions
    from facesearch.curation.documents import suggestions_document
    from facesearch.curation.suggestions import about_person

    editor = open_editor(args)
    person = None if args.person is None else editor.find(args.person)
    return suggestions_document(about_person(people_suggestions(args.gallery), person))


def run_confirm(args: argparse.Namespace) -> int:
    """Confirm faces and print what was done."""
    return decide(args, "confirm", args.person, faces=args.faces)


def run_apart(args: argparse.Namespace) -> int:
    """Keep two people apart and print what was done."""
    return decide(args, "apart", args.person, others=[args.other])


def run_later(args: argparse.Namespace) -> int:
    """Put a suggestion off and print what was done."""
    others = [] if args.other is None else [args.other]
    return decide(args, "later", args.person, others=others, faces=args.face)


def run_cover(args: argparse.Namespace) -> int:
    """Choose a cover and print what was done."""
    return decide(args, "cover", args.person, faces=[args.face])


def run_not_face(args: argparse.Namespace) -> int:
    """Leave detections out and print what was done."""
    return decide(args, "not-face", faces=args.faces)


def _text(each: Document) -> str:
    person = _label(each["person"])
    other = _label(each["other"]) if each["other"] else "somebody else"
    faces, number = each["faces"], count(len(each["faces"]), "face")
    some = " ".join(map(str, faces[:3])) + (" ..." if len(faces) > 3 else "")
    texts = {
        "same": f"{person} and {other} ({number}) may be one person",
        "leftover": f"face {some}, which is nobody's, may be {person}",
        "mixed": f"{number} of {person} may be {other}: {some}",
        "doubt": f"face {some} of {person} may be {other}",
    }
    return printable(texts[each["kind"]] + (" (asked before)" if each["later"] else ""))


def _label(person: Document) -> str:
    return str(person["name"] or person["person"])


def _command(each: Document, gallery: Path) -> str:
    """The command that follows a suggestion."""
    faces, person = " ".join(map(str, each["faces"])), each["person"]["person"]
    commands = {
        "same": f"merge {gallery} {person} {each['other']['person'] if each['other'] else ''}",
        "leftover": f"add {gallery} {person} {faces}",
        "mixed": f"split {gallery} {person} {faces}",
        "doubt": f"reject {gallery} {person} {faces}",
    }
    return printable(f"facesearch people {commands[each['kind']]}")


def _json(each: Document) -> Document:
    return {
        "kind": each["kind"],
        **each["person"],
        "other": each["other"],
        "faces": each["faces"],
        "probability": round(each["probability"], 4),
        "later": each["later"],
    }
