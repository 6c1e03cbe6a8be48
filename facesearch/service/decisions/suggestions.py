"""Corrections to look at, made by a process now and then, and shown as long as they still apply."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from facesearch.service.decisions.choices import PageChoices
from facesearch.service.jobs.job import Job
from facesearch.service.jobs.queue import JobQueue
from facesearch.service.views.served_gallery import ServedGallery
from facesearch.service.views.snapshot import GallerySnapshot

Kind = Literal["same", "mixture", "doubt"]
# Between two looks at all faces, while people decide one thing after the other.
_PAUSE_SECONDS = 10.0
_SEEN_AGAIN = 3  # faces of somebody whom the owner is taken to know


@dataclass(frozen=True)
class SuggestedCorrection:
    """People, by number, who may be one ("same"); somebody who may be two, of whom ``faces`` may
    be another ("mixture"); a face that may be of another, perhaps of the second person ("doubt").
    """

    id: str
    kind: Kind
    people: tuple[int, ...]
    faces: tuple[int, ...]
    probability: float
    distance: float | None
    gain: float


class GallerySuggestions:
    """Those of one gallery."""

    def __init__(self, served: ServedGallery, choices: PageChoices, jobs: JobQueue) -> None:
        self._served = served
        self._choices = choices
        self._jobs = jobs
        self._lock = threading.Lock()
        self._found: tuple[SuggestedCorrection, ...] = ()
        self._version: str | None = None  # of the gallery, when they were made
        self._asked = ("", 0.0)  # for which version a process was started, and when
        self.total = 0

    def current(self, snapshot: GallerySnapshot) -> list[SuggestedCorrection]:
        """Those that still apply, the most useful first, the postponed last."""
        self._renew(snapshot)
        with self._lock:
            found = self._found
        postponed = self._choices.postponed()
        applying = [each for each in found if applies(each, snapshot)]
        applying.sort(
            key=lambda each: (
                postponed.get(each.id, 0.0), _strangeness(each, snapshot), -each.gain, each.id
            )
        )  # fmt: skip
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

    def is_stale(self, snapshot: GallerySnapshot) -> bool:
        """Whether something changed since they were made."""
        return self._version != snapshot.view.version.digest

    @property
    def computing(self) -> bool:
        """Whether a process makes them now."""
        return self._jobs.active(self._served.id, "suggest")

    def arrived(self, job: Job) -> None:
        """Take what a process has found."""
        if job.result is None:
            return
        with self._lock:
            self._found = tuple(_parsed(job.result))
            self._version = self._asked[0]

    def _renew(self, snapshot: GallerySnapshot) -> None:
        version = snapshot.view.version.digest
        with self._lock:
            asked, at = self._asked
            # Asked once for each version: what cannot be made is not tried again and again.
            due = asked != version and time.monotonic() - at > (_PAUSE_SECONDS if asked else -1)
            if not due or self._version == version or not any(snapshot.people):
                return
            self._asked = (version, time.monotonic())
        if not self.computing:
            self._jobs.add(self._served.id, "suggest", "the service")


def applies(suggestion: SuggestedCorrection, snapshot: GallerySnapshot) -> bool:
    """Whether a suggestion is still one after what was decided since."""
    people = [snapshot.row_of_person.get(number) for number in suggestion.people]
    first = people[0]
    if first is None or first.person.hidden or not first.faces:
        return False
    if suggestion.kind == "same":
        second = people[1]
        if second is None or second.person.hidden or not second.faces:
            return False
        pair = min(suggestion.people), max(suggestion.people)
        both_named = first.person.name is not None and second.person.name is not None
        return not both_named and pair not in snapshot.view.decided.parted
    rows = snapshot.faces.rows_of(np.array(suggestion.faces, np.int64))
    if (rows < 0).any():
        return False
    label = snapshot.label_of_person.get(suggestion.people[0], -2)
    there = (snapshot.label[rows] == label).all()
    return bool(there) and not snapshot.confirmed[rows].any() and first.faces > len(rows)


def _strangeness(suggestion: SuggestedCorrection, snapshot: GallerySnapshot) -> int:
    """0 where somebody has a name or all are seen again and again: crowd faces come last."""
    rows = [snapshot.row_of_person.get(number) for number in suggestion.people]
    people = [row for row in rows if row is not None]
    if any(row.person.name is not None for row in people):
        return 0
    return sum(row.faces < _SEEN_AGAIN for row in people)


def _parsed(result: Mapping[str, Any]) -> Iterable[SuggestedCorrection]:
    """What the process found, by numbers; people without a number cannot be decided about."""
    for each in result["merges"]:
        one, two = map(_number, each["keys"])
        if one and two:
            yield SuggestedCorrection(
                f"same-p{one}-p{two}", "same", (one, two), (), each["probability"],
                each["distance"], each["gain"],
            )  # fmt: skip
    for each in result["mixtures"]:
        if number := _number(each["key"]):
            faces = tuple(each["faces"])
            name = hashlib.sha256(repr(sorted(faces)).encode()).hexdigest()[:12]
            yield SuggestedCorrection(
                f"mixture-p{number}-{name}", "mixture", (number,), faces, each["probability"],
                each["distance"], each["gain"],
            )  # fmt: skip
    for each in result["doubts"]:
        if number := _number(each["key"]):
            other = _number(each["next_key"])
            yield SuggestedCorrection(
                f"doubt-p{number}-{each['face_id']}", "doubt", (number, other) if other else
                (number,), (each["face_id"],), each["probability"], None, each["probability"],
            )  # fmt: skip


def _number(key: str) -> int:
    """The number that a key such as "p12" names, 0 for any other."""
    return int(key[1:]) if key[:1] == "p" and key[1:].isdigit() else 0
