"""Corrections to look at, made by a process now and then, and shown as long as they still apply."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from facesearch.curation.suggestions import Suggestion
from facesearch.errors import BusyGalleryError
from facesearch.service.jobs.job import Job
from facesearch.service.jobs.queue import JobQueue
from facesearch.service.views.served_gallery import ServedGallery
from facesearch.service.views.snapshot import GallerySnapshot

Kind = Literal["same", "leftover", "mixture", "doubt"]
# Between two looks at all faces, while people decide one thing after the other.
_PAUSE_SECONDS = 10.0
_KINDS: Mapping[str, Kind] = {
    "same": "same",
    "leftover": "leftover",
    "mixed": "mixture",
    "doubt": "doubt",
}


@dataclass(frozen=True)
class SuggestedCorrection:
    """What may be so of people, by number.

    "same": two people may be one; "leftover": ``faces`` of nobody may be the person's; "mixture":
    ``faces`` of the person may be another's; "doubt": a face may be wrong, and be the second
    person's where there is one. ``place`` is that among those that were made together.
    """

    id: str
    kind: Kind
    people: tuple[int, ...]
    faces: tuple[int, ...]
    probability: float
    place: int


class GallerySuggestions:
    """Those of one gallery."""

    def __init__(self, served: ServedGallery, jobs: JobQueue) -> None:
        self._served = served
        self._jobs = jobs
        self._lock = threading.Lock()
        self._found: tuple[SuggestedCorrection, ...] = ()
        self._made: Sequence[Mapping[str, Any]] = ()  # as the process has it
        self._version: str | None = None  # of the gallery, when they were made
        self._making: str | None = None  # for which version a process makes them now
        self.made_at = 0  # in nanoseconds
        self._asked = ("", 0.0)  # for which version a process was started, and when
        self.total = 0

    def current(self, snapshot: GallerySnapshot) -> list[SuggestedCorrection]:
        """Those that still apply, the most useful first, the postponed last."""
        self._renew(snapshot)
        with self._lock:
            found = self._found
        applying = [each for each in found if applies(each, snapshot)]
        applying.sort(key=lambda each: is_postponed(each, snapshot))  # keeps the order of the rest
        self.total = len(applying)
        return applying

    def find(self, snapshot: GallerySnapshot, suggestion_id: str) -> SuggestedCorrection | None:
        """One that still applies."""
        with self._lock:
            found = self._found
        for each in found:
            if each.id == suggestion_id and applies(each, snapshot):
                return each
        return None

    def listed(self, snapshot: GallerySnapshot) -> tuple[Suggestion, ...] | None:
        """All of just this snapshot, as :func:`facesearch.curation.suggestions.suggestions` has
        them; None while they are made.

        Raises BusyGalleryError where nobody makes them: while another job waits or runs, where
        nothing was clustered, and where it went wrong.
        """
        self._renew(snapshot, at_once=True)
        busy = self._jobs.busy(self._served.id)
        with self._lock:
            made, is_fresh = self._made, self._version == snapshot.version
            comes = self._making is not None and not busy
        if is_fresh:
            return tuple(_suggestion(each, snapshot) for each in made)
        if comes:
            return None
        raise BusyGalleryError(f"nobody makes suggestions for {self._served.id} now")

    def is_stale(self, snapshot: GallerySnapshot) -> bool:
        """Whether something changed since they were made."""
        return self._version != snapshot.version

    @property
    def computing(self) -> bool:
        """Whether a process makes them now."""
        return self._jobs.active(self._served.id, "suggest")

    def arrived(self, job: Job) -> None:
        """Take what a process has found; one that had to make way is started again."""
        with self._lock:
            version, self._making = self._making, None
            if job.state == "cancelled":
                self._asked = ("", 0.0)
            if job.result is not None:
                self._made = job.result["suggestions"]
                self._found = tuple(_parsed(self._made))
                self._version, self.made_at = version, time.time_ns()

    def _renew(self, snapshot: GallerySnapshot, *, at_once: bool = False) -> None:
        """Start a process, where the last one was for another version, and some time ago."""
        version, computing = snapshot.version, self.computing
        pause = 0.0 if at_once else _PAUSE_SECONDS
        with self._lock:
            asked, at = self._asked
            # Asked once for each version: what cannot be made is not tried again and again.
            due = asked != version and (not asked or time.monotonic() - at > pause)
            if not due or snapshot.run is None or computing or self._making is not None:
                return
            self._asked, self._making = (version, time.monotonic()), version
        try:
            self._jobs.add(self._served.id, "suggest", "the service")
        except BaseException:
            self._making = None
            raise


def applies(suggestion: SuggestedCorrection, snapshot: GallerySnapshot) -> bool:
    """Whether a suggestion is still one after what was decided since."""
    people = [snapshot.row_of_person.get(number) for number in suggestion.people]
    first, decided = people[0], snapshot.view.decided
    if first is None or first.person.hidden or not first.faces:
        return False
    if suggestion.kind == "same":
        second = people[1]
        if second is None or second.person.hidden or not second.faces:
            return False
        pair = min(suggestion.people), max(suggestion.people)
        both_named = first.person.name is not None and second.person.name is not None
        return not both_named and pair not in decided.parted
    rows = snapshot.faces.rows_of(np.array(suggestion.faces, np.int64))
    if (rows < 0).any():
        return False
    if suggestion.kind == "leftover":
        said = any((face, first.person.id) in decided.rejected for face in suggestion.faces)
        return not said and bool((snapshot.label[rows] == -1).all())
    label = snapshot.label_of_person.get(suggestion.people[0], -2)
    there = bool((snapshot.label[rows] == label).all())
    return there and not snapshot.confirmed[rows].any() and first.faces > len(rows)


def is_postponed(suggestion: SuggestedCorrection, snapshot: GallerySnapshot) -> bool:
    """Whether somebody wanted to be asked later."""
    decided = snapshot.view.decided
    if suggestion.kind == "same":
        return (min(suggestion.people), max(suggestion.people)) in decided.later
    person = suggestion.people[0]
    return all((face, person) in decided.later_faces for face in suggestion.faces)


def _parsed(found: Iterable[Mapping[str, Any]]) -> Iterable[SuggestedCorrection]:
    """What the process found; people without a number cannot be decided about."""
    for place, each in enumerate(found):
        people = tuple(number for number in (each["person"], each["other"]) if number)
        faces = () if each["kind"] == "same" else tuple(each["faces"])
        kind = _KINDS[each["kind"]]
        if not each["person"] or (kind == "same" and len(people) < 2):
            continue
        about = repr((kind, people, sorted(faces)))
        name = f"{kind}-{hashlib.sha256(about.encode()).hexdigest()[:16]}"
        yield SuggestedCorrection(name, kind, people, faces, each["probability"], place)


def _suggestion(found: Mapping[str, Any], snapshot: GallerySnapshot) -> Suggestion:
    """What the process found, with people by what they are called now."""
    decided, other = snapshot.view.decided, found["other"]
    return Suggestion(
        found["kind"],
        decided.person(found["person"]),
        None if other is None else decided.person(other),
        tuple(found["faces"]),
        found["probability"],
        found["later"],
    )
