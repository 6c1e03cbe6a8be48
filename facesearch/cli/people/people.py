"""``people``: list the people of a gallery, and name, merge, split or hide them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from facesearch.cli.by_service import ask_about_people, decide_by_service
from facesearch.cli.engine_options import positive_int
from facesearch.cli.output import box_text, print_json, print_table
from facesearch.cli.people import review
from facesearch.cli.people.decisions import (
    FACE,
    PERSON,
    add_command,
    add_person,
    decide,
    face_number,
    print_decided,
)
from facesearch.cli.people.imports import add_import
from facesearch.text import count, printable


def add_commands(commands: Any) -> None:
    """Add the command with all that is below it."""
    parser = commands.add_parser(
        "people",
        help="list people; name, merge, split or hide them; undo; export and import",
        description="List people and decide about them. A decision applies at once, and every "
        "later clustering keeps it. A decision about a person confirms the faces that the person "
        "surely has at that moment, one about a face that face alone. PERSON is " + PERSON + ".",
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listed = add_command(below, "list", run_list, "list people, those with the most faces first")
    listed.add_argument("--all", action="store_true", help="include hidden people")
    show = add_command(
        below, "show", run_show, "list the faces of a person, the most certain first"
    )
    add_person(show)
    show.add_argument(
        "--unsure", action="store_true", help="only those that are not confirmed, least sure first"
    )
    name = add_command(below, "name", run_name, "name or rename a person")
    add_person(name)
    name.add_argument("name", metavar="NAME", help="the new name")
    merge = add_command(below, "merge", run_merge, "merge people into the first one")
    add_person(merge)
    merge.add_argument(
        "others", nargs="+", metavar="OTHER", help="a person to merge into the first"
    )
    add = add_command(below, "add", run_add, "assign faces to a person")
    add_person(add)
    add.add_argument("faces", nargs="+", type=face_number, metavar="FACE", help="number of a face")
    split = add_command(below, "split", run_split, "move faces of a person to a new person")
    add_person(split)
    split.add_argument("faces", nargs="+", metavar="FACE", help=FACE)
    split.add_argument("--name", metavar="NAME", help="name of the new person")
    reject = add_command(
        below, "reject", run_reject, "remove faces from a person, without assigning them to another"
    )
    add_person(reject)
    reject.add_argument("faces", nargs="+", metavar="FACE", help=FACE)
    hide = add_command(below, "hide", run_hide, "hide a person from lists and albums")
    add_person(hide)
    unhide = add_command(below, "unhide", run_unhide, "show a hidden person again")
    add_person(unhide)
    review.add_commands(below)
    undo = add_command(below, "undo", run_undo, "undo the last decision that still applies")
    undo.add_argument(
        "--dry-run", action="store_true", help="show what would change, and change nothing"
    )
    undo.add_argument(
        "--decision",
        type=positive_int,
        metavar="NUMBER",
        help="undo only this decision, as --dry-run showed it; refuse where another is the last",
    )
    add_command(below, "history", run_history, "list all decisions, the newest last")
    export = add_command(below, "export", run_export, "write names and decisions to a file")
    export.add_argument("file", type=Path, metavar="FILE", help="a new file *.json or *.csv")
    add_import(below)


def run_list(args: argparse.Namespace) -> int:
    """Print one line for each person."""
    listed = ask_about_people(args.gallery, "list", hidden=args.all)
    if listed is None:
        listed = _listed(args)
    people = listed["people"]
    if args.json:
        print_json({"people": people, "faces_of_nobody": listed["faces_of_nobody"]})
        return 0
    if people:
        rows = [
            (
                each["person"],
                each["name"] or "",
                each["faces"],
                each["decided"],
                _remarks((each["hidden"], "hidden"), (each["gone"], "no faces left")),
            )
            for each in people
        ]
        print_table(("person", "name", "faces", "confirmed", ""), rows)
    if not listed["clustered"]:
        text = f"this gallery has not been clustered yet; run: facesearch cluster {args.gallery}"
        print(f"facesearch: {text}", file=sys.stderr)
    elif not people:
        hidden = "all people are hidden; --all lists them"
        text = hidden if listed["hidden_people"] else "there are no people yet"
        print(f"facesearch: {text}", file=sys.stderr)
    return 0


def _listed(args: argparse.Namespace) -> Any:
    from facesearch.api.people_lists import list_people
    from facesearch.curation.documents import people_document

    return people_document(list_people(args.gallery, hidden=args.all))


def _remarks(*remarks: tuple[bool, str]) -> str:
    """The texts of those that hold."""
    return ", ".join(text for holds, text in remarks if holds)


def run_show(args: argparse.Namespace) -> int:
    """Print one line for each face."""
    shown = ask_about_people(args.gallery, "show", person=args.person, unsure=args.unsure)
    if shown is None:
        shown = _shown(args)
    places = [face.pop("place") for face in shown["faces"]]
    if args.json:
        print_json(shown)
        return 0
    print(printable(f"{shown['person']} {shown['name'] or ''}").rstrip())
    rows = [
        (
            face["face_id"],
            box_text(face["box"]),
            face["confidence"],
            _remarks((face["decided"], "yes")),
            place,
        )
        for face, place in zip(shown["faces"], places, strict=True)
    ]
    print_table(("face", "box", "confidence", "confirmed", "photo"), rows)
    return 0


def _shown(args: argparse.Namespace) -> Any:
    from facesearch.api.people_lists import show_person
    from facesearch.curation.documents import faces_document

    return faces_document(show_person(args.gallery, args.person, unsure=args.unsure))


def run_name(args: argparse.Namespace) -> int:
    """Name a person and print what was done."""
    return decide(args, "name", args.person, name=args.name)


def run_merge(args: argparse.Namespace) -> int:
    """Merge people and print what was done."""
    return decide(args, "merge", args.person, others=args.others)


def run_add(args: argparse.Namespace) -> int:
    """Assign faces to a person and print what was done."""
    return decide(args, "add", args.person, faces=args.faces)


def run_split(args: argparse.Namespace) -> int:
    """Split a person and print what was done."""
    return decide(args, "split", args.person, faces=args.faces, name=args.name)


def run_reject(args: argparse.Namespace) -> int:
    """Remove faces from a person and print what was done."""
    return decide(args, "reject", args.person, faces=args.faces)


def run_hide(args: argparse.Namespace) -> int:
    """Hide a person and print what was done."""
    return decide(args, "hide", args.person)


def run_unhide(args: argparse.Namespace) -> int:
    """Show a hidden person again and print what was done."""
    return decide(args, "unhide", args.person)


def run_undo(args: argparse.Namespace) -> int:
    """Undo the last decision, or preview that, and print what changes."""
    asked = ask_about_people if args.dry_run else decide_by_service
    document = asked(args.gallery, "undo", dry_run=args.dry_run, decision=args.decision)
    if document is None:
        document = _undone(args)
    print_decided(args, document)
    if document["moves"] and not args.json:
        print_table(("from", "to", "faces"), document["moves"])
    return 0


def _undone(args: argparse.Namespace) -> Any:
    from facesearch.curation.documents import undo_document
    from facesearch.curation.undo_preview import preview_undo
    from facesearch.gallery.gallery import Gallery
    from facesearch.people.decision_words import in_words
    from facesearch.people.store import PeopleStore

    gallery = Gallery.open(args.gallery)
    people = PeopleStore(gallery.folder)
    found = preview_undo(gallery, args.decision)
    words = in_words(people.decisions())
    if not args.dry_run:
        people.undo(found.decisions[0].batch)
    return undo_document(found, words, dry_run=args.dry_run)


def run_history(args: argparse.Namespace) -> int:
    """Print one line for each decision."""
    entries = ask_about_people(args.gallery, "history")
    if entries is None:
        entries = _history(args)
    if args.json:
        print_json({"decisions": entries})
        return 0
    rows = [
        (
            each["id"],
            each["at"],
            each["text"],
            "undone" if each["undone"] else "no faces left" if each["gone"] else "",
        )
        for each in entries
    ]
    if rows:
        print_table(("", "time", "decision", ""), rows)
    else:
        print("facesearch: there are no decisions yet", file=sys.stderr)
    return 0


def _history(args: argparse.Namespace) -> Any:
    from facesearch.api.people_lists import list_decisions
    from facesearch.curation.documents import history_document

    return history_document(list_decisions(args.gallery))


def run_export(args: argparse.Namespace) -> int:
    """Write the file and print how much is in it."""
    from facesearch.api.people import export_people

    people = export_people(args.gallery, args.file)
    faces = sum(len(each.faces) for each in people)
    rejected = sum(len(each.rejected) for each in people)
    if args.json:
        facts = {"file": args.file, "people": len(people), "faces": faces}
        print_json({**facts, "rejected": rejected})
    else:
        print(
            f"{count(len(people), 'person', 'people')}, {count(faces, 'face')} and "
            f"{count(rejected, 'rejection')} in {args.file}"
        )
    return 0
