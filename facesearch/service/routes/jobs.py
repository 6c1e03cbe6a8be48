"""Jobs: started, watched, cancelled."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Body, Path, Query, Response
from fastapi.responses import FileResponse

from facesearch.errors import InputError
from facesearch.images import check_roots
from facesearch.service.auth.roles import Caller
from facesearch.service.jobs.job import UNLISTED, Job
from facesearch.service.routes.access import Administrator, Decider, RoleRouter, Served, Service
from facesearch.service.server.problems import ProblemError, missing
from facesearch.service.shapes.common import RecordId, Shape
from facesearch.service.shapes.decisions import PersonKeyText
from facesearch.service.shapes.jobs import (
    CalibrateRequest,
    ClusterRequest,
    EnrolFoldersRequest,
    IndexRequest,
    JobList,
    JobRequestBody,
    JobView,
    UpgradeRequest,
)

viewing = RoleRouter("view", "jobs")
deciding = RoleRouter("decide", "jobs")
administering = RoleRouter("administer", "jobs")
ROUTERS = (viewing, deciding, administering)

JobKey = Annotated[str, Path(pattern=r"^[0-9]{1,12}$")]
# The report is a page made by the same program, whose policy lets its small script run, no other.
# It may load pictures, styles and scripts, ask for nothing, and send nothing. It is no sandbox: in
# one, browsers leave the session out of requests for pictures and further pages.
_REPORT_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@viewing.get("/jobs")
def list_jobs(
    service: Service,
    gallery: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,64}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobList:
    """The newest jobs first."""
    jobs = [
        job
        for job in service.jobs.all()
        if job.kind not in UNLISTED and gallery in (None, job.gallery)
    ]
    return JobList(jobs=[JobView.of(job) for job in jobs[:limit]])


@viewing.get("/jobs/{job}")
def show_job(service: Service, job: JobKey) -> JobView:
    """One job as it is now."""
    return JobView.of(_job(service.jobs.find(int(job)), job))


@deciding.post("/galleries/{gallery}/jobs", status_code=202)
def start_job(
    response: Response,
    service: Service,
    served: Served,
    caller: Decider,
    body: Annotated[JobRequestBody, Body()],
) -> JobView:
    """Start a job. New folders, another encoder and the threshold are for who administers."""
    arguments: dict[str, Any] = {}
    if isinstance(body, IndexRequest):
        arguments = {"roots": _roots(served, caller, body.roots)}
    elif isinstance(body, ClusterRequest):
        arguments = body.options.model_dump(exclude_none=True)
    elif isinstance(body, UpgradeRequest | CalibrateRequest | EnrolFoldersRequest):
        _require_administrator(caller, f"a job of the kind {body.kind}")
        arguments = body.model_dump(exclude={"kind"}, exclude_none=True)
    if isinstance(body, EnrolFoldersRequest):
        _require_folder(body.folder)
    return _started(response, service.jobs.add(served.id, body.kind, caller.name, arguments))


@administering.post("/jobs/{job}/cancel", status_code=202)
def cancel_job(service: Service, job: JobKey) -> JobView:
    """Cancel a job that waits or runs; what it has finished is kept."""
    return JobView.of(_job(service.jobs.cancel(int(job)), job))


class ForgetRequest(Shape):
    """Whose faces are to be deleted for good: of people, of whole photos, and single ones."""

    people: tuple[PersonKeyText, ...] = ()
    photos: tuple[RecordId, ...] = ()
    faces: tuple[RecordId, ...] = ()
    dry_run: bool = True


class ForgetPreview(Shape):
    """What would be deleted. Of people's faces some were ``decided`` to be theirs, some only
    ``clustered``; ``sidecars`` are files beside photos, ``elsewhere`` other folders with traces."""

    faces: int
    decided: int
    clustered: int
    sidecars: int
    elsewhere: int


@administering.post(
    "/galleries/{gallery}/forget",
    responses={202: {"model": JobView, "description": "Deleting has begun"}},
)
def forget(
    response: Response,
    service: Service,
    served: Served,
    caller: Administrator,
    body: ForgetRequest,
) -> ForgetPreview | JobView:
    """Delete faces for good, or with ``dry_run`` say what would be deleted."""
    from facesearch.api.maintenance import forget_faces  # noqa: PLC0415 - seldom needed

    arguments = _forgotten(served, body)
    if not any(arguments.values()):
        raise InputError("expected people, photos or faces to forget, got none; name some")
    if body.dry_run:
        found = forget_faces(
            served.gallery,
            photos=[FilePath(each) for each in arguments["photos"]],
            ids=arguments["faces"],
            people=arguments["people"],
            dry_run=True,
        )
        return ForgetPreview(
            faces=found.faces,
            decided=found.decided,
            clustered=found.clustered,
            sidecars=len(found.sidecars),
            elsewhere=len(found.elsewhere),
        )
    response.status_code = 202
    return _started(response, service.jobs.add(served.id, "forget", caller.name, arguments))


def _forgotten(served: Served, body: ForgetRequest) -> dict[str, list[Any]]:
    """What is to be forgotten, as the command takes it: people by name, or by all their faces."""
    from facesearch.service.routes.access import person_of  # noqa: PLC0415
    from facesearch.service.routes.photos import photo_row_of  # noqa: PLC0415

    snapshot = served.refresh()
    names, faces = [], set(body.faces)
    for key in body.people:
        person = person_of(snapshot, key)
        if person.name is not None:
            names.append(person.name)
        else:
            faces |= {*snapshot.faces.ids[snapshot.faces_of(person.id)].tolist()}
    places = [
        str(snapshot.photos.record(photo_row_of(snapshot, photo)).location) for photo in body.photos
    ]
    return {"people": names, "photos": places, "faces": sorted(faces)}


@viewing.get("/galleries/{gallery}/report/{file:path}", response_class=FileResponse)
def show_report(served: Served, file: Annotated[str, Path(max_length=300)]) -> FileResponse:
    """A file of the last report; ``index.html`` is its first page."""
    folder = served.gallery.folder / "report"
    parts = (file or "index.html").split("/")
    place = folder.joinpath(*parts)
    inside = not any(part in ("", ".", "..") or part.startswith(".") for part in parts)
    if not inside or "\0" in file or place.is_symlink() or not place.is_file():
        raise missing("not-found", "such page of a report", "Start a job of the kind report.")
    if not place.resolve().is_relative_to(folder.resolve()):
        raise missing("not-found", "such page of a report", "Start a job of the kind report.")
    kind = mimetypes.guess_type(place.name)[0] or "application/octet-stream"
    return FileResponse(
        place,
        media_type=kind,
        headers={"Content-Security-Policy": _REPORT_POLICY, "Cache-Control": "private, no-cache"},
    )


def _roots(served: Served, caller: Caller, given: list[str] | None) -> list[str]:
    """The folders to index: absolute, there, and new ones only for who administers."""
    known = [os.fsdecode(root) for root in served.snapshot().photos.roots]
    if given is None:
        if not known:
            raise InputError("this gallery has no folder of photos yet; name one in roots")
        return known
    if any(root not in known for root in given):
        _require_administrator(caller, "a new folder")
    for root in given:
        _require_folder(root)
    return given


def _require_folder(path: str) -> None:
    """That there are photos to be looked for at ``path``."""
    if not FilePath(path).is_absolute() or "\0" in path:
        raise InputError(f"expected the whole path of a folder, got {path[:200]!r}")
    check_roots([FilePath(path)])


def _require_administrator(caller: Caller, what: str) -> None:
    if not caller.may("administer"):
        raise ProblemError(
            403, "forbidden", f"For {what} the role administer is needed.",
            "Ask who administers the service.",
        )  # fmt: skip


def _started(response: Response, job: Job) -> JobView:
    response.headers["Location"] = f"../../jobs/{job.key}"
    return JobView.of(job)


def _job(job: Job | None, key: str) -> Job:
    if job is None or job.kind in UNLISTED:
        raise missing("no-such-job", f"job {key}", "GET jobs lists them.")
    return job
