"""Jobs: started, watched, cancelled."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Body, Path, Query, Request, Response
from fastapi.responses import FileResponse

from facesearch.erasure.forget import SelectedFaces, Selection, preview
from facesearch.erasure.selection import select_faces
from facesearch.errors import InputError
from facesearch.images import check_roots
from facesearch.report.page import served_policy
from facesearch.report.search_index import remade
from facesearch.service.auth.roles import Caller
from facesearch.service.decisions.desk import require_seen
from facesearch.service.jobs.job import UNLISTED, Job
from facesearch.service.routes.access import (
    Administrator,
    Decider,
    RoleRouter,
    Served,
    Service,
    Viewer,
    person_of,
)
from facesearch.service.routes.photos import photo_row_of
from facesearch.service.server.problems import ProblemError, missing
from facesearch.service.shapes.jobs import (
    CalibrateRequest,
    ClusterRequest,
    EnrolFoldersRequest,
    ForgetPreview,
    ForgetRequest,
    IndexRequest,
    JobList,
    JobRequestBody,
    JobView,
    UpgradeRequest,
)
from facesearch.service.views.served_gallery import ServedGallery
from indexer.errors import UnsafeFileError
from indexer.storage.plain_files import open_plain

viewing = RoleRouter("view", "jobs")
deciding = RoleRouter("decide", "jobs")
administering = RoleRouter("administer", "jobs")
ROUTERS = (viewing, deciding, administering)

JobKey = Annotated[str, Path(pattern=r"^[0-9]{1,12}$")]
_MOST_SCRIPT = 1 << 26  # bytes


@viewing.get("/jobs")
def list_jobs(
    service: Service,
    caller: Viewer,
    gallery: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,64}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobList:
    """The newest jobs first."""
    jobs = [
        job
        for job in service.jobs.all()
        if job.kind not in UNLISTED and gallery in (None, job.gallery)
    ]
    return JobList(jobs=[service.job_view(job, caller.role) for job in jobs[:limit]])


@viewing.get("/jobs/{job}")
def show_job(service: Service, caller: Viewer, job: JobKey) -> JobView:
    """One job as it is now."""
    return service.job_view(_job(service.jobs.find(int(job)), job), caller.role)


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
        require_folder(body.folder)
    job = service.jobs.add(served.id, body.kind, caller.name, arguments)
    return started(response, service.job_view(job, caller.role))


@administering.post("/jobs/{job}/cancel", status_code=202)
def cancel_job(service: Service, job: JobKey) -> JobView:
    """Cancel a job that waits or runs; what it has finished is kept."""
    return service.job_view(_job(service.jobs.cancel(int(job)), job), "administer")


@administering.post(
    "/galleries/{gallery}/forget",
    responses={202: {"model": JobView, "description": "Deleting has begun"}},
)
def forget(
    request: Request,
    response: Response,
    service: Service,
    served: Served,
    caller: Administrator,
    body: ForgetRequest,
) -> ForgetPreview | JobView:
    """Delete faces for good, or with ``dry_run`` say what would be deleted.

    Whose faces are meant is settled by this request: what is decided before the job runs, such as
    giving somebody else the name, neither adds faces to them nor takes any away.
    """
    if not (body.people or body.photos or body.faces):
        raise InputError("expected people, photos or faces to forget, got none; name some")
    chosen = _chosen_faces(served, body, request.headers.get("if-match"))
    found = preview(served.gallery, chosen) if body.dry_run or body.digest else None
    if found is not None and body.digest not in (None, found.digest):
        raise ProblemError(
            412, "precondition", "What would be deleted is no longer what the preview showed.",
            "Look at a new preview, then decide.",
        )  # fmt: skip
    if body.dry_run and found is not None:
        return ForgetPreview(
            faces=found.faces,
            decided=found.decided,
            clustered=found.clustered,
            sidecars=len(found.sidecars),
            elsewhere=len(found.elsewhere),
            digest=found.digest or "",
        )
    response.status_code = 202
    arguments = {"faces": chosen.ids.tolist(), "people": list(chosen.numbers)}
    job = service.jobs.add(served.id, "forget", caller.name, arguments)
    return started(response, service.job_view(job, caller.role))


def _chosen_faces(
    served: ServedGallery, body: ForgetRequest, expected: str | None
) -> SelectedFaces:
    """The faces that are meant now, and the numbers of the people; ``expected`` is If-Match."""
    snapshot = served.refresh()
    require_seen(expected, snapshot)
    places = [
        snapshot.photos.record(photo_row_of(snapshot, photo)).location for photo in body.photos
    ]
    numbers = [person_of(snapshot, key).id for key in body.people]
    selection = Selection(tuple(places), tuple(body.faces), numbers=tuple(numbers))
    return select_faces(served.gallery, snapshot.view.state, selection)


@viewing.get("/galleries/{gallery}/report/{file:path}", response_class=FileResponse)
def show_report(served: Served, file: Annotated[str, Path(max_length=300)]) -> Response:
    """A file of the last report; ``index.html`` is its first page.

    The folder may have come with a gallery of somebody else, and its pages have the session: no
    script runs but the report's own (:func:`facesearch.report.page.served_policy`), and the index
    of its search, which is made again of its values.
    """
    folder = served.gallery.folder / "report"
    parts = (file or "index.html").split("/")
    place = folder.joinpath(*parts)
    inside = not any(part in ("", ".", "..") or part.startswith(".") for part in parts)
    if not inside or "\0" in file or place.is_symlink() or not place.is_file():
        raise _no_page()
    if not place.resolve().is_relative_to(folder.resolve()):
        raise _no_page()
    kind = mimetypes.guess_type(place.name)[0] or "application/octet-stream"
    headers = {"Content-Security-Policy": served_policy(), "Cache-Control": "private, no-cache"}
    if "script" not in kind:
        return FileResponse(place, media_type=kind, headers=headers)
    try:
        with open_plain(place, _MOST_SCRIPT) as script:
            return Response(remade(script.read()), media_type=kind, headers=headers)
    except (ValueError, UnsafeFileError):
        raise _no_page() from None


def _no_page() -> ProblemError:
    return missing("not-found", "such page of a report", "Start a job of the kind report.")


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
        require_folder(root)
    return given


def require_folder(path: str) -> None:
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


def started(response: Response, job: JobView) -> JobView:
    """``job``, with its address beside it."""
    response.headers["Location"] = f"../../jobs/{job.id}"
    return job


def _job(job: Job | None, key: str) -> Job:
    if job is None or job.kind in UNLISTED:
        raise missing("no-such-job", f"job {key}", "GET jobs lists them.")
    return job
