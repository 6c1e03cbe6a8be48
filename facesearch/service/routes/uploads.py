"""What is sent to stay: photos by which people are enrolled, and faces drawn by hand."""

from __future__ import annotations

import shutil
from typing import Annotated

from fastapi import File, Form, Response, UploadFile

from facesearch.errors import InputError
from facesearch.people.store import normalise_name
from facesearch.service.routes.access import Decider, RoleRouter, Served, Service
from facesearch.service.routes.probes import require_few
from facesearch.service.server.problems import ProblemError
from facesearch.service.shapes.jobs import JobView
from facesearch.service.uploads import keep_upload, kept_upload_folder

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
        places = [keep_upload(service, folder, each.file) for each in photo]
    except ProblemError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if not places:
        raise InputError("expected photos of the person, got none; send one or more")
    arguments = {"name": wanted, "photos": [str(place) for place in places]}
    job = service.jobs.add(served.id, "enrol", caller.name, arguments)
    response.headers["Location"] = f"../../jobs/{job.key}"
    return JobView.of(job)
