"""Export and import of decisions about people, as JSON or CSV.

Faces are identified by the SHA-256 of their photo's file and their box in it, which are the same in
every gallery of these photos.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.clustering.current_people import gallery_people
from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.assignment import leaders
from facesearch.people.ledger import FaceDecision, NewDecision
from facesearch.people.projection import replay
from facesearch.people.store import PeopleStore, normalise_name
from facesearch.people.superseded import Superseded
from facesearch.text import escape_csv_cell, unescape_csv_cell
from indexer.errors import StorageError
from indexer.storage.atomic_files import replacing_file
from indexer.storage.plain_files import parse_json, read_plain
from indexer.storage.shards import Shard
from indexer.types import make_ids

FORMAT = "facesearch-people"
VERSION = 1
SUFFIXES = (".json", ".csv")
_MOST_BYTES = 1 << 30  # of a file of people

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class FaceKey:
    """A face in any gallery: the photo's SHA-256 (hex) and the box in its upright pixels."""

    sha256: str
    box: Box


@dataclass(frozen=True)
class PersonEntry:
    """A person that decisions are about: the confirmed ``faces``, and the ``rejected`` ones.

    ``person`` distinguishes people without a name within one file."""

    person: str
    name: str | None
    hidden: bool
    faces: tuple[FaceKey, ...]
    rejected: tuple[FaceKey, ...]


@dataclass(frozen=True)
class ImportResult:
    """What an import came to: people and faces decided of, faces that are not here, and what was
    decided here before and is overruled."""

    people: int
    faces: int
    rejected: int
    missing: int
    superseded: tuple[Superseded, ...] = ()


def person_entries(gallery: Gallery) -> list[PersonEntry]:
    """All that is decided in a gallery now, also of faces whose photos are not there.

    Faces that were removed from people of whom nothing is confirmed are left out: elsewhere nothing
    would tell who these people are.
    """
    decided = PeopleStore(gallery.folder).decided()
    keys = dict(_keys(gallery)) if decided.people else {}
    faces: dict[int, list[FaceKey]] = {}
    rejected: dict[int, list[FaceKey]] = {}
    for face, number in decided.faces.items():
        if face in keys:
            faces.setdefault(number, []).append(keys[face])
    for face, number in sorted(decided.rejected):
        if face in keys:
            rejected.setdefault(number, []).append(keys[face])
    return [
        PersonEntry(
            each.key,
            each.name,
            each.hidden,
            tuple(faces.get(number, ())),
            tuple(rejected.get(number, ())),
        )
        for number, each in sorted(decided.people.items())
        if number in faces
    ]


def apply_entries(gallery: Gallery, entries: Sequence[PersonEntry]) -> ImportResult:
    """Apply ``entries`` to a gallery as one batch of decisions, which one undo takes back.

    An entry with a name is matched with the person of that name here, or else with the person
    without a name who has most of its faces; an entry without a name with the person who has most
    of its faces. No person is matched twice: the second entry becomes a new person. Faces that are
    not in this gallery are counted and left out. Raises InputError where none of the faces are
    here.
    """
    people = PeopleStore(gallery.folder)
    ledger = people.decisions()
    decided = replay(ledger)
    now = gallery_people(gallery, gallery.state())
    of_face = dict(zip(now.clustering.ids.tolist(), now.of_faces().tolist(), strict=True))
    found = _find(gallery, entries)
    drafts: list[NewDecision] = []
    named = {each.name: decided.named(each.name) for each in entries if each.name}
    taken = {person.id for person in named.values() if person}
    known_keys: set[int] = set()
    missing = 0
    for each in entries:
        faces = [found.get(key) for key in each.faces]
        others = [found.get(key) for key in each.rejected]
        missing += faces.count(None) + others.count(None)
        here = sorted({face for face in faces if face is not None})
        not_here = sorted({face for face in others if face is not None} - {*here})
        if not here and not not_here:
            continue
        person = named[each.name] if each.name else None
        if person is None:
            votes = [(0, of_face[f]) for f in here if of_face.get(f, -1) > 0]
            number = leaders(votes).get(0, 0)
            unnamed = decided.person(number).name is None or each.name is None
            number = number if number and unnamed and number not in taken else 0
        else:
            number = person.id
        if not number:
            above = int(now.numbers.max(initial=0))
            (number,) = people.new_people(1, above)
        taken.add(number)
        known_keys.add(number)
        decisions = tuple(FaceDecision(face, number) for face in here)
        decisions += tuple(FaceDecision(face, number, belongs=False) for face in not_here)
        drafts.append(NewDecision("import", number, name=each.name, faces=decisions))
        if each.hidden != decided.person(number).hidden:
            drafts.append(NewDecision("hide" if each.hidden else "unhide", number))
    if not drafts:
        raise InputError(
            f"none of the {missing} faces is in {gallery.folder}; index their photos first"
        )
    entered = people.decide(drafts, after=ledger[-1].id if ledger else 0)
    entered_faces = [face for draft in drafts for face in draft.faces]
    belong = sum(face.belongs for face in entered_faces)
    return ImportResult(
        len(known_keys), belong, len(entered_faces) - belong, missing, entered.superseded
    )


def write_people(path: Path, entries: Sequence[PersonEntry]) -> None:
    """Write ``entries`` to a new file ``*.json`` or ``*.csv``; raises InputError for another."""
    text = people_csv(entries) if _suffix(path) == ".csv" else people_json(entries)
    try:
        with replacing_file(path, replace=False) as file:
            file.write(text.encode("utf-8"))
    except StorageError as error:
        if error.errno == errno.EEXIST:
            raise InputError(f"{path} exists; name a new file, or remove it") from None
        if error.errno == errno.ENOENT:
            raise InputError(
                f"there is no folder {path.parent}; make it, or name another"
            ) from None
        raise


def read_people(path: Path) -> list[PersonEntry]:
    """Read what :func:`write_people` wrote; raises InputError for anything else."""
    suffix = _suffix(path)
    try:
        text = read_plain(path.resolve(), _MOST_BYTES).decode("utf-8-sig")
        entries = _from_csv(text) if suffix == ".csv" else _from_json(text)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        form = suffix[1:].upper()
        raise InputError(f"cannot read people from {path}: save it as UTF-8 {form}") from None
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as error:
        missing = " is missing" if isinstance(error, KeyError) else ""
        raise InputError(
            f"cannot read people from {path}: {error}{missing}; expected a file written by "
            "facesearch people export"
        ) from error
    if not entries:
        raise InputError(
            f"{path} names no people; expected a file written by facesearch people export from a "
            "gallery with decisions"
        )
    names = [each.name for each in entries if each.name]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path} has two people named {twice!r}; give them different names")
    return entries


def people_json(entries: Sequence[PersonEntry]) -> str:
    """``entries`` as one JSON object."""
    people = [asdict(each) for each in entries]
    document = {"format": FORMAT, "version": VERSION, "people": people}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


_COLUMNS = ("person", "name", "hidden", "is", "sha256", "x0", "y0", "x1", "y1")


def people_csv(entries: Sequence[PersonEntry]) -> str:
    """``entries`` as CSV, a line a face; ``is`` says whether it is that person's. Names are as
    :func:`facesearch.text.escape_csv_cell` has them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for each in entries:
        for faces, belongs in ((each.faces, "yes"), (each.rejected, "no")):
            for face in faces:
                name = escape_csv_cell(each.name or "")
                about = (each.person, name, "yes" if each.hidden else "no", belongs)
                writer.writerow((*about, face.sha256, *face.box))
    return text.getvalue()


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"expected a file named *.json or *.csv, got {path}")
    return suffix


def _from_json(text: str) -> list[PersonEntry]:
    found = parse_json(text)
    described = isinstance(found, dict) and (found.get("format"), found.get("version"))
    if described != (FORMAT, VERSION):
        raise ValueError(f"expected a JSON object of format {FORMAT!r}, version {VERSION}")
    return [
        _entry(
            str(each["person"]),
            each["name"],
            each["hidden"],
            [_key(face["sha256"], face["box"]) for face in each["faces"]],
            [_key(face["sha256"], face["box"]) for face in each["rejected"]],
        )
        for each in found["people"]
    ]


def _from_csv(text: str) -> list[PersonEntry]:
    reader = csv.DictReader(io.StringIO(text))
    columns = reader.fieldnames or ()
    if missing := [name for name in _COLUMNS if name not in columns]:
        raise ValueError(
            f"expected columns {', '.join(_COLUMNS)}, separated by commas; there is no "
            f"{', '.join(missing)}"
        )
    lines: dict[str, list[_Line]] = {}
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {reader.line_num} does not have {len(columns)} columns")
        try:
            line = _line(row)
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
        lines.setdefault(row["person"], []).append(line)
    return [_person(person, group) for person, group in lines.items()]


@dataclass(frozen=True)
class _Line:
    """What a line of CSV says of a person and of one face."""

    name: str
    hidden: bool
    belongs: bool
    face: FaceKey


def _line(row: dict[str, str]) -> _Line:
    box = [row[name] for name in ("x0", "y0", "x1", "y1")]
    face = _key(row["sha256"], box)
    return _Line(unescape_csv_cell(row["name"]), _yes(row, "hidden"), _yes(row, "is"), face)


def _person(person: str, lines: Sequence[_Line]) -> PersonEntry:
    names, hidden = {line.name for line in lines}, {line.hidden for line in lines}
    if len(names) > 1:
        raise ValueError(f"person {person} has several names: {', '.join(sorted(names))}")
    if len(hidden) > 1:
        raise ValueError(
            f"person {person} is hidden in some lines and not in others; write the same in all"
        )
    faces = [line.face for line in lines if line.belongs]
    rejected = [line.face for line in lines if not line.belongs]
    return _entry(person, names.pop() or None, hidden.pop(), faces, rejected)


def _entry(
    person: str, name: Any, hidden: Any, faces: list[FaceKey], rejected: list[FaceKey]
) -> PersonEntry:
    if not isinstance(hidden, bool):
        raise ValueError(f"expected hidden to be true or false, got {hidden!r}")
    name = None if name is None else normalise_name(name)
    return PersonEntry(person, name, hidden, tuple(faces), tuple(rejected))


def _yes(row: dict[str, str], column: str) -> bool:
    text = row[column].casefold()
    if text not in ("yes", "no"):
        raise ValueError(f"expected {column} to be yes or no, got {row[column]!r}")
    return text == "yes"


def _key(sha256: str, box: Sequence[Any]) -> FaceKey:
    x0, y0, x1, y1 = (float(edge) for edge in box)
    if not all(math.isfinite(edge) for edge in (x0, y0, x1, y1)):
        raise ValueError(f"expected a box of four numbers, got {box}")
    return FaceKey(str(sha256), (x0, y0, x1, y1))


def _keys(gallery: Gallery) -> Iterator[tuple[int, FaceKey]]:
    """The id and the key of every face that a gallery ever had."""
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            digests = shard.column("photos", "sha256")
            photos, boxes = shard.column("faces", "photo"), shard.column("faces", "box")
            ids = make_ids(shard.number, np.arange(len(photos)))
            for face, photo, box in zip(ids.tolist(), photos, boxes.tolist(), strict=True):
                yield face, FaceKey(digests[photo].decode(), tuple(box))


def _find(gallery: Gallery, entries: Sequence[PersonEntry]) -> dict[FaceKey, int]:
    """The face here of every key that has one: in its photo the one that overlaps most."""
    wanted = {key for each in entries for key in (*each.faces, *each.rejected)}
    keys: dict[str, list[FaceKey]] = {}
    for key in sorted(wanted, key=lambda each: (each.sha256, each.box)):
        keys.setdefault(key.sha256, []).append(key)
    here: dict[str, list[tuple[int, Box]]] = {}
    for face, key in _keys(gallery):
        if key.sha256 in keys:
            here.setdefault(key.sha256, []).append((face, key.box))
    found = {}
    for sha256, faces in here.items():
        asked = keys[sha256]
        overlaps = iou(np.array([key.box for key in asked]), np.array([box for _, box in faces]))
        for key, overlap in zip(asked, overlaps, strict=True):
            best = int(np.argmax(overlap))
            if overlap[best] >= SAME_FACE_IOU:
                found[key] = faces[best][0]
    return found
