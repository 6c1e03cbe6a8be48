"""Photos and faces: lists, one by one, and their pictures."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import numpy as np
from fastapi import Path, Query, Request
from fastapi.responses import Response
from numpy.typing import NDArray

from facesearch.recognition.identify import largest_first
from facesearch.service.pictures import (
    CROP_SIDES,
    THUMBNAIL_SIDES,
    PictureCache,
    crop_name,
    cut_square,
    cut_thumbnail,
    decode_side,
    original_name,
    thumbnail_name,
)
from facesearch.service.routes.access import (
    RoleRouter,
    Served,
    Service,
    Snapshot,
    face_row_of,
    forbid_keeping,
    person_of,
)
from facesearch.service.routes.people import Wanted
from facesearch.service.server.byte_ranges import OpenFileResponse, requested_range
from facesearch.service.server.problems import NotModifiedError, ProblemError, missing
from facesearch.service.shapes.common import UnsearchedView
from facesearch.service.shapes.people import NearPeople
from facesearch.service.shapes.photos import FaceSummary, PhotoDetail, PhotoPage, PhotoView
from facesearch.service.shapes.search import FaceMatch, FaceNeighbours
from facesearch.service.stored_photos import decoded_photo, opened_original
from facesearch.service.views.nearest import near_face, neighbours_of
from facesearch.service.views.paging import WantedPage, page_of
from facesearch.service.views.photo_columns import PhotoColumns
from facesearch.service.views.snapshot import GallerySnapshot
from indexer.id_lookup import contained, distinct

viewing = RoleRouter("view", "photos")
ROUTERS = (viewing,)

RecordKey = Annotated[int, Path(ge=0, le=2**63 - 1)]
Day = Annotated[str | None, Query(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")]
_PEOPLE = re.compile(r"p[0-9]{1,15}(,p[0-9]{1,15}){0,19}")
_IMAGE: dict[int | str, dict[str, object]] = {200: {"content": {"image/jpeg": {}}}}
# Pictures never change, but must not outlive for long in browsers those who were forgotten.
_A_DAY = "private, max-age=86400, immutable"
_LOOKED_AT = "private, no-cache"


@viewing.get("/galleries/{gallery}/photos")
def list_photos(
    snapshot: Snapshot,
    wanted: Wanted,
    people: Annotated[str | None, Query(max_length=400, pattern=_PEOPLE.pattern)] = None,
    folder: Annotated[str | None, Query(max_length=4096)] = None,
    month: Annotated[str | None, Query(pattern=r"^([0-9]{4}-[0-9]{2}|undated)$")] = None,
    since: Annotated[Day, Query(alias="from")] = None,
    until: Annotated[Day, Query(alias="to")] = None,
    status: Literal["ok", "failed", "faceless"] = "ok",
    nobody: bool = False,
    order: Literal["time", "-time", "name"] = "-time",
) -> PhotoPage:
    """Photos in which all ``people`` are, in a folder or below it, of a time, and so on."""
    if status == "failed":
        return _failed_page(snapshot, folder, wanted)
    numbers = tuple(person_of(snapshot, key).id for key in people.split(",")) if people else ()
    photos = snapshot.photos

    def make() -> NDArray[np.int64]:
        rows = snapshot.photo_rows_with(list(numbers))
        if status == "faceless":
            rows = rows[photos.faces[rows] == 0]
        if nobody:
            without = distinct(snapshot.photo_of_face_rows(snapshot.faces_of_label(-1)))
            rows = rows[contained(rows, without)]
        if folder:
            rows = rows[photos.within(folder)[rows]]
        rows = rows[_within(photos.taken[rows], month, since, until)]
        return _in_order(photos, rows, order)

    asked = ("photos", order, numbers, folder, month, since, until, status, nobody)
    return _photo_page(snapshot, snapshot.orders.rows(asked, make), order, wanted)


def _within(
    taken: NDArray[np.bytes_], month: str | None, since: str | None, until: str | None
) -> NDArray[np.bool_]:
    """Which times are in a month, and from one day to another, both included."""
    kept = np.ones(len(taken), bool)
    if month == "undated":
        return np.asarray(taken == b"", bool)
    for given, least in ((month, True), (month, False), (since, True), (until, False)):
        if given is not None:
            cut = taken.astype(f"S{len(given)}")
            bound = given.encode()
            kept &= (cut >= bound if least else cut <= bound) & (taken != b"")
    return kept


def _in_order(photos: PhotoColumns, rows: NDArray[np.int64], order: str) -> NDArray[np.int64]:
    """``rows`` in ``order``: what all rows are in it, without the others."""
    if order == "name":
        ordered = photos.by_name
    else:
        ordered = photos.by_time if order == "time" else photos.newest_first
    if len(rows) == len(ordered):
        return ordered
    kept = np.zeros(len(photos), bool)
    kept[rows] = True
    return ordered[kept[ordered]]


def _photo_page(
    snapshot: GallerySnapshot, ordered: memoryview, order: str, wanted: WantedPage
) -> PhotoPage:
    photos = snapshot.photos

    def key(row: int) -> tuple[object, ...]:
        name, number = photos.names[row], int(photos.ids[row])
        if order == "name":
            return name, number
        time = photos.taken[row].decode()
        return not time, time.translate(_BACKWARDS) if order == "-time" else time, name, number

    page = page_of(ordered, key, wanted)
    return PhotoPage(
        photos=[PhotoView.of(snapshot, row) for row in page.items],
        next=page.following,
        total=page.total,
    )


# Later times first: each digit is taken for what it lacks to 9.
_BACKWARDS = str.maketrans("0123456789", "9876543210")


def _failed_page(snapshot: GallerySnapshot, folder: str | None, wanted: WantedPage) -> PhotoPage:
    named = snapshot.failed
    if folder:
        below = f"{folder}/"
        named = [each for each in named if each[0].startswith(below)]
    page = page_of(named, lambda each: (each[0], each[1].photo_id), wanted)
    return PhotoPage(
        photos=[PhotoView.failed(name, record) for name, record in page.items],
        next=page.following,
        total=page.total,
    )


@viewing.get("/galleries/{gallery}/photos/{photo}")
def show_photo(snapshot: Snapshot, photo: RecordKey) -> PhotoDetail:
    """A photo and its faces."""
    row = photo_row_of(snapshot, photo)
    photos, table = snapshot.photos, snapshot.view.state.log.photos
    faces = photos.faces_of(row)
    boxes = [tuple(box) for box in snapshot.faces.box[faces].tolist()]
    state = snapshot.view.state
    places = np.flatnonzero(state.log.newest & (state.log.holder == photos.held[row]))
    return PhotoDetail(
        **dict(PhotoView.of(snapshot, row)),
        locations=[photos.name_of_record(table.record(place)) for place in places.tolist()],
        found=[FaceSummary.of(snapshot, int(faces[each])) for each in largest_first(boxes)],
    )


@viewing.get(
    "/galleries/{gallery}/photos/{photo}/thumbnail", response_class=Response, responses=_IMAGE
)
def show_thumbnail(
    request: Request,
    service: Service,
    served: Served,
    photo: RecordKey,
    size: Annotated[int, Query(json_schema_extra={"enum": [*THUMBNAIL_SIDES]})] = 640,
    face: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> Response:
    """A small picture of a photo, ``size`` pixels long, upright, without the file's metadata.

    Of a video, the still that ``face`` is in, or its first one.
    """
    _require_size(size, THUMBNAIL_SIDES)
    snapshot = served.snapshot()
    row = photo_row_of(snapshot, photo)
    record = snapshot.photos.record(row)
    still = snapshot.photos.still_of(row)
    if face is not None and still >= 0:
        still = snapshot.faces.still(face_row_of_photo(snapshot, face, row))
    name = thumbnail_name(record.sha256, size, still)
    _require_modified(request, name)
    cache = PictureCache(served.gallery, service.options.picture_bytes)
    data = cache.get(name)
    if data is None:
        stamp = cache.stamp()
        data = cut_thumbnail(decoded_photo(service, snapshot, row, still, size), size)
        cache.put(name, data, stamp)
        service.pruner.kept(cache)
    return _picture(data, name)


@viewing.get(
    "/galleries/{gallery}/photos/{photo}/original",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {}, "video/*": {}}},
        206: {"description": "A range of its bytes", "content": {"image/*": {}, "video/*": {}}},
    },
)
def show_original(request: Request, snapshot: Snapshot, photo: RecordKey) -> Response:
    """The file of a photo or video as it is, if a browser can show it; whole, or the range of its
    bytes that the header ``Range`` asks for."""
    row = photo_row_of(snapshot, photo)
    tag = f'"{original_name(snapshot.photos.record(row).sha256)}"'
    headers = {"Content-Disposition": "inline", "Cache-Control": _LOOKED_AT, "ETag": tag}
    original = opened_original(snapshot, row)
    try:
        if tag in request.headers.get("if-none-match", ""):
            raise NotModifiedError(headers)
        part = requested_range(request, original.size, tag)
    except BaseException:
        original.file.close()
        raise
    return OpenFileResponse(original.file, original.size, part, original.media_type, headers)


@viewing.get("/galleries/{gallery}/faces/{face}")
def show_face(snapshot: Snapshot, face: RecordKey) -> FaceSummary:
    """One face."""
    return FaceSummary.of(snapshot, face_row_of(snapshot, face))


@viewing.get("/galleries/{gallery}/faces/{face}/crop", response_class=Response, responses=_IMAGE)
def show_crop(
    request: Request,
    service: Service,
    served: Served,
    face: RecordKey,
    size: Annotated[int, Query(json_schema_extra={"enum": [*CROP_SIDES]})] = 160,
) -> Response:
    """The square around a face with its margin, ``size`` pixels a side."""
    _require_size(size, CROP_SIDES)
    snapshot = served.snapshot()
    row = face_row_of(snapshot, face)
    photos = snapshot.photos
    (photo_row,) = photos.rows_of(snapshot.faces.photo[row : row + 1]).tolist()
    record = photos.record(photo_row)
    box = _box(snapshot, row)
    still = snapshot.faces.still(row)
    name = crop_name(record.sha256, box, size, still)
    _require_modified(request, name)
    cache = PictureCache(served.gallery, service.options.picture_bytes)
    data = cache.get(name)
    if data is None:
        stamp = cache.stamp()
        side = decode_side(box, photos.size(photo_row), size)
        data = cut_square(decoded_photo(service, snapshot, photo_row, still, side), box, size)
        cache.put(name, data, stamp)
        service.pruner.kept(cache)
    return _picture(data, name)


@viewing.get("/galleries/{gallery}/faces/{face}/candidates")
def list_candidates(
    response: Response,
    served: Served,
    snapshot: Snapshot,
    face: RecordKey,
    limit: Annotated[int, Query(ge=1, le=50)] = 8,
) -> NearPeople:
    """Who a face may be: the people that are nearest to it."""
    face_row_of(snapshot, face)
    found = near_face(served, snapshot, face, limit)
    forbid_keeping(response, found.unsearched)
    return found


@viewing.get("/galleries/{gallery}/faces/{face}/neighbours")
def list_neighbours(
    response: Response,
    served: Served,
    snapshot: Snapshot,
    face: RecordKey,
    k: Annotated[int, Query(ge=1, le=500)] = 50,
) -> FaceNeighbours:
    """The faces that are nearest to a face, without itself."""
    face_row_of(snapshot, face)
    result = neighbours_of(snapshot, served.gallery.vectors(np.array([face], np.int64)), k + 1)
    found = result.neighbours
    forbid_keeping(response, result.unsearched)
    rows = snapshot.faces.rows_of(found.ids[0])
    return FaceNeighbours(
        matches=[
            FaceMatch.of(snapshot, row, distance)
            for row, other, distance in zip(
                rows.tolist(), found.ids[0].tolist(), found.distances[0].tolist(), strict=True
            )
            if row >= 0 and other != face
        ][:k],
        unsearched=UnsearchedView.of_all(result.unsearched),
    )


def _box(snapshot: GallerySnapshot, row: int) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = map(float, snapshot.faces.box[row])
    return x0, y0, x1, y1


def photo_row_of(snapshot: GallerySnapshot, photo: int) -> int:
    """The row of a photo that is there."""
    (row,) = snapshot.photos.rows_of(np.array([photo], np.int64)).tolist()
    if row < 0:
        raise missing("no-such-photo", f"photo {photo}")
    return int(row)


def face_row_of_photo(snapshot: GallerySnapshot, face: int, photo_row: int) -> int:
    """The row of a face that is in a photo."""
    row = face_row_of(snapshot, face)
    if row not in snapshot.photos.faces_of(photo_row):
        raise missing("no-such-face", f"face {face} in this photo")
    return row


def _require_size(size: int, sizes: tuple[int, ...]) -> None:
    if size not in sizes:
        expected = ", ".join(map(str, sizes))
        raise ProblemError(422, "invalid", f"Expected a size of {expected}, got {size}.")


def _require_modified(request: Request, name: str) -> None:
    if f'"{name}"' in request.headers.get("if-none-match", ""):
        raise NotModifiedError({"ETag": f'"{name}"', "Cache-Control": _A_DAY})


def _picture(data: bytes, name: str) -> Response:
    return Response(
        data,
        media_type="image/jpeg",
        headers={"ETag": f'"{name}"', "Cache-Control": _A_DAY},
    )
