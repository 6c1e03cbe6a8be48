"""Jobs as they are sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from facesearch.service.jobs.job import Job, JobKind, JobState
from facesearch.service.shapes.common import PersonKeyText, RecordId, Shape, iso_time


class JobProgressView(Shape):
    """How far a job is: ``total`` is 0 where nothing is counted."""

    done: int
    total: int
    unit: str
    text: str


class JobView(Shape):
    """A job."""

    id: str
    gallery: str
    kind: JobKind
    state: JobState
    by: str
    created_at: str
    started_at: str | None
    ended_at: str | None
    progress: JobProgressView | None
    result: dict[str, Any] | None
    problem: dict[str, Any] | None
    resumed: int
    arguments: dict[str, Any]

    @classmethod
    def of(cls, job: Job) -> JobView:
        """``job``, without where files lie."""
        shown = {"fpir", "encoder", "threshold", "method", "min_size", "linkage"}
        progress = job.progress
        return cls(
            id=job.key,
            gallery=job.gallery,
            kind=job.kind,
            state=job.state,
            by=job.by,
            created_at=iso_time(job.created_at) or "",
            started_at=iso_time(job.started_at),
            ended_at=iso_time(job.ended_at),
            progress=None if progress is None else JobProgressView(**vars(progress)),
            result=None if job.result is None else dict(job.result),
            problem=None if job.problem is None else dict(job.problem),
            resumed=job.resumed,
            arguments={name: each for name, each in job.arguments.items() if name in shown},
        )


class JobList(Shape):
    """Jobs, the newest first."""

    jobs: list[JobView]


Root = Annotated[str, Field(min_length=1, max_length=4096)]


class IndexRequest(Shape):
    """Add photos of folders: by default of those that the gallery has."""

    kind: Literal["index"]
    roots: list[Root] | None = Field(default=None, max_length=100)


class ClusterSettings(Shape):
    """How to group faces; what is not given is as the gallery's encoder asks."""

    threshold: Annotated[float, Field(ge=0, le=4)] | None = None
    method: Literal["agglomerative", "hdbscan"] | None = None
    min_size: Annotated[int, Field(ge=1, le=1000)] | None = None
    full: bool | None = None


class ClusterRequest(Shape):
    """Group all faces into people."""

    kind: Literal["cluster"]
    options: ClusterSettings = ClusterSettings()


class ReportRequest(Shape):
    """Write the report, to be read without the service."""

    kind: Literal["report"]


class UpgradeRequest(Shape):
    """Embed all faces again with another encoder, by default the best that is here."""

    kind: Literal["upgrade"]
    encoder: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    drop_unreadable: bool = False


class CalibrateRequest(Shape):
    """Learn the threshold by which a share ``fpir`` of strangers may be given a name."""

    kind: Literal["calibrate"]
    fpir: Annotated[float, Field(gt=0, le=0.1)] = 0.01


class EnrolFoldersRequest(Shape):
    """Enrol everybody who has a folder in ``folder``, by its name."""

    kind: Literal["enrol-folders"]
    folder: Root


class ForgetRequest(Shape):
    """Whose faces are to be deleted for good: of people, of whole photos, and single ones.

    With the ``digest`` of a preview just what that showed is deleted, or nothing.
    """

    people: tuple[PersonKeyText, ...] = ()
    photos: tuple[RecordId, ...] = ()
    faces: tuple[RecordId, ...] = ()
    dry_run: bool = True
    digest: Annotated[str, Field(max_length=64)] | None = None


class ForgetPreview(Shape):
    """What would be deleted. Of people's faces some were ``decided`` to be theirs, some only
    ``clustered``; ``sidecars`` are files beside photos, ``elsewhere`` other folders with traces.
    The ``digest`` names all of it, for the request that deletes it."""

    faces: int
    decided: int
    clustered: int
    sidecars: int
    elsewhere: int
    digest: str


JobRequestBody = Annotated[
    IndexRequest
    | ClusterRequest
    | ReportRequest
    | UpgradeRequest
    | CalibrateRequest
    | EnrolFoldersRequest,
    Field(discriminator="kind"),
]
