"""Suggested corrections, one answer each."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import Path

from facesearch.curation.editor import PeopleEditor
from facesearch.service.decisions.answers import Outcome, answer_suggestion
from facesearch.service.decisions.suggestions import Kind, SuggestedCorrection, is_postponed
from facesearch.service.routes.access import RoleRouter, Served, Service
from facesearch.service.routes.decisions import Desk
from facesearch.service.routes.people import Wanted
from facesearch.service.server.problems import missing
from facesearch.service.shapes.decisions import (
    DecisionResult,
    SuggestionAnswer,
    SuggestionPage,
    SuggestionView,
)
from facesearch.service.shapes.people import PersonSummary
from facesearch.service.views.paging import page_of
from facesearch.service.views.snapshot import GallerySnapshot
from indexer.id_lookup import contained

viewing = RoleRouter("view", "suggestions")
deciding = RoleRouter("decide", "suggestions")
ROUTERS = (viewing, deciding)

_EXAMPLES = 4


@viewing.get("/galleries/{gallery}/suggestions")
def list_suggestions(
    service: Service, served: Served, wanted: Wanted, kind: Kind | None = None
) -> SuggestionPage:
    """What is worth a look, the most useful first. A cursor of before new ones were made begins
    again with these."""
    snapshot = served.snapshot()
    suggestions = service.suggestions(served)
    made_at = suggestions.made_at
    found = [each for each in suggestions.current(snapshot) if kind in (None, each.kind)]
    page = page_of(found, lambda each: (made_at, is_postponed(each, snapshot), each.place), wanted)
    return SuggestionPage(
        suggestions=[_view(snapshot, each) for each in page.items],
        next=page.following,
        total=page.total,
        stale=suggestions.is_stale(snapshot),
        computing=suggestions.computing,
    )


@deciding.post("/galleries/{gallery}/suggestions/{suggestion}")
def answer(
    service: Service,
    served: Served,
    desk: Desk,
    suggestion: Annotated[str, Path(max_length=100)],
    body: SuggestionAnswer,
) -> DecisionResult:
    """Answer one; "later" puts it after all others."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> Outcome:
        found = _found(service, served, snapshot, suggestion)
        return answer_suggestion(editor, snapshot, found, body.answer)

    return desk(body).decide(act)


def _found(
    service: Service, served: Served, snapshot: GallerySnapshot, suggestion: str
) -> SuggestedCorrection:
    found = service.suggestions(served).find(snapshot, suggestion)
    if found is None:
        raise missing(
            "no-such-suggestion", "such suggestion any more", "Load the suggestions again."
        )
    return found


def _view(snapshot: GallerySnapshot, each: SuggestedCorrection) -> SuggestionView:
    rows = [snapshot.row_of_person[number] for number in each.people
            if number in snapshot.row_of_person]  # fmt: skip
    return SuggestionView(
        id=each.id,
        kind=each.kind,
        people=[PersonSummary.of(snapshot, row) for row in rows],
        faces=list(each.faces),
        probability=round(each.probability, 4),
        postponed=is_postponed(each, snapshot),
        examples=[_surest(snapshot, row.person.id, each.faces) for row in rows],
    )


def _surest(snapshot: GallerySnapshot, number: int, without: tuple[int, ...]) -> list[int]:
    """A few faces of a person that are surely theirs."""
    rows = snapshot.faces_of(number)
    rows = rows[~contained(snapshot.faces.ids[rows], np.array(without, np.int64))]
    order = np.lexsort((snapshot.faces.ids[rows], -snapshot.sureness[rows]))
    found: list[int] = snapshot.faces.ids[rows[order[:_EXAMPLES]]].tolist()
    return found
