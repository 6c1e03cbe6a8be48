"""People: lists of them, their faces, who resembles them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import Depends, Query
from fastapi.responses import Response

from cluster.types import NOISE
from facesearch.service.routes.access import (
    NamedPerson,
    RoleRouter,
    Served,
    Snapshot,
    forbid_keeping,
)
from facesearch.service.shapes.people import (
    NearPeople,
    PersonDetail,
    PersonPage,
    PersonSummary,
)
from facesearch.service.shapes.photos import FacePage, FaceSummary
from facesearch.service.views.face_orders import FaceOrder, face_key, ordered_faces
from facesearch.service.views.nearest import near_person
from facesearch.service.views.paging import MOST_ITEMS, WantedPage, page_of
from facesearch.service.views.person_rows import PersonRow, album_order, searched_words
from facesearch.service.views.snapshot import GallerySnapshot

viewing = RoleRouter("view", "people")
ROUTERS = (viewing,)

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS)]
Cursor = Annotated[str | None, Query(max_length=2000)]
Start = Annotated[int, Query(ge=0, le=10**9)]


def wanted_page(limit: Limit = 100, cursor: Cursor = None, start: Start = 0) -> WantedPage:
    """The part of a list that is asked for: by the cursor of the page before, or by its place."""
    return WantedPage(limit, cursor, start)


Wanted = Annotated[WantedPage, Depends(wanted_page)]

_ORDERS: dict[str, Callable[[PersonRow], tuple[object, ...]]] = {
    "faces": album_order,
    "name": lambda row: (
        row.person.name is None, (row.person.name or "").casefold(), -row.photos, row.person.id
    ),
    "recent": lambda row: (-row.decided, *album_order(row)),
}  # fmt: skip


@viewing.get("/galleries/{gallery}/people")
def list_people(
    snapshot: Snapshot,
    wanted: Wanted,
    order: Literal["faces", "name", "recent"] = "faces",
    named: bool | None = None,
    hidden: Literal["false", "true", "all"] = "false",
    q: Annotated[str, Query(max_length=200)] = "",
    least: Annotated[int, Query(ge=0, le=10**9)] = 1,
) -> PersonPage:
    """People with at least ``least`` faces. ``q``: the beginnings of words of their names."""
    words = searched_words(q)
    rows = [
        row
        for row in snapshot.ordered_rows(order, _ORDERS[order])
        if row.faces >= least
        and row.person.id > 0
        and (named is None or (row.person.name is not None) == named)
        and (hidden == "all" or row.person.hidden == (hidden == "true"))
        and (not words or _matches(row, words))
    ]
    page = page_of(rows, _ORDERS[order], wanted)
    places = range(wanted.start, len(rows))
    return PersonPage(
        people=[PersonSummary.of(snapshot, row) for row in page.items],
        next=page.following,
        total=page.total,
        unnamed=next((place for place in places if rows[place].person.name is None), None),
    )


def _matches(row: PersonRow, words: tuple[str, ...]) -> bool:
    """Whether each word is the beginning of a word of the name, or its number."""
    return all(
        word == row.person.key or any(each.startswith(word) for each in row.words) for word in words
    )


@viewing.get("/galleries/{gallery}/people/{person}")
def show_person(snapshot: Snapshot, person: NamedPerson) -> PersonDetail:
    """One person; of a number that was merged, the person it is now."""
    merged = snapshot.view.decided.merged
    return PersonDetail(
        **dict(PersonSummary.of_person(snapshot, person)),
        merged_from=[f"p{gone}" for gone, now in sorted(merged.items()) if now == person.id],
    )


@viewing.get("/galleries/{gallery}/people/{person}/faces")
def list_faces_of_person(
    snapshot: Snapshot,
    person: NamedPerson,
    wanted: Wanted,
    order: Literal["sureness", "time", "doubt"] = "sureness",
    confirmed: bool | None = None,
) -> FacePage:
    """The faces of a person, the surest first, the most doubtful first, or the earliest first."""
    label = snapshot.label_of_person.get(person.id)
    if label is None:
        return FacePage(faces=[], next=None, total=0)
    return _face_page(snapshot, ordered_faces(snapshot, label, order, confirmed), order, wanted)


@viewing.get("/galleries/{gallery}/nobody/faces")
def list_faces_of_nobody(
    snapshot: Snapshot,
    wanted: Wanted,
    order: Literal["quality", "time"] = "quality",
) -> FacePage:
    """The faces without a person, the clearest first, or the earliest first."""
    return _face_page(snapshot, ordered_faces(snapshot, NOISE, order), order, wanted)


def _face_page(
    snapshot: GallerySnapshot, rows: memoryview, order: FaceOrder, wanted: WantedPage
) -> FacePage:
    page = page_of(rows, face_key(snapshot, order), wanted)
    return FacePage(
        faces=[FaceSummary.of(snapshot, row) for row in page.items],
        next=page.following,
        total=page.total,
    )


@viewing.get("/galleries/{gallery}/people/{person}/similar")
def list_similar_people(
    response: Response,
    served: Served,
    snapshot: Snapshot,
    person: NamedPerson,
    limit: Annotated[int, Query(ge=1, le=50)] = 12,
) -> NearPeople:
    """The people who resemble a person most."""
    found = near_person(served, snapshot, person, limit)
    forbid_keeping(response, found.unsearched)
    return found
