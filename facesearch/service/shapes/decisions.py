"""Decisions and what came of them, as they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from facesearch.people.ledger import Decision
from facesearch.people.projection import undone_batches
from facesearch.people.superseded import Superseded
from facesearch.service.decisions.suggestions import Kind
from facesearch.service.shapes.common import PersonKeyText, RecordId, Shape
from facesearch.service.shapes.galleries import UndoView
from facesearch.service.shapes.people import PersonSummary
from facesearch.service.shapes.photos import FaceSummary
from facesearch.service.views.snapshot import GallerySnapshot

FaceIds = Annotated[list[RecordId], Field(min_length=1, max_length=10_000)]
PersonName = Annotated[str, Field(min_length=1, max_length=200)]


class DecisionView(Shape):
    """An entry of the ledger; ``by`` is None where it was made by a command on the machine."""

    id: int
    batch: int
    at: str
    by: str | None
    action: str
    text: str
    undone: bool
    person: str | None
    other: str | None
    name: str | None
    faces: int

    @classmethod
    def of(
        cls, snapshot: GallerySnapshot, decision: Decision, undone: frozenset[int]
    ) -> DecisionView:
        """``decision`` in words, which ``undone`` batches no longer apply."""
        author = snapshot.authors.get(decision.batch)
        other = decision.other if decision.action != "undo" else None
        return cls(
            id=decision.id,
            batch=decision.batch,
            at=decision.created_at,
            by=None if author is None else author.name,
            action=decision.action,
            text=snapshot.words[decision.id],
            undone=decision.batch in undone,
            person=f"p{decision.person}" if decision.person else None,
            other=None if other is None else f"p{other}",
            name=decision.name,
            faces=len(decision.faces),
        )

    @classmethod
    def all_of(cls, snapshot: GallerySnapshot, decisions: Iterable[Decision]) -> list[DecisionView]:
        """Several, in their order."""
        undone = undone_batches(snapshot.view.decisions)
        return [cls.of(snapshot, each, undone) for each in decisions]


class SupersededView(Shape):
    """An earlier decision that no longer applies to ``faces``, or at all where there are none."""

    decision: int
    text: str
    faces: list[RecordId]

    @classmethod
    def all_of(
        cls, snapshot: GallerySnapshot, superseded: Iterable[Superseded]
    ) -> list[SupersededView]:
        """Several, in their order."""
        return [
            cls(
                decision=each.decision.id,
                text=snapshot.words.get(each.decision.id, ""),
                faces=list(each.faces),
            )
            for each in superseded
        ]


class DecisionResult(Shape):
    """What was entered, and the ``version`` of the gallery that has it."""

    version: str
    person: PersonSummary | None
    decisions: list[DecisionView]
    superseded: list[SupersededView]
    notes: list[str]
    undo: UndoView | None


class DrawnFaceResult(Shape):
    """The face that was drawn, and the decision about it, if there was one."""

    face: FaceSummary
    decision: DecisionResult | None


class DecisionPage(Shape):
    """A page of the ledger, newest first."""

    decisions: list[DecisionView]
    next: str | None
    total: int


class MoveView(Shape):
    """How many faces an undo would move; None: nobody's."""

    source: PersonSummary | None
    target: PersonSummary | None
    faces: int


class UndoPreviewView(Shape):
    """What an undo would take back, and what would apply again."""

    batch: int
    decisions: list[DecisionView]
    again: list[SupersededView]
    moves: list[MoveView]


class NameRequest(Shape):
    """The name that a person is to have."""

    name: PersonName


class MergeRequest(Shape):
    """Who else is this person."""

    others: Annotated[list[PersonKeyText], Field(min_length=1, max_length=1000)]


class SplitRequest(Shape):
    """The faces that are another person, with a name if it is known."""

    faces: FaceIds
    name: PersonName | None = None


class FacesRequest(Shape):
    """The faces that are meant."""

    faces: FaceIds


class ConfirmRequest(Shape):
    """The faces that are right; None: all of the person."""

    faces: FaceIds | None = None


class SeparateRequest(Shape):
    """Who is another person."""

    other: PersonKeyText


class UndoRequest(Shape):
    """The batch that is expected to be undone, or None for the last whatever it is."""

    batch: int | None = None


class SuggestionView(Shape):
    """People who may be one, or two, or a face that may be another's; ``examples`` are the surest
    faces of each of them."""

    id: str
    kind: Kind
    people: list[PersonSummary]
    faces: list[RecordId]
    probability: float
    postponed: bool
    examples: list[list[RecordId]]


class SuggestionPage(Shape):
    """The most useful first; ``stale``: not all decisions are known to them yet, ``computing``:
    better ones are being made."""

    suggestions: list[SuggestionView]
    next: str | None
    total: int
    stale: bool
    computing: bool


class SuggestionAnswer(Shape):
    """What is so."""

    answer: Literal["yes", "no", "later", "not-a-face"]
