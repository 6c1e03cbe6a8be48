"""Edits of people: each command becomes entries of the ledger.

A decision about a person confirms the faces that the person surely has at that moment, so that the
person is where they are in later clusterings. A decision about a face is about that face alone.
Every decision can be undone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from facesearch.argument_checks import several, whole_number
from facesearch.clustering.run_store import run_paths
from facesearch.curation.people_reader import SHOWN, KnownPeople, PeopleReader, require_person
from facesearch.errors import ChangedDecisionsError, InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.ledger import (
    Action,
    Decision,
    DecisionAuthor,
    FaceDecision,
    NewDecision,
)
from facesearch.people.projection import NOBODY, Person
from facesearch.people.store import EnteredDecisions, PeopleStore, normalise_name
from facesearch.text import count

# From this confidence on a face is taken to be right with the person: of LFW View 1's faces in
# groups of two or more 99.8% were, and 90% of the others, which are 28%
# (benchmarks/curation/sure_faces.py).
SURE = 0.3


def _run_in_force(gallery: Gallery) -> tuple[str, int] | None:
    """Which file says who is who now: another after every clustering, and every forgetting."""
    runs = run_paths(gallery)
    return (runs[-1].name, runs[-1].lstat().st_ino) if runs else None


@dataclass(frozen=True)
class EditResult:
    """What was entered about ``person``, as that is now; ``notes`` say what may surprise.

    ``unsure`` are faces of the person that were not confirmed along, the least sure first.
    """

    person: Person
    entered: EnteredDecisions
    notes: tuple[str, ...] = ()
    unsure: tuple[int, ...] = ()


class PeopleEditor(PeopleReader):
    """The people of a gallery as they are, and decisions about them.

    ``now`` and ``decided`` follow the decisions of this editor; after those of others it raises
    GalleryError until another editor is made. Everything raises InputError for a person or face
    that is not there, and for what would change nothing; GalleryError where the ledger cannot be
    used. The ledger keeps the ``author`` of what is decided, where one is given.

    ``sure`` in [0, 1] is the confidence from which on faces are confirmed with their person: 0
    confirms all.
    """

    def __init__(
        self,
        gallery: Gallery,
        state: GalleryState | None = None,
        author: DecisionAuthor | None = None,
        *,
        sure: float = SURE,
        known: KnownPeople | None = None,
    ) -> None:
        super().__init__(gallery, state, known)
        self._people = PeopleStore(gallery.folder, author)
        self._run = _run_in_force(gallery)
        self._sure = sure

    def name(self, person: Person, name: str) -> EditResult:
        """Name or rename a person."""
        require_person(person)
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

        A face that was rejected from the one stays out of both, unless it was given to the other:
        merging two people does not say that an earlier decision about a single face was wrong.
        """
        require_person(person)
        several(others, "people to merge", "give [person]")
        for other in others:
            require_person(other)
        others = list({each.id: each for each in others}.values())
        if any(each.id == person.id for each in others):
            raise InputError(
                f"expected another person to merge into {person.label}, got {person.label} itself"
            )
        drafts, notes, numbers = [], [], {person.id, *(each.id for each in others)}
        for other in others:
            faces = []
            sure = {*self._sure_faces(person), *self._sure_faces(other)}
            for face in (*self._faces(person), *self._faces(other)):
                kept = face not in self.decided.corrected and any(
                    (face, number) in self.decided.rejected for number in numbers
                )
                if kept or face in sure:
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
        more = f" and {len(shared) - SHOWN} more" if len(shared) > SHOWN else ""
        return [
            f"several of these faces are in one photo, so they may be different people: "
            f"{', '.join(shared[:SHOWN])}{more}"
        ]

    def add(self, person: Person, faces: Sequence[int]) -> EditResult:
        """Assign faces, by their numbers, to ``person``, whoever had them before.

        Nothing else moves: the other faces of their clusters stay where they are, and ``notes`` say
        how to move those too.
        """
        require_person(person)
        faces = self._known(faces)
        if all(self.decided.faces.get(face) == person.id for face in faces):
            which = "this face is" if len(faces) == 1 else "these faces are"
            raise InputError(f"{which} assigned to {person.label} already")
        new = [face for face in faces if self.decided.faces.get(face) != person.id]
        sources = self._sources(new)
        drafts = [
            NewDecision(
                "add",
                person.id,
                None if source == NOBODY else source,
                faces=tuple(FaceDecision(face, person.id) for face in taken),
            )
            for source, taken in sorted(sources.items())
        ]
        notes = [*self._hiding(person), *self._left_behind(person, sources)]
        return self._enter(person, drafts, tuple(notes))

    def _known(self, faces: Sequence[int]) -> list[int]:
        """``faces``, each once; raises InputError unless all are numbers of faces."""
        several(faces, "numbers of faces", "give [number]")
        faces = [whole_number(each, "the number of a face") for each in dict.fromkeys(faces)]
        sure = dict(zip(faces, self.now.confidence_of(faces), strict=True))
        decided = self.decided.faces
        if unknown := [face for face in faces if math.isnan(sure[face]) and face not in decided]:
            raise InputError(
                f"expected numbers of faces in {self._gallery.folder}, got {unknown[0]}; list them "
                f"with: facesearch people show {self._gallery.folder} PERSON, or search --json"
            )
        return faces

    def _sources(self, faces: Sequence[int]) -> dict[int, list[int]]:
        """``faces`` by whose they are now."""
        sources: dict[int, list[int]] = {}
        for face, number in zip(faces, self.now.people_of(faces), strict=True):
            # Of photos that are not there only decisions tell.
            source = self.decided.faces.get(face, NOBODY) if number == NOBODY else number
            sources.setdefault(source, []).append(face)
        return sources

    def _left_behind(self, person: Person, sources: Mapping[int, Sequence[int]]) -> list[str]:
        """Notes on other faces of the people without a name whom faces were taken from."""
        notes = []
        for number, taken in sorted(sources.items()):
            source = self.decided.person(number)
            left = len(self._faces(source)) - len(taken)
            if number > 0 and number != person.id and source.name is None and left > 0:
                notes.append(
                    f"{count(left, 'other face')} of {source.key} stayed there; if {source.key} is "
                    f"{person.label} too, run: facesearch people merge {self._gallery.folder} "
                    f"{person.key} {source.key}"
                )
        return notes

    def split(self, person: Person, faces: Sequence[int], name: str | None = None) -> EditResult:
        """Move faces of a person to a new person, who is the person of the result."""
        faces = self._known(faces)
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
        """A new person of ``faces``, whoever had them before, who is the person of the result.

        The other faces of whoever had them stay there, now and in later clusterings.
        """
        faces = self._known(faces)
        if not faces:
            raise InputError(f"expected numbers of faces in {self._gallery.folder}, got none")
        if name is not None:
            name = normalise_name(name)
            if other := self.decided.named(name):
                raise InputError(f"{name} is the name of {other.key}; give another name")
        (number,) = self._people.new_people(1, above=max(self.everyone(), default=0))
        sources = self._sources(faces)
        drafts = [
            NewDecision(
                "reject", source, faces=tuple(FaceDecision(face, source, False) for face in taken)
            )
            for source, taken in sorted(sources.items())
            if source > 0 and len(self._faces(self.decided.person(source))) > len(taken)
        ]
        chosen = tuple(FaceDecision(face, number) for face in faces)
        drafts.append(NewDecision("enroll", number, name=name, faces=chosen))
        person = Person(number, name)
        return self._enter(person, drafts, tuple(self._left_behind(person, sources)))

    def reject(self, person: Person, faces: Sequence[int]) -> EditResult:
        """Remove faces from ``person``, without assigning them to another. Nothing else moves."""
        faces = self._known(faces)
        self._require_some_left(person, faces)
        theirs = {*self._faces(person)}
        drafts = [
            NewDecision(
                "reject",
                person.id,
                other,
                faces=tuple(FaceDecision(face, person.id, belongs=False) for face in chosen),
            )
            for other, chosen in (
                (None, [face for face in faces if face in theirs]),
                (0, [face for face in faces if face not in theirs]),
            )
            if chosen
        ]
        return self._enter(person, drafts)

    def hide(self, person: Person, hidden: bool = True) -> EditResult:
        """Hide a person from albums and lists, or show the person again."""
        require_person(person)
        if person.hidden == hidden:
            raise InputError(f"{person.label} is {'already' if hidden else 'not'} hidden")
        action: Action = "hide" if hidden else "unhide"
        return self._enter(person, [NewDecision(action, person.id, faces=self._all(person))])

    def confirm(self, person: Person, faces: Sequence[int] | None = None) -> EditResult:
        """Say that these faces of ``person``, by default all, are right."""
        chosen = self._faces(person) if faces is None else list(dict.fromkeys(faces))
        new = [face for face in chosen if self.decided.leading.get(face) != person.id]
        if not new:
            raise InputError(f"all these faces of {person.label} are confirmed already")
        confirmed = tuple(FaceDecision(face, person.id) for face in new)
        return self._enter(person, [NewDecision("enroll", person.id, faces=confirmed)])

    def apart(self, person: Person, other: Person) -> EditResult:
        """Say that two people are not the same: they are never merged or suggested as one."""
        if person.id == other.id:
            raise InputError(f"expected two people, got {person.label} twice")
        if tuple(sorted((person.id, other.id))) in self.decided.parted:
            raise InputError(f"{person.label} and {other.label} are two people already")
        faces = (*self._all(person), *self._all(other))
        return self._enter(person, [NewDecision("apart", person.id, other.id, faces=faces)])

    def later(
        self, person: Person, other: Person | None = None, faces: Sequence[int] = ()
    ) -> EditResult:
        """Put off a question about ``person``: whether it is ``other``, or has these faces."""
        if (other is None) == (not faces):
            raise InputError("expected another person or faces to decide about later; name one")
        asked = tuple(FaceDecision(face, person.id) for face in faces)
        number = None if other is None else other.id
        return self._enter(person, [NewDecision("later", person.id, number, faces=asked)])

    def cover(self, person: Person, face: int) -> EditResult:
        """Choose the face of ``person`` that albums show; it is confirmed."""
        if face not in self._faces(person):
            raise InputError(
                f"expected a face of {person.label}, got {face}; see them with: facesearch people "
                f"show {self._gallery.folder} {person.key}"
            )
        if self.decided.covers.get(person.id) == face:
            raise InputError(f"face {face} shows {person.label} already")
        chosen = (FaceDecision(face, person.id),)
        return self._enter(person, [NewDecision("cover", person.id, faces=chosen)])

    def not_faces(self, faces: Sequence[int]) -> EnteredDecisions:
        """Say that detections are no faces: they are left out of people and albums.

        Whoever is given such a face later makes it one again.
        """
        faces = self._known(faces)
        if all(face in self.decided.not_faces for face in faces):
            raise InputError("this was said of all these faces already")
        said = tuple(
            FaceDecision(face, max(number, 0), belongs=False)
            for number, taken in sorted(self._sources(faces).items())
            for face in taken
        )
        return self._decide([NewDecision("not-face", 0, faces=said)])

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
        entered = self._decide(drafts)
        now = self.decided.person(person.id)
        confirmed = {*self.decided.faces}
        unsure = [face for face in self.now.faces(now.id).tolist() if face not in confirmed]
        return EditResult(now, entered, notes, tuple(reversed(unsure)))

    def _decide(self, drafts: Sequence[NewDecision]) -> EnteredDecisions:
        entered = self._people.decide(drafts, after=self._newest, require=self._require_same_run)
        self._read_decisions()
        return entered

    def _require_same_run(self) -> None:
        if _run_in_force(self._gallery) != self._run:
            raise ChangedDecisionsError(
                f"{self._gallery.folder} was clustered by another process meanwhile, so nothing "
                "was entered; look again, then run the command again"
            )

    def _sure_faces(self, person: Person, without: Iterable[int] = ()) -> list[int]:
        """The faces that a decision about ``person`` confirms: the confirmed and the sure ones, and
        the surest of all, or else there would be nothing to know the person by."""
        left = sorted({*self._faces(person)} - {*without})
        confidence = dict(zip(left, self.now.confidence_of(left), strict=True))
        sure = {face for face in left if confidence[face] >= self._sure}
        live = [face for face in left if not math.isnan(confidence[face])]
        best = max(live, key=lambda face: (confidence[face], -face), default=None)
        confirmed = self.decided.faces.keys() & {*left}
        return sorted(sure | confirmed | ({best} if best is not None else set()))

    def _all(self, person: Person, without: Iterable[int] = ()) -> tuple[FaceDecision, ...]:
        """What a decision about ``person`` says of the faces."""
        return tuple(FaceDecision(face, person.id) for face in self._sure_faces(person, without))

    def _require_some_left(self, person: Person, faces: Sequence[int]) -> None:
        require_person(person)
        if not faces:
            raise InputError(f"expected faces of {person.label}, got none; give one or more")
        if not {*self._faces(person)} - {*faces}:
            raise InputError(
                f"these are all faces of {person.label}; leave at least one, or rename the person: "
                f"facesearch people name {self._gallery.folder} {person.key} NAME"
            )
