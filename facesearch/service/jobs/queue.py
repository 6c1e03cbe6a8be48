"""The queue of jobs: one at a time for a gallery, which has one writer; all on the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facesearch.service.jobs.child_process import COMMAND, JobOutcome, JobProcess
from facesearch.service.jobs.job import MOST_RESUMES, UNLISTED, Job, JobKind, JobProgress, JobStore

logger = logging.getLogger(__name__)


@dataclass
class _Running:
    """A job with its process, None until that has started."""

    job: Job
    process: JobProcess | None = None
    cancelled: bool = False


class JobQueue:
    """Runs the jobs of galleries, each in a process; what it knows is on the disk before it counts.

    ``listen`` is called with every job that changes, from any thread.
    """

    def __init__(
        self,
        store: JobStore,
        folder_of: Callable[[str], Path | None],
        listen: Callable[[Job], None] = lambda job: None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._store = store
        self._folder_of = folder_of
        self._listen = listen
        self._command = command
        self._changed = threading.Condition()
        self._waiting: dict[str, list[Job]] = {}
        self._running: dict[str, _Running] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._stopped = False

    def start(self) -> None:
        """Take up what was not done when the service last ended."""
        for job in self._store.unended():
            if job.state == "running":
                job = replace(job, state="waiting", resumed=job.resumed + 1)  # noqa: PLW2901
            if job.resumed > MOST_RESUMES:
                self._end(job, JobOutcome(problem=_gives_up(job)))
            else:
                self._enqueue(self._store.save(job))

    def stop(self) -> None:
        """End without ending the jobs: they go on when the service does."""
        with self._changed:
            self._stopped = True
            running = list(self._running.values())
            self._changed.notify_all()
        for each in running:
            if each.process is not None:
                each.process.cancel()
        for thread in list(self._threads.values()):
            thread.join()

    def add(
        self, gallery: str, kind: JobKind, by: str, arguments: Mapping[str, Any] | None = None
    ) -> Job:
        """A new job, which is on the disk when this returns."""
        job = self._store.add(gallery, kind, by, arguments or {})
        self._listen(job)
        self._enqueue(job)
        return job

    def cancel(self, number: int) -> Job | None:
        """Cancel a job that waits or runs; None where there is none of this number."""
        with self._changed:
            for gallery, waiting in self._waiting.items():
                for job in waiting:
                    if job.id == number:
                        waiting.remove(job)
                        self._changed.notify_all()
                        return self._end(job, JobOutcome(cancelled=True))
                running = self._running.get(gallery)
                if running is not None and running.job.id == number:
                    running.cancelled = True
                    if running.process is not None:
                        running.process.cancel()
                    return running.job
        return self._store.find(number)

    def find(self, number: int) -> Job | None:
        """A job as it is now."""
        with self._changed:
            for running in self._running.values():
                if running.job.id == number:
                    return running.job
        return self._store.find(number)

    def all(self) -> list[Job]:
        """The newest first, with the progress of those that run."""
        with self._changed:
            now = {running.job.id: running.job for running in self._running.values()}
        return [now.get(job.id, job) for job in self._store.all()]

    def active(self, gallery: str, kind: JobKind) -> bool:
        """Whether a job of this kind waits or runs."""
        with self._changed:
            running = self._running.get(gallery)
            return (running is not None and running.job.kind == kind) or any(
                job.kind == kind for job in self._waiting.get(gallery, ())
            )

    def busy(self, gallery: str) -> bool:
        """Whether a job of the gallery that somebody asked for waits or runs."""
        with self._changed:
            running = self._running.get(gallery)
            jobs = [*self._waiting.get(gallery, ()), *([running.job] if running else ())]
        return any(job.kind not in UNLISTED for job in jobs)

    def counts(self) -> tuple[int, int]:
        """How many run, and how many wait."""
        with self._changed:
            return len(self._running), sum(map(len, self._waiting.values()))

    def wait(self, number: int, seconds: float) -> Job:
        """The job when it has ended; raises TimeoutError, KeyError for no job."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                job = self._store.find(number)
                if job is None:
                    raise KeyError(number)
                if job.ended:
                    return job
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"job {number} is {job.state} after {seconds:g} s")

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            if self._stopped:
                return
            self._let_pass(job)
            if job.gallery not in self._threads:
                thread = threading.Thread(
                    target=self._serve, args=(job.gallery,), name=f"jobs-{job.gallery}", daemon=True
                )
                self._threads[job.gallery] = thread
                thread.start()
            self._changed.notify_all()

    def _let_pass(self, job: Job) -> None:
        """Queue ``job``; what nobody asked for makes way for what somebody waits for."""
        waiting = self._waiting.setdefault(job.gallery, [])
        place = len(waiting)
        if job.kind not in UNLISTED:
            place = next((i for i, each in enumerate(waiting) if each.kind in UNLISTED), place)
            running = self._running.get(job.gallery)
            if running is not None and running.job.kind in UNLISTED:
                running.cancelled = True
                if running.process is not None:
                    running.process.cancel()
        waiting.insert(place, job)

    def _serve(self, gallery: str) -> None:
        """Do the jobs of one gallery, in order."""
        while True:
            with self._changed:
                waiting = self._waiting[gallery]
                self._changed.wait_for(lambda: self._stopped or bool(self._waiting[gallery]))
                if self._stopped:
                    return
                job = waiting.pop(0)
                running = self._running[gallery] = _Running(job)
            try:
                self._do(running)
            except Exception:
                logger.exception("job %s failed", job.key)
                self._end(running.job, JobOutcome(problem=_broken()))
            finally:
                with self._changed:
                    self._running.pop(gallery, None)
                    self._changed.notify_all()

    def _do(self, running: _Running) -> None:
        job = running.job
        folder = self._folder_of(job.gallery)
        if folder is None:
            self._end(job, JobOutcome(problem=_no_gallery(job)))
            return
        running.job = self._store.save(replace(job, state="running", started_at=time.time()))
        self._listen(running.job)
        process = JobProcess(self._command, running.job, str(folder))
        with self._changed:
            running.process = process
            if running.cancelled or self._stopped:
                process.cancel()

        def progress(now: JobProgress) -> None:
            running.job = replace(running.job, progress=now)
            self._listen(running.job)

        outcome = process.run(progress)
        if self._stopped and not running.cancelled and outcome.result is None:
            return  # it is still "running" on the disk, and so goes on when the service does
        self._end(running.job, outcome)

    def _end(self, job: Job, outcome: JobOutcome) -> Job:
        state = "done" if outcome.result is not None else "failed"
        ended = replace(
            job,
            state="cancelled" if outcome.cancelled else state,  # type: ignore[arg-type]
            ended_at=time.time(),
            result=outcome.result,
            problem=outcome.problem,
        )
        with self._changed:
            # At once, for who sees on the disk that it has ended finds the gallery free.
            ended = self._store.save(ended)
            running = self._running.get(job.gallery)
            if running is not None and running.job.id == job.id:
                del self._running[job.gallery]
            self._changed.notify_all()
        self._listen(ended)
        return ended


def _gives_up(job: Job) -> Mapping[str, Any]:
    return {
        "title": "The job was given up",
        "status": 500,
        "code": "job-lost",
        "detail": f"The service ended {job.resumed} times while this job ran.",
        "action": "Look at the log of the service, then start the job again.",
    }


def _no_gallery(job: Job) -> Mapping[str, Any]:
    return {
        "title": "There is no such gallery",
        "status": 404,
        "code": "no-such-gallery",
        "detail": f"The service no longer serves the gallery {job.gallery}.",
        "action": "Start the service with this gallery.",
    }


def _broken() -> Mapping[str, Any]:
    return {
        "title": "Internal error",
        "status": 500,
        "code": "internal",
        "detail": "The job could not be run.",
        "action": "This is a bug: please report it with the log of the service.",
    }
