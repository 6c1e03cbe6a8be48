"""``people``: who is in the gallery, and what its owner decides about them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import box_text, known, print_facts, print_json, print_table, printable
from facesearch.text import count

if TYPE_CHECKING:
    from facesearch.curation.editor import EditResult, PeopleEditor
    from facesearch.people.projection import Person

_PERSON = 'a name, the beginning of one name only, or a number such as "p12"'
_FACE = "a face's number, or the photo it is in"


def add_commands(commands: Any) -> None:
    """Add the command with all that is below it."""
    parser = commands.add_parser(
        "people",
        help="who is in the gallery: list, name, merge, split, reject, hide, undo, export",
        description="List people, and decide about them. A decision holds at once and for every "
        "clustering to come; a decision about a person says of each face that person has at that "
        "moment that it is theirs. PERSON is " + _PERSON + ".",
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listed = _command(below, "list", run_list, "the people of the gallery, most faces first")
    listed.add_argument("--all", action="store_true", help="hidden people too")
    show = _command(below, "show", run_show, "a person's faces, the surest first")
    _person(show)
    name = _command(below, "name", run_name, "give a person a name, or another one")
    _person(name)
    name.add_argument("name", metavar="NAME")
    merge = _command(below, "merge", run_merge, "several people are one: the first stays")
    _person(merge)
    merge.add_argument("others", nargs="+", metavar="PERSON")
    add = _command(below, "add", run_add, "faces are a person, whosoever they are now")
    _person(add)
    add.add_argument("faces", nargs="+", type=_face, metavar="FACE", help="a face's number")
    split = _command(below, "split", run_split, "some of a person's faces are somebody else")
    _person(split)
    split.add_argument("faces", nargs="+", metavar="FACE", help=_FACE)
    split.add_argument("--name", metavar="NAME", help="of the new person")
    reject = _command(below, "reject", run_reject, "some faces are not this person, whoever else")
    _person(reject)
    reject.add_argument("faces", nargs="+", metavar="FACE", help=_FACE)
    hide = _command(below, "hide", run_hide, "leave a person out of lists and albums")
    _person(hide)
    unhide = _command(below, "unhide", run_unhide, "show a hidden person again")
    _person(unhide)
    undo = _command(below, "undo", run_undo, "undo the last decision that is not undone yet")
    undo.add_argument(
        "--dry-run", action="store_true", help="only show what would be undone, and what follows"
    )
    _command(below, "history", run_history, "every decision, the newest last")
    export = _command(below, "export", run_export, "write all that is decided to a file")
    export.add_argument("file", type=Path, metavar="FILE", help="a new file *.json or *.csv")
    read = _command(below, "import", run_import, "decide what a file says that export wrote")
    read.add_argument("file", type=Path, metavar="FILE", help="a file *.json or *.csv")


def _command(below: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = below.add_parser(name, help=text)
    parser.add_argument("gallery", type=Path, metavar="GALLERY")
    parser.set_defaults(run=run)
    return parser


def _face(text: str) -> int:
    """The number of a face; a photo does not tell which of its faces is meant."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(
            f"expected a face's number, got {text!r}; people show and search --json tell it"
        )
    return int(text)


def _person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("person", metavar="PERSON", help=_PERSON)


def _open(args: argparse.Namespace) -> PeopleEditor:
    from facesearch.curation.editor import PeopleEditor
    from facesearch.gallery.gallery import Gallery

    return PeopleEditor(Gallery.open(args.gallery))


def run_list(args: argparse.Namespace) -> int:
    """A line a person."""
    deciding = _open(args)
    counts = Counter(deciding.now.of_faces().tolist())
    decided_faces = Counter(deciding.decided.faces.values())
    everyone = sorted(deciding.everyone().values(), key=lambda each: (-counts[each.id], each.id))
    people = [each for each in everyone if args.all or not each.hidden]
    if args.json:
        print_json(
            {
                "people": [
                    {
                        **_about(each),
                        "faces": counts[each.id],
                        "decided": decided_faces[each.id],
                        "gone": _gone(counts[each.id], decided_faces[each.id]),
                    }
                    for each in people
                ],
                "faces_of_nobody": counts[-1],
            }
        )
        return 0
    rows = [
        (
            each.key,
            each.name or "",
            counts[each.id],
            decided_faces[each.id],
            ", ".join(
                text
                for text, holds in (
                    ("hidden", each.hidden),
                    ("all faces are gone", _gone(counts[each.id], decided_faces[each.id])),
                )
                if holds
            ),
        )
        for each in people
    ]
    if rows:
        print_table(("person", "name", "faces", "decided", ""), rows)
    if not deciding.clustered:
        text = f"this gallery has not been clustered; run: facesearch cluster {args.gallery}"
        print(f"facesearch: {text}", file=sys.stderr)
    elif not rows:
        text = "everybody is hidden; --all shows them" if everyone else "there is nobody"
        print(f"facesearch: {text}", file=sys.stderr)
    return 0


def _gone(faces: int, decided: int) -> bool:
    """Whether somebody has no face any more of those that were decided to be theirs."""
    return decided > 0 and not faces


def run_show(args: argparse.Namespace) -> int:
    """A line a face."""
    deciding = _open(args)
    person = deciding.find(args.person)
    records = deciding.records(person)
    ids, sure = deciding.now.clustering.ids, deciding.now.clustering.confidence
    confidence = dict(zip(ids.tolist(), sure.tolist(), strict=True))
    decided_faces = deciding.decided.faces
    if args.json:
        faces = [
            {
                "face_id": each.face_id,
                "photo": each.photo.location,
                "box": each.box,
                "confidence": confidence[each.face_id],
                "quality": known(each.quality),
                "decided": decided_faces.get(each.face_id) == person.id,
            }
            for each in records
        ]
        print_json({**_about(person), "faces": faces})
        return 0
    print(printable(f"{person.key} {person.name or ''}").rstrip())
    rows = [
        (
            each.face_id,
            box_text(each.box),
            confidence[each.face_id],
            "yes" if decided_faces.get(each.face_id) == person.id else "",
            each.photo.name,
        )
        for each in records
    ]
    print_table(("face", "box", "confidence", "decided", "photo"), rows)
    return 0


def run_name(args: argparse.Namespace) -> int:
    """Name and say so."""
    deciding = _open(args)
    return _done(args, deciding, deciding.name(deciding.find(args.person), args.name))


def run_merge(args: argparse.Namespace) -> int:
    """Merge and say so."""
    deciding = _open(args)
    others = [deciding.find(each) for each in args.others]
    return _done(args, deciding, deciding.merge(deciding.find(args.person), others))


def run_add(args: argparse.Namespace) -> int:
    """Give faces to a person and say so."""
    deciding = _open(args)
    return _done(args, deciding, deciding.add(deciding.find(args.person), args.faces))


def run_split(args: argparse.Namespace) -> int:
    """Split and say so."""
    deciding = _open(args)
    person = deciding.find(args.person)
    return _done(
        args, deciding, deciding.split(person, deciding.pick(person, args.faces), args.name)
    )


def run_reject(args: argparse.Namespace) -> int:
    """Reject and say so."""
    deciding = _open(args)
    person = deciding.find(args.person)
    return _done(args, deciding, deciding.reject(person, deciding.pick(person, args.faces)))


def run_hide(args: argparse.Namespace) -> int:
    """Hide and say so."""
    deciding = _open(args)
    return _done(args, deciding, deciding.hide(deciding.find(args.person)))


def run_unhide(args: argparse.Namespace) -> int:
    """Show again and say so."""
    deciding = _open(args)
    return _done(args, deciding, deciding.hide(deciding.find(args.person), hidden=False))


def run_undo(args: argparse.Namespace) -> int:
    """Undo, or look what that would be, and say what."""
    from facesearch.cli.people.decision_text import entry, in_words, overruled_json, print_again
    from facesearch.curation.undo_preview import preview_undo
    from facesearch.gallery.gallery import Gallery
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
        rows = [(_whom(each.source), _whom(each.target), each.faces) for each in found.moves]
        print_table(("from", "to", "faces"), rows)
    return 0


def _whom(person: Person | None) -> str:
    if person is None:
        return "nobody"
    return f"{person.name} ({person.key})" if person.name else person.key


def run_history(args: argparse.Namespace) -> int:
    """A line a decision."""
    from facesearch.cli.people.decision_text import entry, in_words
    from facesearch.gallery.gallery import Gallery
    from facesearch.people.projection import undone_batches
    from facesearch.people.store import PeopleStore

    gallery = Gallery.open(args.gallery)
    decisions = PeopleStore(gallery.folder).decisions()
    undone = undone_batches(decisions)
    live = {*gallery.state().live_ids().tolist()}
    gone = {
        each.id
        for each in decisions
        if each.faces and live.isdisjoint(f.face_id for f in each.faces)
    }
    words = in_words(decisions)
    if args.json:
        entries = [
            {**entry(each, undone), "told": words[each.id], "gone": each.id in gone}
            for each in decisions
        ]
        print_json({"decisions": entries})
        return 0
    rows = [
        (
            each.id,
            each.created_at,
            words[each.id],
            "undone" if each.batch in undone else "all faces are gone" if each.id in gone else "",
        )
        for each in decisions
    ]
    if rows:
        print_table(("", "at", "decision", ""), rows)
    else:
        print("facesearch: nothing was decided yet", file=sys.stderr)
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Write and count."""
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


def run_import(args: argparse.Namespace) -> int:
    """Decide and count."""
    from facesearch.api.people import import_people
    from facesearch.cli.people.decision_text import in_words, overruled_json, print_overruled
    from facesearch.people.store import PeopleStore

    imported = import_people(args.gallery, args.file)
    words = in_words(PeopleStore(args.gallery).decisions())
    if args.json:
        print_json({**vars(imported), "overruled": overruled_json(imported.superseded, words)})
        return 0
    print_facts(
        [
            ("people", imported.people),
            ("faces", imported.faces),
            ("rejections", imported.rejected),
            ("not here", imported.missing),
        ]
    )
    print_overruled(imported.superseded, words)
    return 0


def _done(args: argparse.Namespace, deciding: PeopleEditor, outcome: EditResult) -> int:
    from facesearch.cli.people.decision_text import entry, in_words, overruled_json, print_overruled

    entered = outcome.entered
    words = in_words(deciding.decisions())
    if args.json:
        print_json(
            {
                **_about(outcome.person),
                "decisions": [entry(each) for each in entered.decisions],
                "overruled": overruled_json(entered.superseded, words),
                "notes": outcome.notes,
            }
        )
        return 0
    for each in entered.decisions:
        print(printable(words[each.id]))
    print_overruled(entered.superseded, words)
    for note in outcome.notes:
        print(printable(f"note: {note}"))
    return 0


def _about(person: Person) -> dict[str, Any]:
    return {"person": person.key, "name": person.name, "hidden": person.hidden}
