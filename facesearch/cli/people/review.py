"""``people suggestions`` and the answers to them: confirm, apart, later, cover, not-face."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_json, print_table
from facesearch.cli.people.decisions import (
    FACE,
    PERSON,
    about,
    add_command,
    add_person,
    decide,
    face_number,
    open_editor,
)
from facesearch.text import count, printable

if TYPE_CHECKING:
    from pathlib import Path

    from facesearch.curation.suggestions import Suggestion

_SHOWN = 20


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
    from facesearch.api.people import people_suggestions

    editor = open_editor(args)
    person = None if args.person is None else editor.find(args.person)
    found = [
        each
        for each in people_suggestions(args.gallery)
        if person is None or person.id in {each.person.id, each.other.id if each.other else 0}
    ]
    if args.json:
        print_json({"suggestions": [_json(each) for each in found]})
        return 0
    if not found:
        print("facesearch: there is nothing to look at", file=sys.stderr)
        return 0
    shown = found if args.all else found[:_SHOWN]
    rows = [(f"{100 * each.probability:.0f}%", _text(each)) for each in shown]
    print_table(("chance", "suggestion"), rows)
    if len(found) > len(shown):
        print(f"{len(found) - len(shown):,} more: --all lists them")
    print(f"answer with, for example: {_command(shown[0], args.gallery)}")
    return 0


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


def _text(each: Suggestion) -> str:
    person = each.person.label
    other = each.other.label if each.other else "somebody else"
    faces = " ".join(map(str, each.faces[:3])) + (" ..." if len(each.faces) > 3 else "")
    texts = {
        "same": f"{person} and {other} ({count(len(each.faces), 'face')}) may be one person",
        "leftover": f"face {faces}, which is nobody's, may be {person}",
        "mixed": f"{count(len(each.faces), 'face')} of {person} may be {other}: {faces}",
        "doubt": f"face {faces} of {person} may be {other}",
    }
    return printable(texts[each.kind] + (" (asked before)" if each.later else ""))


def _command(each: Suggestion, gallery: Path) -> str:
    """The command that follows a suggestion."""
    faces = " ".join(map(str, each.faces))
    commands = {
        "same": f"merge {gallery} {each.person.key} {each.other.key if each.other else ''}",
        "leftover": f"add {gallery} {each.person.key} {faces}",
        "mixed": f"split {gallery} {each.person.key} {faces}",
        "doubt": f"reject {gallery} {each.person.key} {faces}",
    }
    return printable(f"facesearch people {commands[each.kind]}")


def _json(each: Suggestion) -> dict[str, Any]:
    return {
        "kind": each.kind,
        **about(each.person),
        "other": about(each.other) if each.other else None,
        "faces": each.faces,
        "probability": round(each.probability, 4),
        "later": each.later,
    }
