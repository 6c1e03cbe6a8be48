"""``people``: list the people of a gallery, and name, merge, split or hide them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import box_text, known, print_json, print_table
from facesearch.cli.people import review
from facesearch.cli.people.decisions import (
    FACE,
    PERSON,
    about,
    add_command,
    add_person,
    face_number,
    open_editor,
    print_outcome,
)
from facesearch.cli.people.imports import add_import
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.people.projection import Person


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
    add_command(below, "history", run_history, "list all decisions, the newest last")
    export = add_command(below, "export", run_export, "write names and decisions to a file")
    export.add_argument("file", type=Path, metavar="FILE", help="a new file *.json or *.csv")
    add_import(below)


def run_list(args: argparse.Namespace) -> int:
    """Print one line for each person."""
    from facesearch.api.people_lists import list_people

    listed = list_people(args.gallery, hidden=args.all)
    if args.json:
        people = [
            {
                **about(each.person),
                "faces": each.faces,
                "decided": each.confirmed,
                "gone": each.gone,
            }
            for each in listed.people
        ]
        print_json({"people": people, "faces_of_nobody": listed.faces_of_nobody})
        return 0
    if listed.people:
        rows = [
            (
                each.person.key,
                each.person.name or "",
                each.faces,
                each.confirmed,
                _remarks((each.person.hidden, "hidden"), (each.gone, "no faces left")),
            )
            for each in listed.people
        ]
        print_table(("person", "name", "faces", "confirmed", ""), rows)
    if not listed.clustered:
        text = f"this gallery has not been clustered yet; run: facesearch cluster {args.gallery}"
        print(f"facesearch: {text}", file=sys.stderr)
    elif not listed.people:
        hidden = "all people are hidden; --all lists them"
        text = hidden if listed.hidden else "there are no people yet"
        print(f"facesearch: {text}", file=sys.stderr)
    return 0


def _remarks(*remarks: tuple[bool, str]) -> str:
    """The texts of those that hold."""
    return ", ".join(text for holds, text in remarks if holds)


def run_show(args: argparse.Namespace) -> int:
    """Print one line for each face."""
    from facesearch.api.people_lists import show_person

    shown = show_person(args.gallery, args.person, unsure=args.unsure)
    person = shown.person
    if args.json:
        faces = [
            {
                "face_id": each.face.face_id,
                "photo": each.face.photo.location,
                "box": each.face.box,
                "confidence": each.confidence,
                "quality": known(each.face.quality),
                "decided": each.confirmed,
                "seconds": None if each.face.span is None else each.face.span.as_json(),
            }
            for each in shown.faces
        ]
        print_json({**about(person), "faces": faces})
        return 0
    print(printable(f"{person.key} {person.name or ''}").rstrip())
    rows = [
        (
            each.face.face_id,
            box_text(each.face.box),
            each.confidence,
            _remarks((each.confirmed, "yes")),
            each.face.place,
        )
        for each in shown.faces
    ]
    print_table(("face", "box", "confidence", "confirmed", "photo"), rows)
    return 0


def run_name(args: argparse.Namespace) -> int:
    """Name a person and print what was done."""
    deciding = open_editor(args)
    return print_outcome(args, deciding, deciding.name(deciding.find(args.person), args.name))


def run_merge(args: argparse.Namespace) -> int:
    """Merge people and print what was done."""
    deciding = open_editor(args)
    others = [deciding.find(each) for each in args.others]
    return print_outcome(args, deciding, deciding.merge(deciding.find(args.person), others))


def run_add(args: argparse.Namespace) -> int:
    """Assign faces to a person and print what was done."""
    deciding = open_editor(args)
    return print_outcome(args, deciding, deciding.add(deciding.find(args.person), args.faces))


def run_split(args: argparse.Namespace) -> int:
    """Split a person and print what was done."""
    deciding = open_editor(args)
    person = deciding.find(args.person)
    return print_outcome(
        args, deciding, deciding.split(person, deciding.pick(person, args.faces), args.name)
    )


def run_reject(args: argparse.Namespace) -> int:
    """Remove faces from a person and print what was done."""
    deciding = open_editor(args)
    person = deciding.find(args.person)
    return print_outcome(args, deciding, deciding.reject(person, deciding.pick(person, args.faces)))


def run_hide(args: argparse.Namespace) -> int:
    """Hide a person and print what was done."""
    deciding = open_editor(args)
    return print_outcome(args, deciding, deciding.hide(deciding.find(args.person)))


def run_unhide(args: argparse.Namespace) -> int:
    """Show a hidden person again and print what was done."""
    deciding = open_editor(args)
    return print_outcome(args, deciding, deciding.hide(deciding.find(args.person), hidden=False))


def run_undo(args: argparse.Namespace) -> int:
    """Undo the last decision, or preview that, and print what changes."""
    from facesearch.cli.people.decision_text import entry, overruled_json, print_again
    from facesearch.curation.undo_preview import preview_undo
    from facesearch.gallery.gallery import Gallery
    from facesearch.people.decision_words import in_words
    from facesearch.people.store import PeopleStore

    gallery = Gallery.open(args.gallery)
    people = PeopleStore(gallery.folder)
    found = preview_undo(gallery)
    words = in_words(people.decisions())
    if not args.dry_run:
        people.undo(found.decisions[0].batch)
    if args.json:
        print_json(
            {
                "dry_run": args.dry_run,
                "undone": [entry(each) for each in found.decisions],
                "again": overruled_json(found.again, words),
                "moves": [
                    {
                        "from": each.source and each.source.key,
                        "to": each.target and each.target.key,
                        "faces": each.faces,
                    }
                    for each in found.moves
                ],
            }
        )
        return 0
    for decision in found.decisions:
        text = words[decision.id]
        print(printable(f"{'would be undone' if args.dry_run else 'undone'}: {text}"))
    print_again(found.again, words, would=args.dry_run)
    if found.moves:
        rows = [
            (_person_text(each.source), _person_text(each.target), each.faces)
            for each in found.moves
        ]
        print_table(("from", "to", "faces"), rows)
    return 0


def _person_text(person: Person | None) -> str:
    if person is None:
        return "no person"
    return f"{person.name} ({person.key})" if person.name else person.key


def run_history(args: argparse.Namespace) -> int:
    """Print one line for each decision."""
    from facesearch.api.people_lists import list_decisions
    from facesearch.cli.people.decision_text import entry
    from facesearch.people.decision_words import in_words

    listed = list_decisions(args.gallery)
    words = in_words([each.decision for each in listed])
    if args.json:
        undone = frozenset(each.decision.batch for each in listed if each.undone)
        entries = [
            {
                **entry(each.decision, undone),
                "text": words[each.decision.id],
                "gone": each.gone,
            }
            for each in listed
        ]
        print_json({"decisions": entries})
        return 0
    rows = [
        (
            each.decision.id,
            each.decision.created_at,
            words[each.decision.id],
            "undone" if each.undone else "no faces left" if each.gone else "",
        )
        for each in listed
    ]
    if rows:
        print_table(("", "time", "decision", ""), rows)
    else:
        print("facesearch: there are no decisions yet", file=sys.stderr)
    return 0


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
