"""One decision after the other, each in the knowledge of those before, and each once however often
it is asked for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request

from facesearch.curation.editor import PeopleEditor
from facesearch.people.ledger import Decision, DecisionAuthor
from facesearch.people.projection import last_batch
from facesearch.people.store import EnteredDecisions
from facesearch.people.superseded import Superseded
from facesearch.service.auth.roles import Caller
from facesearch.service.decisions.answers import Outcome
from facesearch.service.face_service import FaceService
from facesearch.service.server.problems import ProblemError
from facesearch.service.shapes.decisions import DecisionResult, DecisionView, SupersededView
from facesearch.service.shapes.galleries import UndoView
from facesearch.service.shapes.people import PersonSummary
from facesearch.service.views.served_gallery import ServedGallery
from facesearch.service.views.snapshot import GallerySnapshot

IDEMPOTENCY_HEADER = "Idempotency-Key"
_LEAST_LETTERS, _MOST_LETTERS = 8, 200


@dataclass(frozen=True)
class DecisionRequest:
    """Who asks for a decision; ``key`` names the request and ``content`` what it asks for, or None.
    ``expected`` is the version of the gallery that the caller has seen."""

    author: str
    key: str | None
    content: str
    expected: str | None

    @classmethod
    def of(
        cls, service: FaceService, caller: Caller, request: Request, body: str
    ) -> DecisionRequest:
        """That of an HTTP request with ``body``.

        Keys and contents are kept as digests that only this service can make: names of people who
        are forgotten must not be found in them.
        """
        expected = request.headers.get("if-match")
        given = request.headers.get(IDEMPOTENCY_HEADER)
        if given is None:
            return cls(caller.name, None, "", _unquoted(expected))
        if not _LEAST_LETTERS <= len(given) <= _MOST_LETTERS:
            raise ProblemError(
                422,
                "invalid",
                f"Expected an {IDEMPOTENCY_HEADER} of {_LEAST_LETTERS} to {_MOST_LETTERS} letters.",
            )
        secret = service.database.secret("requests")
        asked = f"{caller.name}\0{request.method} {request.url.path}\0{body}"
        return cls(
            caller.name,
            _digest(secret, f"{caller.name}\0{given}"),
            _digest(secret, asked),
            _unquoted(expected),
        )

    @property
    def name(self) -> str | None:
        """What the ledger keeps of it."""
        return None if self.key is None else f"{self.key}:{self.content}"


@dataclass(frozen=True)
class DecisionDesk:
    """Where the decisions about a gallery are made, for one request."""

    service: FaceService
    served: ServedGallery
    request: DecisionRequest

    @contextmanager
    def turn(self) -> Iterator[GallerySnapshot]:
        """The gallery as it is, while nobody else decides here.

        Raises ProblemError where it is not what the caller has seen.
        """
        with self.served.deciding:
            snapshot = self.served.refresh()
            require_seen(self.request.expected, snapshot)
            yield snapshot

    def decide(self, act: Callable[[PeopleEditor, GallerySnapshot], Outcome]) -> DecisionResult:
        """Do what ``act`` does, unless the same request did it before."""
        with self.turn() as snapshot:
            if (done := self.done_before(snapshot)) is not None:
                return done
            outcome = act(self.editor(snapshot), snapshot)
            if isinstance(outcome, EnteredDecisions):
                return self.result(outcome.decisions, outcome.superseded, (), None)
            entered = outcome.entered
            return self.result(
                entered.decisions, entered.superseded, outcome.notes, outcome.person.id
            )

    def undo(self, batch: int | None) -> DecisionResult:
        """Take back the last decision, unless the same request did it before."""
        with self.turn() as snapshot:
            if (done := self.done_before(snapshot)) is not None:
                return done
            last = last_batch(snapshot.view.decisions)
            if not last:
                raise ProblemError(
                    404, "nothing-to-undo", "There is no decision left to undo.",
                    "Nothing is to be done.",
                )  # fmt: skip
            if batch not in (None, last[0].batch):
                raise ProblemError(
                    409, "changed", "Another decision is the last one now.", "Look again."
                )
            undone = self.editor(snapshot).undo(last[0].batch)
            return self.result(undone, (), (), None)

    def editor(self, snapshot: GallerySnapshot) -> PeopleEditor:
        """What enters decisions."""
        gallery, state = self.served.gallery, snapshot.view.state
        author = DecisionAuthor(self.request.author, self.request.name)
        editor = PeopleEditor(gallery, state, author, known=snapshot.view.known_people)
        if self.served.shows(snapshot):
            return editor  # which saw the clustering that the snapshot is of
        return PeopleEditor(gallery, state, author)

    def done_before(self, snapshot: GallerySnapshot) -> DecisionResult | None:
        """What the same request came to before; None where it is new."""
        if self.request.key is None:
            return None
        for batch, author in snapshot.authors.items():
            key, _, content = (author.request or "").partition(":")
            if key != self.request.key:
                continue
            if content != self.request.content:
                raise ProblemError(
                    422,
                    "invalid",
                    f"This {IDEMPOTENCY_HEADER} was used for another request.",
                    "Use a new one for each decision.",
                )
            entered = [each for each in snapshot.view.decisions if each.batch == batch]
            about = entered[-1]  # before it may be what was taken from others for it
            number = about.other if about.action == "split" else about.person
            if about.action == "undo":
                entered = [each for each in snapshot.view.decisions if each.batch == about.other]
            return self.result(entered, (), (), number)
        return None

    def result(
        self,
        decisions: Sequence[Decision],
        superseded: Sequence[Superseded],
        notes: Sequence[str],
        number: int | None,
    ) -> DecisionResult:
        """What is sent of decisions that were made, about the person ``number``."""
        snapshot = self.served.refresh()
        person = None
        if number:
            now = snapshot.view.decided.person(number)
            row = snapshot.row_of_person.get(now.id)
            person = PersonSummary.of_person(snapshot, now if row is None else row.person)
        return DecisionResult(
            version=snapshot.version,
            person=person,
            decisions=DecisionView.all_of(snapshot, decisions),
            superseded=SupersededView.all_of(snapshot, superseded),
            notes=list(notes),
            undo=undo_view(snapshot),
        )


def require_seen(expected: str | None, snapshot: GallerySnapshot) -> None:
    """That a gallery is of the version that the caller has seen, as the header If-Match names it,
    if it does; raises ProblemError (412) for another."""
    if _unquoted(expected) not in (None, "*", snapshot.version):
        raise ProblemError(
            412,
            "precondition",
            "The gallery has changed since it was looked at.",
            "Look again, then decide.",
        )


def undo_view(snapshot: GallerySnapshot) -> UndoView | None:
    """What an undo would take back; None where there is nothing."""
    last = last_batch(snapshot.view.decisions)
    if not last:
        return None
    more = f" and {len(last) - 1} more" if len(last) > 1 else ""
    return UndoView(batch=last[0].batch, text=snapshot.words[last[0].id] + more)


def _digest(secret: bytes, text: str) -> str:
    made = hmac.new(secret, text.encode("utf-8", "replace"), hashlib.sha256)
    return made.hexdigest()[:32]


def _unquoted(tag: str | None) -> str | None:
    return None if tag is None else tag.strip().removeprefix("W/").strip('"')
