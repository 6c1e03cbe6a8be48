"""Names of people and the faces they belong to: the part of a gallery that users decide."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facesearch.argument_checks import instance
from facesearch.errors import ChangedDecisionsError, ChangedGalleryError, InputError
from facesearch.gallery.tombstones import Tombstones
from facesearch.people.ledger import (
    Decision,
    DecisionAuthor,
    FaceDecision,
    Ledger,
    LedgerTransaction,
    NewDecision,
)
from facesearch.people.projection import DecisionState, last_batch, replay
from facesearch.people.superseded import Superseded, superseded_by
from facesearch.text import composed
from indexer.id_lookup import contained
from indexer.types import Ids


@dataclass(frozen=True)
class Memberships:
    """Faces with a name: ids int64 (n,) ascending, and the name of each."""

    ids: Ids
    names: tuple[str, ...]

    def by_id(self) -> dict[int, str]:
        return {int(face_id): name for face_id, name in zip(self.ids, self.names, strict=True)}


def normalise_name(name: str) -> str:
    """A person's name as it is kept: in Unicode's form C, white space trimmed and collapsed.

    Raises InputError for an empty name, for one that commands would read as a person's number, and
    for one with control characters or that is not Unicode text, as arguments are that a terminal
    sends in another encoding than UTF-8.
    """
    instance(name, str, "a person's name as text")
    cleaned = composed(" ".join(name.split()))
    if not cleaned:
        raise InputError("expected a person's name, got an empty one; give one")
    if re.fullmatch(r"p\d+", cleaned, re.IGNORECASE):
        raise InputError(
            f"expected a person's name, got {cleaned!r}, which looks like the number of one; "
            "give another name"
        )
    categories = {unicodedata.category(character) for character in cleaned}
    if "Cs" in categories:
        raise InputError(
            f"expected a person's name in UTF-8, got {cleaned!a}; set the locale to it"
        )
    if "Cc" in categories:
        raise InputError(
            f"expected a person's name without control characters, got {cleaned!a}; leave them out"
        )
    return cleaned


@dataclass(frozen=True)
class EnteredDecisions:
    """Decisions that were entered together, and what they overrule of those before."""

    decisions: tuple[Decision, ...] = ()
    superseded: tuple[Superseded, ...] = ()


def undoable(decisions: Sequence[Decision]) -> list[Decision]:
    """What an undo of a ledger would take back; raises InputError where there is nothing."""
    last = last_batch(decisions)
    if not last:
        raise InputError("there is no decision left to undo")
    return last


class PeopleStore:
    """The people that a gallery's ledger of decisions tells of.

    What is decided here is entered as decided by ``author``, where one is given.
    """

    def __init__(self, gallery_folder: Path, author: DecisionAuthor | None = None) -> None:
        self._folder = gallery_folder
        self._ledger = Ledger(gallery_folder)
        self._author = author

    def check(self) -> list[str]:
        """What is wrong in the database's pages; raises GalleryError where it cannot be used."""
        return self._ledger.check()

    def decisions(self) -> list[Decision]:
        """The ledger, oldest first; raises GalleryError where it cannot be used."""
        return self._ledger.all()

    def authors(self) -> dict[int, DecisionAuthor]:
        """Who made each batch of decisions, where that is known."""
        return self._ledger.authors()

    def decided(self) -> DecisionState:
        """What holds now; raises GalleryError where the database cannot be used."""
        return replay(self.decisions())

    def decide(
        self,
        drafts: Iterable[NewDecision],
        *,
        after: int | None = None,
        require: Callable[[], None] = lambda: None,
    ) -> EnteredDecisions:
        """Enter decisions, to be undone together.

        ``after`` is the newest decision (0: none) that they were made in knowledge of. ``require``
        is called when nobody else can decide any more, and may raise. Raises
        ChangedDecisionsError where there is a newer one, ChangedGalleryError where a face was
        forgotten; nothing is entered then.
        """
        with self._ledger.open() as entries:
            if after is not None and entries.newest() != after:
                raise ChangedDecisionsError(
                    f"decisions about people of {self._folder} were made by another process "
                    "meanwhile, so nothing was entered; look again, then run the command again"
                )
            require()
            return self._entered(entries, drafts)

    def _entered(
        self, entries: LedgerTransaction, drafts: Iterable[NewDecision]
    ) -> EnteredDecisions:
        drafts = list(drafts)
        faces = np.array([face.face_id for each in drafts for face in each.faces], np.int64)
        # Read now: who forgets takes faces out of the ledger after they are in this list.
        forgotten = int(Tombstones.read(self._folder).among(faces).sum())
        if forgotten:
            raise ChangedGalleryError(
                f"{forgotten} of these faces of {self._folder} were forgotten meanwhile; look "
                "again, then decide about the others"
            )
        earlier = entries.all()
        decisions = entries.add(drafts, author=self._author)
        return EnteredDecisions(tuple(decisions), superseded_by(earlier, decisions))

    def new_people(self, count: int, above: int = 0) -> range:
        """Numbers, greater than ``above``, for new people."""
        if not count:
            return range(0)
        with self._ledger.open() as entries:
            return entries.new_people(count, above)

    def enroll(self, name: str, face_ids: Sequence[int]) -> EnteredDecisions:
        """Say that ``face_ids`` show ``name``: a decision about those not known as such before.

        A face that belonged to another name now belongs to this one; the ledger keeps both.
        Without new faces nothing is entered. Raises InputError for a name that
        :func:`normalise_name` refuses, GalleryError where the database cannot be used.
        """
        name = normalise_name(name)
        return self.enroll_many({name: face_ids})

    def enroll_many(self, faces_of: Mapping[str, Sequence[int]]) -> EnteredDecisions:
        """As :meth:`enroll` for each name, in one transaction, which one undo takes back."""
        wanted = {
            normalise_name(name): dict.fromkeys(map(int, faces))
            for name, faces in faces_of.items()
            if len(faces)
        }
        if not wanted:
            return EnteredDecisions()
        with self._ledger.open() as entries:
            decided = replay(entries.all())
            number_of = {each.name: number for number, each in decided.people.items()}
            unknown = [name for name in wanted if name not in number_of]
            number_of |= dict(zip(unknown, entries.new_people(len(unknown)), strict=True))
            drafts = []
            for name, faces in wanted.items():
                number = number_of[name]
                new = [face for face in faces if decided.faces.get(face) != number]
                if new:
                    said = tuple(FaceDecision(face, number) for face in new)
                    drafts.append(NewDecision("enroll", number, name=name, faces=said))
            return self._entered(entries, drafts) if drafts else EnteredDecisions()

    def undo(self, batch: int | None = None) -> list[Decision]:
        """Undo what was decided last and is not undone yet; returns it.

        What one command entered is undone together. Raises InputError where there is nothing, or
        something else than ``batch``, where that is given.
        """
        with self._ledger.open() as entries:
            last = undoable(entries.all())
            if batch not in (None, last[0].batch):
                raise InputError(
                    f"expected to undo decision {batch}, but decision {last[0].id} is the last one "
                    "now, made by another process; look again with people undo --dry-run"
                )
            entries.add([NewDecision("undo", 0, other=last[0].batch)], author=self._author)
        return last

    def numbers_given(self) -> int:
        """How many numbers of people were given out: all from 1 to this one."""
        return self._ledger.numbers_given()

    def was_named(self, name: str) -> frozenset[int]:
        """The numbers of everybody whom some decision, in force or not, gave ``name``."""
        return frozenset(
            number
            for each in self.decisions()
            if each.name == name and (number := _named_in(each)) is not None
        )

    def forget_name(self, name: str) -> int:
        """Delete ``name`` and other names of whoever had it from all decisions; how many had one.

        What was deleted cannot be read from the file any more.
        """
        numbers = self.was_named(name)
        if not numbers:
            return 0
        with self._ledger.open() as entries:
            decided = entries.all()
            merged = {each.other for each in decided if each.action == "merge"} & {*numbers}
            named = [
                each
                for each in decided
                if each.name is not None
                and (each.name == name or _named_in(each) in numbers - {*merged})
            ]
            entries.forget_names(named)
        self._ledger.overwrite_what_was_deleted()
        return len(named)

    def names_of(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """All names that people with these numbers were ever given, and nobody else was."""
        theirs = frozenset(numbers)
        if not theirs:
            return ()
        named = [(each.name, _named_in(each)) for each in self.decisions()]
        others = {name for name, number in named if number not in theirs}
        return tuple(sorted({name for name, _ in named if name is not None} - others))

    def forget_names_of(self, numbers: Iterable[int]) -> int:
        """Delete all names of people with these numbers from all decisions; how many had one.

        What was deleted cannot be read from the file any more.
        """
        theirs = frozenset(numbers)
        if not theirs or not self._ledger.exists():
            return 0
        with self._ledger.open() as entries:
            named = [
                each
                for each in entries.all()
                if each.name is not None and _named_in(each) in theirs
            ]
            entries.forget_names(named)
        if named:
            self._ledger.overwrite_what_was_deleted()
        return len(named)

    def forget(self, face_ids: Ids) -> int:
        """Delete all entries about faces, and names left without one; returns how many had a name.

        What was deleted cannot be read from the file any more.
        """
        if not self._ledger.exists() or not len(face_ids):
            return 0
        named = int(contained(self.memberships().ids, face_ids).sum())
        with self._ledger.open() as entries:
            entries.forget(face_ids.tolist())
            decisions = entries.all()
            # Undone ones too: a person named in one of them exists while faces are in it.
            still_named = {face.person for each in decisions for face in each.faces if face.belongs}
            merged = {each.other: each.person for each in decisions if each.action == "merge"}
            still_named |= {merged[number] for number in still_named if number in merged}
            entries.forget_names(
                each
                for each in decisions
                if each.name is not None and _named_in(each) not in still_named
            )
        self._ledger.overwrite_what_was_deleted()
        return named

    def memberships(self) -> Memberships:
        """All confirmed faces of people with a name, also of deleted photos.

        Raises GalleryError where the database cannot be used.
        """
        decided = self.decided()
        named = {
            face: name
            for face, person in decided.faces.items()
            if (name := decided.person(person).name) is not None
        }
        return Memberships(np.array(list(named), np.int64), tuple(named.values()))


def _named_in(decision: Decision) -> int | None:
    """The number of the person whom a decision's name is of."""
    return decision.other if decision.action == "split" else decision.person
