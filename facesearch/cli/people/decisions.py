"""What the commands about people have in common: arguments, and what a decision prints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.by_service import decide_by_service
from facesearch.cli.output import print_json, print_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facesearch.curation.editor import PeopleEditor
    from facesearch.curation.typed_decisions import TypedAction

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


def decide(
    args: argparse.Namespace,
    action: TypedAction,
    person: str = "",
    *,
    others: Sequence[str] = (),
    faces: Sequence[str | int] = (),
    name: str | None = None,
) -> int:
    """Enter a decision, by the service if one runs, and print what was decided, what that replaces,
    and what to look at."""
    asked = {
        "action": action,
        "person": person,
        "others": list(others),
        "faces": [str(each) for each in faces],
        "name": name,
    }
    document = decide_by_service(args.gallery, "decide", **asked)
    if document is None:
        document = _decided(args, asked)
    print_decided(args, document)
    return 0


def print_decided(args: argparse.Namespace, document: dict[str, Any]) -> None:
    """Print what was entered: for programs, or for people, who called the gallery's folder so."""
    if args.json:
        print_json(_named(args, document, document["answer"]))
    else:
        print_lines(_named(args, document, document["lines"]))


def _decided(args: argparse.Namespace, asked: dict[str, Any]) -> dict[str, Any]:
    from facesearch.curation.documents import entered_document
    from facesearch.curation.typed_decisions import TypedDecision

    editor = open_editor(args)
    lists = {name: tuple(asked[name]) for name in ("others", "faces")}
    typed = TypedDecision(**{**asked, **lists})
    return entered_document(editor, typed, typed.enter(editor))


def _named(args: argparse.Namespace, document: dict[str, Any], value: Any) -> Any:
    """``value`` with the gallery's folder as the command has it, where the service has another."""
    folder, shown = document.get("folder"), str(args.gallery)
    if folder in (None, shown):
        return value
    if isinstance(value, str):
        return value.replace(folder, shown)
    if isinstance(value, list):
        return [_named(args, document, each) for each in value]
    if isinstance(value, dict):
        return {key: _named(args, document, each) for key, each in value.items()}
    return value
