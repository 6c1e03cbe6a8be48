"""What the commands about people have in common: arguments, and what a decision prints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_json
from facesearch.text import count, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facesearch.curation.editor import EditResult, PeopleEditor
    from facesearch.people.projection import Person
    from facesearch.people.store import EnteredDecisions

PERSON = 'a name, the beginning of a name that only one person has, or a number such as "p12"'
FACE = "number of a face, or the photo it is in"


def add_command(below: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    """A command below ``people``, with its gallery."""
    parser: argparse.ArgumentParser = below.add_parser(name, help=text)
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.set_defaults(run=run)
    return parser


def add_person(parser: argparse.ArgumentParser) -> None:
    """The person that a command is about."""
    parser.add_argument("person", metavar="PERSON", help=PERSON)


def face_number(text: str) -> int:
    """The number of a face; the name of a photo would not say which of its faces is meant."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(
            f"expected the number of a face, got {text!r}; people show and search --json list them"
        )
    return int(text)


def open_editor(args: argparse.Namespace) -> PeopleEditor:
    """The people of the gallery that a command names."""
    from facesearch.curation.editor import PeopleEditor
    from facesearch.gallery.gallery import Gallery

    return PeopleEditor(Gallery.open(args.gallery))


def about(person: Person) -> dict[str, Any]:
    """A person as JSON."""
    return {"person": person.key, "name": person.name, "hidden": person.hidden}


def print_outcome(args: argparse.Namespace, editor: PeopleEditor, outcome: EditResult) -> int:
    """Print what was decided about a person, what that replaces, and what to look at."""
    from facesearch.people.projection import ABOUT_FACES

    facts = {**about(outcome.person), "notes": outcome.notes, "unsure": outcome.unsure}
    notes = list(outcome.notes)
    actions = {each.action for each in outcome.entered.decisions}
    if outcome.unsure and not actions & (ABOUT_FACES | {"later", "enroll"}):
        notes.append(
            f"{count(len(outcome.unsure), 'less sure face')} of {outcome.person.label} "
            f"{'was' if len(outcome.unsure) == 1 else 'were'} not confirmed; look at them with: "
            f"facesearch people show {args.gallery} {outcome.person.key} --unsure"
        )
    return print_entered(args, editor, outcome.entered, facts, notes)


def print_entered(
    args: argparse.Namespace,
    editor: PeopleEditor,
    entered: EnteredDecisions,
    facts: dict[str, Any],
    notes: Sequence[str] = (),
) -> int:
    """Print decisions that were entered, as JSON with ``facts``."""
    from facesearch.cli.people.decision_text import entry, overruled_json, print_overruled
    from facesearch.people.decision_words import in_words

    words = in_words(editor.decisions())
    if args.json:
        print_json(
            {
                **facts,
                "decisions": [entry(each) for each in entered.decisions],
                "overruled": overruled_json(entered.superseded, words),
            }
        )
        return 0
    for each in entered.decisions:
        print(printable(words[each.id]))
    print_overruled(entered.superseded, words)
    for note in notes:
        print(printable(f"note: {note}"))
    return 0
