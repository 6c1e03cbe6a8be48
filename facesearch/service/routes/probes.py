"""Questions about photos that are sent: who is this, who resembles them, are they the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import File, Query, UploadFile
from fastapi.responses import StreamingResponse

from facesearch.encoders import thresholds_in_use
from facesearch.errors import PhotoError
from facesearch.images import FoundPhoto, find_each
from facesearch.recognition.identify import Probe, compare_probes
from facesearch.service.face_service import FaceService
from facesearch.service.routes.access import RoleRouter, Served, Service
from facesearch.service.routes.jobs import require_folder
from facesearch.service.server.problems import ProblemError
from facesearch.service.shapes.common import UnsearchedView
from facesearch.service.shapes.search import (
    FoundFace,
    IdentifiedFace,
    IdentifiedPhoto,
    IdentifyFolderRequest,
    IdentifyResult,
    SearchResult,
    VerifyResult,
)
from facesearch.service.uploads import probe_of_file, probe_of_upload, unusable

asking = RoleRouter("view", "probes")
administering = RoleRouter("administer", "probes")
ROUTERS = (asking, administering)

Threshold = Annotated[float | None, Query(ge=0, le=4)]
LINES = "application/jsonl"


@asking.post("/galleries/{gallery}/search")
def search(
    service: Service,
    served: Served,
    photo: Annotated[UploadFile, File()],
    k: Annotated[int, Query(ge=1, le=500)] = 10,
) -> SearchResult:
    """The faces of the gallery that are nearest to each face of a photo."""
    try:
        probe = probe_of_upload(service, served, photo)
    except PhotoError as error:
        raise unusable(error) from error
    service.metrics.probes.labels("search").inc()
    if not probe.boxes or not len(served.snapshot().faces):
        return SearchResult(faces=[], unsearched=[])
    found = served.session.matches_of(probe, k)
    snapshot = served.snapshot()
    return SearchResult(
        faces=[FoundFace.of(snapshot, each) for each in found.faces],
        unsearched=UnsearchedView.of_all(found.unsearched),
    )


@asking.post("/galleries/{gallery}/identify")
def identify(
    service: Service,
    served: Served,
    photo: Annotated[list[UploadFile], File()],
    threshold: Threshold = None,
) -> IdentifyResult:
    """Who is in each of one or more photos, of the people who have a name."""
    require_few(service, len(photo))
    # First, so that it is said before photos are looked at.
    _ = served.session.people
    return IdentifyResult(photos=[_identified(service, served, each, threshold) for each in photo])


@administering.post(
    "/galleries/{gallery}/identify-folder",
    response_class=StreamingResponse,
    responses={
        200: {"content": {LINES: {"schema": {"$ref": "#/components/schemas/IdentifiedPhoto"}}}}
    },
)
def identify_folder(
    service: Service, served: Served, body: IdentifyFolderRequest
) -> StreamingResponse:
    """Who is in each photo of a folder on the machine of the service, and below it.

    A photo is a line, sent as soon as it is looked at, in the order of names. What cannot be used
    has its problem; videos are for the command identify.
    """
    require_folder(body.folder)
    # First, so that it is said before photos are looked at.
    _ = served.session.people
    folder = FilePath(body.folder)

    def lines() -> Iterator[str]:
        for found in find_each([folder]):
            photo = _identified_file(service, served, found, body.threshold)
            name = os.path.relpath(found.location, folder)
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            yield photo.model_copy(update={"name": shown}).model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type=LINES)


@asking.post("/galleries/{gallery}/verify")
def verify(
    service: Service,
    served: Served,
    first: Annotated[UploadFile, File()],
    second: Annotated[UploadFile, File()],
    threshold: Threshold = None,
) -> VerifyResult:
    """Whether the largest faces of two photos show one person."""
    probes = []
    for name, upload in (("first", first), ("second", second)):
        try:
            probe = probe_of_upload(service, served, upload)
        except PhotoError as error:
            raise unusable(error) from error
        if not probe.boxes:
            raise ProblemError(
                422, "no-face", f"No face was found in the {name} photo.", "Send another photo."
            )
        probes.append(probe)
    service.metrics.probes.labels("verify").inc(2)
    usual = thresholds_in_use(served.engine.contract).verification
    return VerifyResult.of(
        compare_probes(probes[0], probes[1], usual if threshold is None else threshold)
    )


def _identified(
    service: FaceService, served: Served, upload: UploadFile, threshold: float | None
) -> IdentifiedPhoto:
    name = (upload.filename or "")[:255]
    try:
        probe = probe_of_upload(service, served, upload)
    except PhotoError as error:
        return IdentifiedPhoto(name=name, problem=str(error), faces=[])
    return _identified_faces(service, served, probe, threshold, name)


def _identified_file(
    service: FaceService, served: Served, found: FoundPhoto, threshold: float | None
) -> IdentifiedPhoto:
    try:
        probe = probe_of_file(service, served, found)
    except PhotoError as error:
        return IdentifiedPhoto(name="", problem=str(error), faces=[])
    return _identified_faces(service, served, probe, threshold, "")


def _identified_faces(
    service: FaceService, served: Served, probe: Probe, threshold: float | None, name: str
) -> IdentifiedPhoto:
    service.metrics.probes.labels("identify").inc()
    found = served.session.identify_faces(probe, threshold)
    snapshot = served.snapshot()
    return IdentifiedPhoto(
        name=name, problem=None, faces=[IdentifiedFace.of(snapshot, each) for each in found]
    )


def require_few(service: FaceService, count: int) -> None:
    """That no more photos are sent at once than are allowed."""
    most = service.options.upload_photos
    if count > most:
        raise ProblemError(
            413,
            "too-large",
            f"Expected at most {most} photos at once, got {count}.",
            "Send them in several requests.",
        )
