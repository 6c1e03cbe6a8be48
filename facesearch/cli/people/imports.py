"""``people import``: decisions of another gallery, and names that other programs gave."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.cli.output import print_facts, print_json, print_lines, print_table
from facesearch.cli.people.decisions import add_command
from facesearch.errors import InputError
from facesearch.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facesearch.people_import.import_names import NamesImport
    from facesearch.people_import.noted_names import ImportProblem

_SHOWN = 20  # problems; --json has all


def add_import(below: Any) -> None:
    """Add the command below ``people``."""
    read = add_command(
        below,
        "import",
        run_import,
        "apply decisions from a file written by export, or names that other programs gave",
    )
    read.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a file *.json or *.csv by export"
    )
    names = read.add_argument_group("names that other programs gave")
    names.add_argument(
        "--from-xmp",
        action="store_true",
        help="read face regions and keywords from the photos and their XMP sidecar files, and "
        "from Picasa's .picasa.ini",
    )
    names.add_argument(
        "--from-export",
        type=Path,
        nargs="+",
        default=[],
        metavar="JSON",
        help="read assets of Immich's API, or photos by osxphotos query --json",
    )
    names.add_argument(
        "--picasa-contacts", type=Path, metavar="XML", help="Picasa's contacts.xml, for its names"
    )
    names.add_argument(
        "--people-tag",
        action="append",
        metavar="TAG",
        help="the keyword below which keywords are people (People); give it again for several",
    )
    names.add_argument(
        "--no-draw",
        action="store_true",
        help="leave out regions where no face was found, instead of making faces of them",
    )
    names.add_argument(
        "--dry-run", action="store_true", help="show what would be named, and change nothing"
    )
    add_engine_options(read)


def run_import(args: argparse.Namespace) -> int:
    """Import and print how much was applied."""
    by_names = args.from_xmp or args.from_export
    if args.file is not None and by_names:
        raise InputError("expected a FILE, or --from-xmp and --from-export, got both; give one")
    if by_names:
        return _import_names(args)
    if args.file is None:
        raise InputError("expected a FILE by people export, --from-xmp or --from-export; give one")
    if args.dry_run:
        raise InputError("--dry-run is for --from-xmp and --from-export; undo takes a FILE back")
    return _import_file(args)


def _import_file(args: argparse.Namespace) -> int:
    from facesearch.api.people import import_people
    from facesearch.curation.documents import overruled_document, overruled_lines
    from facesearch.people.decision_words import in_words
    from facesearch.people.store import PeopleStore

    imported = import_people(args.gallery, args.file)
    words = in_words(PeopleStore(args.gallery).decisions())
    if args.json:
        print_json({**vars(imported), "overruled": overruled_document(imported.superseded, words)})
        return 0
    print_facts(
        [
            ("people", imported.people),
            ("faces", imported.faces),
            ("rejections", imported.rejected),
            ("not in this gallery", imported.missing),
        ]
    )
    print_lines(overruled_lines(imported.superseded, words))
    return 0


def _import_names(args: argparse.Namespace) -> int:
    from facesearch.api.people import import_names
    from facesearch.people_import.xmp_names import PEOPLE_TAGS

    found = import_names(
        args.gallery,
        files=args.from_xmp,
        picasa_contacts=args.picasa_contacts,
        exports=args.from_export,
        people_tags=args.people_tag or PEOPLE_TAGS,
        draw=not args.no_draw,
        dry_run=args.dry_run,
        engine=engine_options(args),
    )
    if args.json:
        print_json(_as_json(found))
        return 0
    if found.people:
        rows = [
            ("new" if each.number is None else f"p{each.number}", each.name, each.faces)
            for each in found.people
        ]
        print_table(("person", "name", "faces"), rows)
    print_facts(
        [
            ("photos looked at", found.photos),
            ("faces to be named" if found.dry_run else "faces named", found.matched),
            ("regions to become faces" if found.dry_run else "regions made faces", found.drawn),
            ("only faces, by keywords", found.by_keyword),
            ("named so before", found.known),
            ("regions without a name", found.unnamed),
            ("conflicts, left as they are", len(found.conflicts)),
            ("not usable", len(found.problems)),
        ]
    )
    _print_problems("conflict", found.conflicts)
    _print_reasons(found.problems)
    _print_problems("not usable", found.problems)
    return 0


def _as_json(found: NamesImport) -> dict[str, Any]:
    people = [
        {
            "person": None if each.number is None else f"p{each.number}",
            "name": each.name,
            "faces": each.faces,
        }
        for each in found.people
    ]
    listed = {
        key: [vars(each) for each in problems]
        for key, problems in (("conflicts", found.conflicts), ("problems", found.problems))
    }
    return {**vars(found), "people": people, **listed}


def _print_reasons(problems: Sequence[ImportProblem]) -> None:
    """How many are not usable, by reason."""
    counts = Counter(each.reason for each in problems)
    if len(problems) > _SHOWN:
        print_table(("not usable because", "number"), counts.most_common())


def _print_problems(what: str, problems: Sequence[ImportProblem]) -> None:
    for each in problems[:_SHOWN]:
        print(printable(f"{what}: {each.place}: {each.reason}: {each.detail}"))
    if len(problems) > _SHOWN:
        print(f"and {len(problems) - _SHOWN:,} more; --json lists all")
