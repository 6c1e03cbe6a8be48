"""Decisions about people: who is who, and taking it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import BaseModel

from facesearch.curation.editor import EditResult, PeopleEditor
from facesearch.curation.undo_preview import preview_undo
from facesearch.people.ledger import Decision
from facesearch.people.projection import Person
from facesearch.people.store import EnteredDecisions, normalise_name
from facesearch.service.decisions.desk import DecisionDesk, DecisionRequest
from facesearch.service.routes.access import (
    Decider,
    RoleRouter,
    Served,
    Service,
    Snapshot,
    face_row_of,
    person_of,
)
from facesearch.service.routes.people import Wanted
from facesearch.service.server.problems import ProblemError
from facesearch.service.shapes.decisions import (
    ConfirmRequest,
    DecisionPage,
    DecisionResult,
    DecisionView,
    FacesRequest,
    MergeRequest,
    MoveView,
    NameRequest,
    SeparateRequest,
    SplitRequest,
    SupersededView,
    UndoPreviewView,
    UndoRequest,
)
from facesearch.service.shapes.people import CoverChoice, PersonKey, PersonSummary
from facesearch.service.views.paging import page_of
from facesearch.service.views.snapshot import GallerySnapshot

viewing = RoleRouter("view", "decisions")
deciding = RoleRouter("decide", "decisions")
ROUTERS = (viewing, deciding)

Desks = Callable[[BaseModel | None], DecisionDesk]


def desk_maker(request: Request, service: Service, served: Served, caller: Decider) -> Desks:
    """Makes the desk for a request with a body."""

    def make(body: BaseModel | None) -> DecisionDesk:
        text = "" if body is None else body.model_dump_json()
        return DecisionDesk(service, served, DecisionRequest.of(service, caller, request, text))

    return make


Desk = Annotated[Desks, Depends(desk_maker)]


@deciding.post("/galleries/{gallery}/people/{person}/name")
def name_person(desk: Desk, person: PersonKey, body: NameRequest) -> DecisionResult:
    """Name or rename a person."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        _require_free(editor, body.name, person_of(snapshot, person))
        return editor.name(person_of(snapshot, person), body.name)

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/people/{person}/merge")
def merge_people(desk: Desk, person: PersonKey, body: MergeRequest) -> DecisionResult:
    """Say that others are this person."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        others = [person_of(snapshot, each) for each in body.others]
        return editor.merge(person_of(snapshot, person), others)

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/people/{person}/split")
def split_person(desk: Desk, person: PersonKey, body: SplitRequest) -> DecisionResult:
    """Move faces of a person to a new person, who is the person of the answer."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        one = person_of(snapshot, person)
        _require_faces_of(snapshot, one, body.faces)
        if body.name is not None:
            _require_free(editor, body.name, None)
        return editor.split(one, body.faces, body.name)

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/people/{person}/add")
def add_faces(desk: Desk, person: PersonKey, body: FacesRequest) -> DecisionResult:
    """Assign faces to a person, whoever had them."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        for face in body.faces:
            face_row_of(snapshot, face)
        return editor.add(person_of(snapshot, person), body.faces)

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/people/{person}/reject")
def reject_faces(desk: Desk, person: PersonKey, body: FacesRequest) -> DecisionResult:
    """Say that faces are not this person."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        one = person_of(snapshot, person)
        _require_faces_of(snapshot, one, body.faces)
        return editor.reject(one, body.faces)

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/people/{person}/confirm")
def confirm_faces(desk: Desk, person: PersonKey, body: ConfirmRequest) -> DecisionResult:
    """Say that faces of a person are right, by default all."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        one = person_of(snapshot, person)
        if body.faces is not None:
            _require_faces_of(snapshot, one, body.faces)
        return editor.confirm(one, body.faces)

    return desk(body).decide(act)


@deciding.put("/galleries/{gallery}/people/{person}/cover")
def choose_cover(desk: Desk, person: PersonKey, body: CoverChoice) -> DecisionResult:
    """Let a face of a person stand for them; it is confirmed."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        one = person_of(snapshot, person)
        _require_faces_of(snapshot, one, [body.face])
        return editor.cover(one, body.face)

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/people/{person}/hide")
def hide_person(desk: Desk, person: PersonKey) -> DecisionResult:
    """Leave a person out of lists and albums."""
    return desk(None).decide(lambda editor, snapshot: editor.hide(person_of(snapshot, person)))


@deciding.post("/galleries/{gallery}/people/{person}/unhide")
def unhide_person(desk: Desk, person: PersonKey) -> DecisionResult:
    """Show a hidden person again."""
    return desk(None).decide(
        lambda editor, snapshot: editor.hide(person_of(snapshot, person), hidden=False)
    )


@deciding.post("/galleries/{gallery}/people/{person}/separate")
def separate_people(desk: Desk, person: PersonKey, body: SeparateRequest) -> DecisionResult:
    """Say that another person is not this one, and is not to be suggested again."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        return editor.apart(person_of(snapshot, person), person_of(snapshot, body.other))

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/faces/not-a-face")
def discard_faces(desk: Desk, body: FacesRequest) -> DecisionResult:
    """Say that what was found is no face: it is of nobody, and shown nowhere."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EnteredDecisions:
        for face in body.faces:
            face_row_of(snapshot, face)
        return editor.not_faces(body.faces)

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/people", status_code=201)
def make_person(desk: Desk, body: SplitRequest) -> DecisionResult:
    """A new person of faces, of nobody's or of others', with or without a name."""

    def act(editor: PeopleEditor, snapshot: GallerySnapshot) -> EditResult:
        for face in body.faces:
            face_row_of(snapshot, face)
        if body.name is not None:
            _require_free(editor, body.name, None)
        return editor.make_person(body.faces, body.name)

    return desk(body).decide(act)


@deciding.post("/galleries/{gallery}/undo")
def undo(desk: Desk, body: UndoRequest) -> DecisionResult:
    """Take back what was decided last."""
    return desk(body).undo(body.batch)


@viewing.get("/galleries/{gallery}/undo")
def show_undo(served: Served, snapshot: Snapshot) -> UndoPreviewView:
    """What an undo would take back, and which faces would move."""
    if not any(each.action != "undo" for each in snapshot.view.decisions):
        raise ProblemError(
            404, "nothing-to-undo", "There is no decision left to undo.", "Nothing is to be done."
        )
    found = preview_undo(served.gallery)
    return UndoPreviewView(
        batch=found.decisions[0].batch,
        decisions=DecisionView.all_of(snapshot, found.decisions),
        again=SupersededView.all_of(snapshot, found.again),
        moves=[
            MoveView(
                source=None
                if each.source is None
                else PersonSummary.of_person(snapshot, each.source),
                target=None
                if each.target is None
                else PersonSummary.of_person(snapshot, each.target),
                faces=each.faces,
            )
            for each in found.moves
        ],
    )


@viewing.get("/galleries/{gallery}/history")
def list_history(
    snapshot: Snapshot,
    wanted: Wanted,
    person: Annotated[PersonKey | None, Query()] = None,
) -> DecisionPage:
    """All decisions, or those about a person, newest first."""
    decisions: Sequence[Decision] = snapshot.view.decisions[::-1]
    if person is not None:
        decisions = _about(snapshot, decisions, int(person[1:]))
    page = page_of(decisions, lambda each: (-each.id,), wanted)
    return DecisionPage(
        decisions=DecisionView.all_of(snapshot, page.items),
        next=page.following,
        total=page.total,
    )


def _about(snapshot: GallerySnapshot, decisions: Sequence[Decision], number: int) -> list[Decision]:
    """Those that name a person, or somebody who was merged into that one, and their undoing."""
    merged = snapshot.view.decided.merged
    number = merged.get(number, number)
    numbers = {number, *(gone for gone, now in merged.items() if now == number)}
    found = [
        each for each in decisions if each.action != "undo" and {each.person, each.other} & numbers
    ]
    batches = {each.batch for each in found}
    undone = [each for each in decisions if each.action == "undo" and each.other in batches]
    return sorted([*found, *undone], key=lambda each: -each.id)


def _summary(snapshot: GallerySnapshot, person: Person | None) -> PersonSummary | None:
    return None if person is None else PersonSummary.of_person(snapshot, person)


def _require_free(editor: PeopleEditor, name: str, person: Person | None) -> None:
    """That nobody else has ``name``: who has it is in the answer, to be merged with."""
    other = editor.decided.named(normalise_name(name))
    if other is not None and (person is None or other.id != person.id):
        raise ProblemError(
            409,
            "name-taken",
            f"{other.label} is the name of {other.key}.",
            "Merge them if they are the same person, or give another name.",
            {"person": other.key},
        )


def _require_faces_of(snapshot: GallerySnapshot, person: Person, faces: list[int]) -> None:
    for face in faces:
        whose = snapshot.person_of_row(face_row_of(snapshot, face))
        if whose is None or whose.id != person.id:
            raise ProblemError(
                409,
                "changed",
                f"Expected faces of {person.label}; face {face} is "
                f"{'of nobody' if whose is None else 'of ' + whose.label}.",
                "Load their faces again.",
            )
