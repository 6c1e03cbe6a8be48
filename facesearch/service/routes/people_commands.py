"""Answers about people for the commands of this machine's user: as they make them themselves."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from facesearch.curation.documents import (
    entered_document,
    faces_document,
    history_document,
    people_document,
    suggestions_document,
    undo_document,
)
from facesearch.curation.people_lists import decision_statuses, people_list, person_with_faces
from facesearch.curation.people_reader import PeopleReader
from facesearch.curation.suggestions import about_person
from facesearch.curation.typed_decisions import TypedAction, TypedDecision
from facesearch.curation.undo_preview import preview_undo
from facesearch.people.decision_words import in_words
from facesearch.people.store import PeopleStore
from facesearch.service.decisions.desk import DecisionDesk, DecisionRequest
from facesearch.service.routes.access import Administrator, RoleRouter, Served, Service
from facesearch.service.routes.commands import JSON_ANSWER, json_answer
from facesearch.service.shapes.common import Shape
from facesearch.service.views.served_gallery import ServedGallery

administering = RoleRouter("administer", "commands")
ROUTERS = (administering,)

Typed = Annotated[str, Field(max_length=4096)]
PATH = "/galleries/{gallery}/commands/people"


class ListCommand(Shape):
    """Whether to list those who are ``hidden`` too."""

    hidden: bool = False


class ShowCommand(Shape):
    """Whose faces, and whether only those that nobody confirmed."""

    person: Typed
    unsure: bool = False


class SuggestionsCommand(Shape):
    """About whom, if not about all."""

    person: Typed | None = None


class EnrolledCommand(Shape):
    """Nothing: all who have a name are counted."""


class HistoryCommand(Shape):
    """Nothing: all decisions are listed."""


class DecideCommand(Shape):
    """A decision as it is typed: people by name or number, faces by number or photo."""

    action: TypedAction
    person: Typed = ""
    others: list[Typed] = Field(default=[], max_length=10_000)
    faces: list[Typed] = Field(default=[], max_length=100_000)
    name: Typed | None = None


class UndoCommand(Shape):
    """Whether only to say what an undo would change; and of which decision, if not of any."""

    dry_run: bool
    decision: Annotated[int, Field(ge=1, le=2**53)] | None = None


@administering.post(f"{PATH}/list", response_class=Response, responses=JSON_ANSWER)
def list_for_command(served: Served, body: ListCommand) -> Response:
    """What the command people list prints."""
    return json_answer(people_document(people_list(_reader(served), hidden=body.hidden)))


@administering.post(f"{PATH}/show", response_class=Response, responses=JSON_ANSWER)
def show_for_command(served: Served, body: ShowCommand) -> Response:
    """What the command people show prints."""
    found = person_with_faces(_reader(served), body.person, unsure=body.unsure)
    return json_answer(faces_document(found))


@administering.post(f"{PATH}/enrolled", response_class=Response, responses=JSON_ANSWER)
def count_enrolled_for_command(served: Served, body: EnrolledCommand) -> Response:
    """How many people can be identified; refused where nobody can, as the command identify is."""
    return json_answer({"people": len(served.session.people)})


@administering.post(f"{PATH}/suggestions", response_class=Response, responses=JSON_ANSWER)
def list_suggestions_for_command(
    service: Service, served: Served, body: SuggestionsCommand
) -> Response:
    """What the command people suggestions prints, or that it is being made: then ask again."""
    snapshot = served.refresh()
    reader = PeopleReader(served.gallery, snapshot.view.state, snapshot.view.known_people)
    person = None if body.person is None else reader.find(body.person)
    found = service.suggestions(served).listed(snapshot)
    if found is None:
        return json_answer({"computing": True})
    return json_answer({"suggestions": suggestions_document(about_person(found, person))})


@administering.post(f"{PATH}/history", response_class=Response, responses=JSON_ANSWER)
def list_decisions_for_command(served: Served, body: HistoryCommand) -> Response:
    """What the command people history prints."""
    view = served.refresh().view
    listed = decision_statuses(view.decisions, view.state.live_ids())
    return json_answer(history_document(listed))


@administering.post(f"{PATH}/decide", response_class=Response, responses=JSON_ANSWER)
def decide_for_command(
    request: Request, service: Service, served: Served, caller: Administrator, body: DecideCommand
) -> Response:
    """What a command that decides about people prints."""
    typed = TypedDecision(
        body.action, body.person, tuple(body.others), tuple(body.faces), body.name
    )
    desk = DecisionDesk(service, served, DecisionRequest.of(service, caller, request, ""))
    with desk.turn() as snapshot:
        editor = desk.editor(snapshot)
        document = entered_document(editor, typed, typed.enter(editor))
    return _decided(served, document)


@administering.post(f"{PATH}/undo", response_class=Response, responses=JSON_ANSWER)
def undo_for_command(
    request: Request, service: Service, served: Served, caller: Administrator, body: UndoCommand
) -> Response:
    """What the command people undo prints."""
    desk = DecisionDesk(service, served, DecisionRequest.of(service, caller, request, ""))
    with desk.turn() as snapshot:
        found = preview_undo(served.gallery, body.decision)
        words = in_words(PeopleStore(served.folder).decisions())
        if not body.dry_run:
            desk.editor(snapshot).undo(found.decisions[0].batch)
    return _decided(served, undo_document(found, words, dry_run=body.dry_run))


def _reader(served: ServedGallery) -> PeopleReader:
    """The people as they are on the disk now, without reading them again."""
    view = served.refresh().view
    return PeopleReader(served.gallery, view.state, view.known_people)


def _decided(served: ServedGallery, document: dict[str, Any]) -> Response:
    """The answer to a decision; pages hear of it soon."""
    served.look()
    return json_answer({**document, "folder": str(served.folder)})
