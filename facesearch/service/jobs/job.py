"""What a job is, and what there is of it on the disk."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from facesearch.service.database import ServiceDatabase

JobKind = Literal[
    "index",
    "cluster",
    "report",
    "upgrade",
    "calibrate",
    "enrol",
    "enrol-folders",
    "forget",
    "suggest",
]
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")
# Work that the service gives itself, which nobody asked for and nobody is shown.
UNLISTED: tuple[JobKind, ...] = ("suggest",)
# Arguments that say who is in photos, which are of no use once the job has ended.
_PERSONAL = ("name", "people", "photos", "faces", "folder")
# A job that takes the service down with it again and again must not do so for ever.
MOST_RESUMES = 5
_KEPT_JOBS = 1000
_COLUMNS = (
    "id, gallery, kind, state, by, arguments, created_at, started_at, ended_at, progress, result, "
    "problem, resumed"
)


@dataclass(frozen=True)
class JobProgress:
    """``done`` of ``total`` ``unit``\\ s, and the same in words; None while nothing is counted."""

    done: int
    total: int
    unit: str
    text: str


@dataclass(frozen=True)
class Job:
    """One piece of work on a gallery. Times are seconds of the epoch; ``resumed`` counts how often
    it began again because the service had ended."""

    id: int
    gallery: str
    kind: JobKind
    state: JobState
    by: str
    arguments: Mapping[str, Any]
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    progress: JobProgress | None = None
    result: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = field(default=None)
    resumed: int = 0

    @property
    def key(self) -> str:
        """How addresses name it."""
        return f"{self.id:06d}"

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ENDED


class JobStore:
    """The jobs of a service, each change on the disk before it counts."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    def add(self, gallery: str, kind: JobKind, by: str, arguments: Mapping[str, Any]) -> Job:
        """A new job that waits."""
        now = time.time()
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO job (gallery, kind, state, by, arguments, created_at) "
                "VALUES (?, ?, 'waiting', ?, ?, ?)",
                (gallery, kind, by, json.dumps(dict(arguments)), now),
            )
            number = int(cursor.lastrowid or 0)
            connection.execute(
                "DELETE FROM job WHERE ended_at IS NOT NULL AND id <= ?", (number - _KEPT_JOBS,)
            )
        return Job(number, gallery, kind, "waiting", by, dict(arguments), now)

    def save(self, job: Job) -> Job:
        """Keep what ``job`` is now; what an ended one no longer needs is left out."""
        if job.ended:
            kept = {name: each for name, each in job.arguments.items() if name not in _PERSONAL}
            job = replace(job, arguments=kept)
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE job SET state = ?, arguments = ?, started_at = ?, ended_at = ?, "
                "progress = ?, result = ?, problem = ?, resumed = ? WHERE id = ?",
                (
                    job.state,
                    json.dumps(dict(job.arguments)),
                    job.started_at,
                    job.ended_at,
                    None if job.progress is None else json.dumps(vars(job.progress)),
                    None if job.result is None else json.dumps(dict(job.result)),
                    None if job.problem is None else json.dumps(dict(job.problem)),
                    job.resumed,
                    job.id,
                ),
            )
        return job

    def all(self) -> list[Job]:
        """The newest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM job ORDER BY id DESC").fetchall()
        return [_job(row) for row in rows]

    def find(self, number: int) -> Job | None:
        """One job."""
        with self._database.transaction() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM job WHERE id = ?", (number,)
            ).fetchone()
        return None if row is None else _job(row)

    def unended(self) -> list[Job]:
        """Those that wait, or ran when the service ended, the oldest first."""
        return [job for job in reversed(self.all()) if not job.ended]


def _job(row: sqlite3.Row | tuple[Any, ...]) -> Job:
    number, gallery, kind, state, by, arguments, created, started, ended, *rest = row
    progress, result, problem, resumed = rest
    assert kind in get_args(JobKind)
    return Job(
        number,
        gallery,
        kind,
        state,
        by,
        json.loads(arguments),
        created,
        started,
        ended,
        None if progress is None else JobProgress(**json.loads(progress)),
        None if result is None else json.loads(result),
        None if problem is None else json.loads(problem),
        resumed,
    )
