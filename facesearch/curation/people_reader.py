"""The people of a gallery as they are now, found as people type them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facesearch.argument_checks import instance
from facesearch.clustering.current_people import gallery_people
from facesearch.clustering.run_store import run_paths
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState, require_gallery
from facesearch.gallery.records import FaceRecord, PhotoRecord
from facesearch.people.assignment import PersonAssignment
from facesearch.people.ledger import Decision
from facesearch.people.projection import DecisionState, Person, replay
from facesearch.people.store import PeopleStore
from facesearch.text import composed

SHOWN = 5


def require_person(person: Person) -> None:
    """Raise InputError for anything but a Person, such as a name."""
    instance(person, Person, "a Person", "find one with PeopleEditor.find(name)")


@dataclass(frozen=True)
class KnownPeople:
    """What was read of a gallery's people already: all ``decisions``, what they add up to, and who
    has which face by that."""

    decisions: Sequence[Decision]
    decided: DecisionState
    now: PersonAssignment


class PeopleReader:
    """The people of a gallery: ``now`` says who has which face, ``decided`` what was decided.

    Persons are named as people type them: "p12", a name, or the beginning of one name only. Raises
    InputError for a person or face that is not there; GalleryError where the ledger cannot be used.
    """

    def __init__(
        self,
        gallery: Gallery,
        state: GalleryState | None = None,
        known: KnownPeople | None = None,
    ) -> None:
        """What is ``known`` of that state is not read again."""
        require_gallery(gallery)
        self._gallery = gallery
        self._state = state or gallery.state()
        self._people = PeopleStore(gallery.folder)
        self.clustered = bool(run_paths(gallery))
        if known is None:
            self._read_decisions()
        else:
            self._enter_decisions(known.decisions, known.decided, known.now)

    @property
    def folder(self) -> Path:
        """Of the gallery."""
        return self._gallery.folder

    def _read_decisions(self) -> None:
        """Look at the ledger: what is decided next is decided in knowledge of it."""
        decisions = self._people.decisions()
        self._enter_decisions(decisions, replay(decisions), None)

    def _enter_decisions(
        self,
        decisions: Sequence[Decision],
        decided: DecisionState,
        now: PersonAssignment | None,
    ) -> None:
        self._newest = decisions[-1].id if decisions else 0
        self.decided = decided
        self._now = now

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
        instance(text, str, "the name of a person, or a number such as 'p12'")
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
            more = f" and {len(begin) - SHOWN} more" if len(begin) > SHOWN else ""
            raise InputError(
                f"{text!r} is the beginning of {', '.join(begin[:SHOWN])}{more}; give the whole "
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
        require_person(person)
        return self._gallery.faces(self.now.faces(person.id), self._state)

    def pick(self, person: Person, wanted: Sequence[str]) -> list[int]:
        """Faces of ``person``, each given by its number or by the photo that it is in."""
        records = self.records(person)
        return list(dict.fromkeys(self._pick(person, records, text) for text in wanted))

    def _faces(self, person: Person) -> list[int]:
        """A person's faces, of photos that are there or not."""
        live = self.now.faces(person.id).tolist()
        decided_here = [face for face, number in self.decided.faces.items() if number == person.id]
        return sorted({*live, *decided_here})

    def _pick(self, person: Person, records: Sequence[FaceRecord], text: str) -> int:
        if text.isascii() and text.isdigit():
            found = [each for each in records if each.face_id == int(text)]
        else:
            wanted = composed(text)
            copies = self._state.photos.copies({each.photo.sha256 for each in records})
            found = [
                each
                for each in records
                if any(_names(wanted, at) for at in copies.get(each.photo.sha256, [each.photo]))
            ]
        if len(found) == 1:
            return found[0].face_id
        if found:
            photos = ", ".join(f"{each.face_id} ({each.photo.location})" for each in found[:SHOWN])
            raise InputError(
                f"{text!r} may be several faces of {person.label}: {photos}; give a number"
            )
        raise InputError(
            f"expected a face of {person.label} by its number, or the photo it is in, got "
            f"{text!r}; see them with: facesearch people show {self._gallery.folder} {person.key}"
        )


def _names(text: str, photo: PhotoRecord) -> bool:
    """Whether ``text``, composed, is a photo's relative or absolute path, or the end of that."""
    location = composed(str(photo.location))
    return text in (location, composed(photo.name)) or location.endswith(f"/{text}")
