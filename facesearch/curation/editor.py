"""Edits of people: each command becomes entries of the ledger.

A decision about a person confirms all faces that the person has at that moment. So the faces that
a user looked at stay together in later clusterings, and every decision can be undone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facesearch.clustering.current_people import gallery_people
from facesearch.clustering.run_store import run_paths
from facesearch.errors import ChangedDecisionsError, InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import FaceRecord
from facesearch.people.assignment import PersonAssignment
from facesearch.people.ledger import (
    Action,
    Decision,
    DecisionAuthor,
    FaceDecision,
    NewDecision,
)
from facesearch.people.projection import DecisionState, Person, replay
from facesearch.people.store import EnteredDecisions, PeopleStore, normalise_name
from facesearch.text import composed

_SHOWN = 5


def _run_in_force(gallery: Gallery) -> tuple[str, int] | None:
    """Which file says who is who now: another after every clustering, and every forgetting."""
    runs = run_paths(gallery)
    return (runs[-1].name, runs[-1].lstat().st_ino) if runs else None


@dataclass(frozen=True)
class EditResult:
    """What was entered about ``person``, as that is now; ``notes`` say what may surprise."""

    person: Person
    entered: EnteredDecisions
    notes: tuple[str, ...] = ()


class PeopleEditor:
    """The people of a gallery as they are, and decisions about them.

    ``now`` says who has which face, and ``decided`` what was decided. Both follow the decisions
    of this editor; after those of others it raises GalleryError until another editor is made.
    The ledger keeps the ``author`` of what is decided, where one is given.

    Persons are named as people type them: "p12", a name, or the beginning of one name only.
    Everything raises InputError for a person or face that is not there, and for what would change
    nothing; GalleryError where the ledger cannot be used.
    """

    def __init__(
        self,
        gallery: Gallery,
        state: GalleryState | None = None,
        author: DecisionAuthor | None = None,
    ) -> None:
        self._gallery = gallery
        self._state = state or gallery.state()
        self._people = PeopleStore(gallery.folder, author)
        self._run = _run_in_force(gallery)
        self.clustered = bool(run_paths(gallery))
        self._read_decisions()

    def _read_decisions(self) -> None:
        """Look at the ledger: what is decided next is decided in knowledge of it."""
        decisions = self._people.decisions()
        self._newest = decisions[-1].id if decisions else 0
        self.decided: DecisionState = replay(decisions)
        self._now: PersonAssignment | None = None

    @property
    def now(self) -> PersonAssignment:
        """The people of the last clustering, as is decided."""
        if self._now is None:
            self._now = gallery_people(self._gallery, self._state, self.decided)
        return self._now

    def decisions(self) -> list[Decision]:
        """The ledger as it is now, oldest first."""
        return self._people.decisions()

    def everyone(self) -> dict[int, Person]:
        """All people by number: those with faces, and those that a decision is about."""
        everyone = dict(self.decided.people)
        return everyone | {each.id: each for each in self.now.people if each.id > 0}

    def find(self, text: str) -> Person:
        """The person that ``text`` names."""
        everyone = self.everyone()
        if found := re.fullmatch(r"p(\d+)", text):
            number = int(found[1])
            number = self.decided.merged.get(number, number)
            if number in everyone:
                return everyone[number]
            if 0 < number <= self._people.numbers_given():
                raise InputError(
                    f"p{number} existed but has no faces left: their photos were deleted, or the "
                    f"faces now belong to other people; list all people with: facesearch people "
                    f"list {self._gallery.folder} --all"
                )
        named = {each.name: each for each in everyone.values() if each.name}
        wanted = composed(" ".join(text.split()))
        if wanted in named:
            return named[wanted]
        begin = sorted(name for name in named if name.casefold().startswith(wanted.casefold()))
        if len(begin) == 1 and wanted:
            return named[begin[0]]
        if begin and wanted:
            more = f" and {len(begin) - _SHOWN} more" if len(begin) > _SHOWN else ""
            raise InputError(
                f"{text!r} is the beginning of {', '.join(begin[:_SHOWN])}{more}; give the whole "
                "name"
            )
        why, command = "; list people with", "people list"
        if not self.clustered:
            why, command = ": this gallery has not been clustered; first run", "cluster"
        raise InputError(
            f"expected the name of a person or a number such as p12, got {text!r}, which no person "
            f"has{why}: facesearch {command} {self._gallery.folder}"
        )

    def records(self, person: Person) -> list[FaceRecord]:
        """A person's faces that are there, the surest first."""
        return self._gallery.faces(self.now.faces(person.id), self._state)

    def pick(self, person: Person, wanted: Sequence[str]) -> list[int]:
        """Faces of ``person``, each given by its number or by the photo that it is in."""
        records = self.records(person)
        return list(dict.fromkeys(self._pick(person, records, text) for text in wanted))

    def name(self, person: Person, name: str) -> EditResult:
        """Name or rename a person."""
        name = normalise_name(name)
        other = self.decided.named(name)
        if other and other.id == person.id:
            raise InputError(f"{person.key} already has the name {name}")
        if other:
            raise InputError(
                f"{name} is the name of {other.key}; if {person.key} is the same person, run: "
                f"facesearch people "
                f"merge {self._gallery.folder} {other.key} {person.key}"
            )
        return self._enter(
            person, [NewDecision("name", person.id, name=name, faces=self._all(person))]
        )

    def merge(self, person: Person, others: Sequence[Person]) -> EditResult:
        """Say that ``others`` are ``person``, whose number stays, and whose name if it has one.

        A face that was rejected from the one stays out of both: merging two people does not say
        that an earlier decision about a single face was wrong.
        """
        others = list({each.id: each for each in others}.values())
        if any(each.id == person.id for each in others):
            raise InputError(
                f"expected another person to merge into {person.label}, got {person.label} itself"
            )
        drafts, notes, numbers = [], [], {person.id, *(each.id for each in others)}
        for other in others:
            faces = []
            for face in (*self._faces(person), *self._faces(other)):
                kept = any((face, number) in self.decided.rejected for number in numbers)
                faces.append(FaceDecision(face, person.id, belongs=not kept))
                if kept:
                    notes.append(
                        f"face {face} was removed from one of them before, and is left out"
                    )
            drafts.append(NewDecision("merge", person.id, other.id, faces=tuple(faces)))
            if other.name and person.name:
                notes.append(f"{other.name} is now called {person.name}")
        if not all(other.hidden for other in others):
            notes += self._hiding(person)
        notes += self._shared_photos([person, *others])
        return self._enter(person, drafts, tuple(dict.fromkeys(notes)))

    def _hiding(self, person: Person) -> list[str]:
        """A note where ``person`` is hidden, for who gives him faces."""
        return [f"{person.label} is hidden, so these faces are hidden now"] if person.hidden else []

    def _shared_photos(self, people: Sequence[Person]) -> list[str]:
        """A note where several of ``people`` are in one photo: seldom are they one."""
        seen: dict[str, set[str]] = {}
        for each in people:
            for record in self.records(each):
                seen.setdefault(str(record.photo.location), set()).add(each.label)
        shared = sorted(photo for photo, labels in seen.items() if len(labels) > 1)
        if not shared:
            return []
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        return [
            f"several of these faces are in one photo, so they may be different people: "
            f"{', '.join(shared[:_SHOWN])}{more}"
        ]

    def add(self, person: Person, faces: Sequence[int]) -> EditResult:
        """Assign faces, by their numbers, to ``person``, whoever had them before."""
        faces = list(dict.fromkeys(faces))
        known = {*self.now.clustering.ids.tolist(), *self.decided.faces}
        if unknown := [face for face in faces if face not in known]:
            raise InputError(
                f"expected numbers of faces in {self._gallery.folder}, got {unknown[0]}; list them "
                f"with: facesearch people show {self._gallery.folder} PERSON, or search --json"
            )
        if all(self.decided.faces.get(face) == person.id for face in faces):
            which = "this face is" if len(faces) == 1 else "these faces are"
            raise InputError(f"{which} assigned to {person.label} already")
        decided_here = tuple(FaceDecision(face, person.id) for face in faces)
        draft = NewDecision("enroll", person.id, faces=(*decided_here, *self._all(person, faces)))
        return self._enter(person, [draft], tuple(self._hiding(person)))

    def split(self, person: Person, faces: Sequence[int], name: str | None = None) -> EditResult:
        """Move faces of a person to a new person, who is the person of the result."""
        self._require_some_left(person, faces)
        if name is not None:
            name = normalise_name(name)
            if other := self.decided.named(name):
                raise InputError(f"{name} is the name of {other.key}; give another name")
        (number,) = self._people.new_people(1, above=max(self.everyone(), default=0))
        chosen = tuple(FaceDecision(face, number) for face in faces)
        rest = self._all(person, without=faces)
        draft = NewDecision("split", person.id, number, name, (*chosen, *rest))
        return self._enter(Person(number), [draft])

    def make_person(self, faces: Sequence[int], name: str | None = None) -> EditResult:
        """A new person of ``faces``, whoever had them before, who is the person of the result."""
        faces = list(dict.fromkeys(faces))
        known = {*self.now.clustering.ids.tolist(), *self.decided.faces}
        if not faces or not known.issuperset(faces):
            raise InputError(f"expected numbers of faces in {self._gallery.folder}; give others")
        if name is not None:
            name = normalise_name(name)
            if other := self.decided.named(name):
                raise InputError(f"{name} is the name of {other.key}; give another name")
        (number,) = self._people.new_people(1, above=max(self.everyone(), default=0))
        chosen = tuple(FaceDecision(face, number) for face in faces)
        draft = NewDecision("enroll", number, name=name, faces=chosen)
        return self._enter(Person(number), [draft])

    def reject(self, person: Person, faces: Sequence[int]) -> EditResult:
        """Remove faces from ``person``, without assigning them to another."""
        self._require_some_left(person, faces)
        chosen = tuple(FaceDecision(face, person.id, belongs=False) for face in faces)
        rest = self._all(person, without=faces)
        return self._enter(person, [NewDecision("reject", person.id, faces=(*chosen, *rest))])

    def hide(self, person: Person, hidden: bool = True) -> EditResult:
        """Hide a person from albums and lists, or show the person again."""
        if person.hidden == hidden:
            raise InputError(f"{person.label} is {'already' if hidden else 'not'} hidden")
        action: Action = "hide" if hidden else "unhide"
        return self._enter(person, [NewDecision(action, person.id, faces=self._all(person))])

    def undo(self, batch: int | None = None) -> list[Decision]:
        """Undo what was decided last and is not undone yet, and return it.

        What one command entered is undone together. Raises InputError where there is nothing, or
        something else than ``batch``, where that is given.
        """
        undone = self._people.undo(batch)
        self._read_decisions()
        return undone

    def _enter(
        self, person: Person, drafts: Sequence[NewDecision], notes: tuple[str, ...] = ()
    ) -> EditResult:
        merged = self.decided.merged
        if gone := [each for each in (each.person for each in drafts) if each in merged]:
            raise InputError(
                f"p{gone[0]} was merged into p{merged[gone[0]]}; decide about that person"
            )
        entered = self._people.decide(drafts, after=self._newest, require=self._require_same_run)
        self._read_decisions()
        return EditResult(self.decided.person(person.id), entered, notes)

    def _require_same_run(self) -> None:
        if _run_in_force(self._gallery) != self._run:
            raise ChangedDecisionsError(
                f"{self._gallery.folder} was clustered by another process meanwhile, so nothing "
                "was entered; look again, then run the command again"
            )

    def _faces(self, person: Person) -> list[int]:
        """A person's faces, of photos that are there or not."""
        live = self.now.faces(person.id).tolist()
        decided_here = [face for face, number in self.decided.faces.items() if number == person.id]
        return sorted({*live, *decided_here})

    def _all(self, person: Person, without: Iterable[int] = ()) -> tuple[FaceDecision, ...]:
        left = sorted({*self._faces(person)} - {*without})
        return tuple(FaceDecision(face, person.id) for face in left)

    def _require_some_left(self, person: Person, faces: Sequence[int]) -> None:
        if not faces:
            raise InputError(f"expected faces of {person.label}, got none; give one or more")
        if not self._all(person, without=faces):
            raise InputError(
                f"these are all faces of {person.label}; leave at least one, or rename the person: "
                f"facesearch people name {self._gallery.folder} {person.key} NAME"
            )

    def _pick(self, person: Person, records: Sequence[FaceRecord], text: str) -> int:
        if text.isascii() and text.isdigit():
            found = [each for each in records if each.face_id == int(text)]
        else:
            wanted = composed(text)
            places = [(each, composed(str(each.photo.location))) for each in records]
            found = [
                each
                for each, place in places
                if wanted in (place, composed(each.photo.name)) or place.endswith(f"/{wanted}")
            ]
        if len(found) == 1:
            return found[0].face_id
        if found:
            photos = ", ".join(f"{each.face_id} ({each.photo.location})" for each in found[:_SHOWN])
            raise InputError(
                f"{text!r} may be several faces of {person.label}: {photos}; give a number"
            )
        raise InputError(
            f"expected a face of {person.label} by its number, or the photo it is in, got "
            f"{text!r}; see them with: facesearch people show {self._gallery.folder} {person.key}"
        )
