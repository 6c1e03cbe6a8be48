"""What is sent to stay: photos by which people are enrolled, and faces drawn by hand."""

from __future__ import annotations

import shutil
from typing import Annotated

from fastapi import File, Form, Response, UploadFile

from facesearch.curation.drawn_face import add_drawn_face
from facesearch.curation.editor import EditResult, PeopleEditor
from facesearch.engine import DECODE_SIDE
from facesearch.errors import InputError
from facesearch.people.store import normalise_name
from facesearch.service.routes.access import (
    Decider,
    RoleRouter,
    Served,
    Service,
    face_row_of,
    person_of,
)
from facesearch.service.routes.decisions import Desk
from facesearch.service.routes.jobs import started
from facesearch.service.routes.photos import RecordKey, photo_row_of
from facesearch.service.routes.probes import require_few
from facesearch.service.server.problems import ProblemError
from facesearch.service.shapes.decisions import DrawnFaceResult
from facesearch.service.shapes.jobs import JobView
from facesearch.service.shapes.photos import DrawnFace, FaceSummary
from facesearch.service.stored_photos import decoded_photo, place_of_photo
from facesearch.service.uploads import keep_upload, kept_upload_folder
from facesearch.service.views.snapshot import GallerySnapshot
from facesearch.video.reader import is_video

deciding = RoleRouter("decide", "enrolment")
ROUTERS = (deciding,)


@deciding.post("/galleries/{gallery}/enrol", status_code=202)
def enrol(
    response: Response,
    service: Service,
    served: Served,
    caller: Decider,
    name: Annotated[str, Form(min_length=1, max_length=200)],
    photo: Annotated[list[UploadFile], File()],
) -> JobView:
    """Add photos to the gallery, and give a name to the largest face of each.

    They are kept in a folder beside the gallery.
    """
    require_few(service, len(photo))
    wanted = normalise_name(name)
    folder = kept_upload_folder(served)
    try:
        places = [keep_upload(service, folder, each) for each in photo]
    except ProblemError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if not places:
        raise InputError("expected photos of the person, got none; send one or more")
    arguments = {"name": wanted, "photos": [str(place) for place in places]}
    job = service.jobs.add(served.id, "enrol", caller.name, arguments)
    return started(response, service.job_view(job, caller.role))


@deciding.post("/galleries/{gallery}/photos/{photo}/faces", status_code=201)
def draw_face(
    service: Service,
    served: Served,
    desk: Desk,
    photo: RecordKey,
    body: DrawnFace,
) -> DrawnFaceResult:
    """Add a face that was missed, at a place in a photo; and say whose it is, if that is known."""
    snapshot = served.refresh()
    row = photo_row_of(snapshot, photo)
    if body.person is not None:
        person_of(snapshot, body.person)
    name = None if body.name is None else normalise_name(body.name)
    if is_video(place_of_photo(snapshot, row)):
        raise ProblemError(
            409, "refused", "Faces can be drawn in photos, and this is a video.",
            "Make a photo of the frame, and index that.",
        )  # fmt: skip
    engine = served.engine
    decoded = decoded_photo(service, snapshot, row, -1, DECODE_SIDE)
    with service.engine_turns:
        face = add_drawn_face(served.gallery, engine, photo, body.box, decoded)

    def act(editor: PeopleEditor, now: GallerySnapshot) -> EditResult:
        if body.person is not None:
            return editor.add(person_of(now, body.person), [face])
        known = editor.decided.named(name or "")
        return editor.make_person([face], name) if known is None else editor.add(known, [face])

    decided = desk(body).decide(act) if body.person is not None or name is not None else None
    after = served.refresh()
    return DrawnFaceResult(face=FaceSummary.of(after, face_row_of(after, face)), decision=decided)
