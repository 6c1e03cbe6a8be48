"""Answers for the commands of this machine's user, which print them as they print their own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

from fastapi import File, Query, UploadFile
from fastapi.responses import Response

from facesearch.encoders import thresholds_in_use
from facesearch.errors import PhotoError
from facesearch.recognition.documents import (
    identification_document,
    matches_document,
    verification_document,
)
from facesearch.recognition.identify import Probe, compare_probes
from facesearch.service.face_service import FaceService
from facesearch.service.routes.access import RoleRouter, Served, Service
from facesearch.service.routes.probes import Threshold
from facesearch.service.uploads import probe_of_upload, unusable

administering = RoleRouter("administer", "commands")
ROUTERS = (administering,)

JSON_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}}}}


@administering.post(
    "/galleries/{gallery}/commands/search", response_class=Response, responses=JSON_ANSWER
)
def search(
    service: Service,
    served: Served,
    photo: Annotated[UploadFile, File()],
    k: Annotated[int, Query(ge=1, le=10**6)] = 10,
) -> Response:
    """What the command search prints as JSON, and the name of each photo in its folder."""
    found = served.session.match_faces(_probe(service, served, photo), k)
    return json_answer(matches_document(found))


@administering.post(
    "/galleries/{gallery}/commands/identify", response_class=Response, responses=JSON_ANSWER
)
def identify(
    service: Service,
    served: Served,
    photo: Annotated[UploadFile, File()],
    threshold: Threshold = None,
) -> Response:
    """What the command identify prints as JSON."""
    probe = _probe(service, served, photo)
    return json_answer(identification_document(served.session.identify_faces(probe, threshold)))


@administering.post(
    "/galleries/{gallery}/commands/verify", response_class=Response, responses=JSON_ANSWER
)
def verify(
    service: Service,
    served: Served,
    first: Annotated[UploadFile, File()],
    second: Annotated[UploadFile, File()],
    threshold: Threshold = None,
) -> Response:
    """What the command verify prints as JSON, and whether the faces are too poor to tell."""
    one, other = (_probe(service, served, each) for each in (first, second))
    usual = thresholds_in_use(served.engine.contract).verification
    found = compare_probes(one, other, usual if threshold is None else threshold)
    return json_answer(verification_document(found))


def json_answer(document: Any) -> Response:
    """``document`` as a command reads it."""
    # As Python writes it, escapes and all: names of files need not be UTF-8.
    return Response(json.dumps(document), media_type="application/json")


def _probe(service: FaceService, served: Served, upload: UploadFile) -> Probe:
    try:
        return probe_of_upload(service, served, upload)
    except PhotoError as error:
        problem = unusable(error)
        more = {**problem.more, "explanation": error.detail}
        raise replace(problem, more=more) from error
