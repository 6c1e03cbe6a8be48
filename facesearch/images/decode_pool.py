"""Photos decoded by worker processes: in order, a bounded distance ahead, whatever they do."""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from facesearch.errors import InputError
from facesearch.images.decode import DEFAULT_LIMITS, DecodeLimits
from facesearch.images.types import DecodedPhoto, FoundPhoto
from facesearch.images.worker import ReadPhoto, read_photo
from facesearch.images.worker_process import WorkerLostError, WorkerProcess

DEFAULT_AHEAD = 32
DEFAULT_AHEAD_BYTES = 256 * 2**20


@dataclass(frozen=True)
class DecodeTask:
    """A photo to decode, unless the SHA-256 (hex) of its bytes is in ``known``.

    ``copy`` is a file with its bytes, which is read in its place and then removed.
    """

    found: FoundPhoto
    known: frozenset[str] = frozenset()
    copy: Path | None = None

    @property
    def file(self) -> Path:
        """Where the bytes are read."""
        return self.copy or self.found.location

    def remove_copy(self) -> None:
        """Once the photo is read."""
        if self.copy is not None:
            self.copy.unlink(missing_ok=True)


@dataclass(frozen=True)
class DecodeOutcome:
    """``photo``, or ``known`` content that was left alone, or ``reason`` and ``detail``.

    ``sha256`` is the hex digest of the file, "" where it was never read whole.
    """

    found: FoundPhoto
    sha256: str
    photo: DecodedPhoto | None
    known: bool
    reason: str
    detail: str


def decode_photos(
    tasks: Iterable[DecodeTask],
    *,
    workers: int,
    max_side: int | None,
    timeout: float = 60.0,
    ahead: int = DEFAULT_AHEAD,
    ahead_bytes: int = DEFAULT_AHEAD_BYTES,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> Generator[DecodeOutcome, None, None]:
    """One outcome for each task, in the order of the tasks.

    ``tasks`` is drawn from in the caller's thread, at most ``ahead`` tasks before their outcomes
    are taken. Decoded photos that wait to be taken hold at most ``ahead_bytes`` and one photo a
    worker besides. ``workers`` is the number of processes; 0 decodes in this one, where neither
    ``timeout`` (seconds a photo) nor ``limits.memory_bytes`` can be kept. A worker that hangs or
    dies is replaced, and its photo has the reason "timeout".

    Whatever ends the generator (the last task, an error of ``tasks``, ``close``) ends the
    workers; if this process is killed they end by themselves. Raises InputError at the call for
    settings out of range, WorkerStartError from the generator.
    """
    for name, value, least in (
        ("workers", workers, 0),
        ("ahead", ahead, 1),
        ("ahead_bytes", ahead_bytes, 1),
    ):
        if value < least:
            raise InputError(f"expected {name} of at least {least}, got {value}")
    if timeout <= 0:
        raise InputError(f"expected a timeout above 0 s, got {timeout:g}")
    if max_side is not None and max_side < 1:
        raise InputError(f"expected max_side of at least 1 pixel, got {max_side}")
    if workers == 0:
        return _decode_here(tasks, max_side, limits)
    pool = _Pool(max_side, timeout, ahead_bytes, limits)
    return pool.run(iter(tasks), workers, ahead)


def _decode_here(
    tasks: Iterable[DecodeTask], max_side: int | None, limits: DecodeLimits
) -> Generator[DecodeOutcome, None, None]:
    for task in tasks:
        if task.found.error:
            yield _refused(task)
        else:
            reading = read_photo(task.file, task.known.__contains__, max_side, limits)
            task.remove_copy()
            yield _outcome(task, reading)


def _outcome(task: DecodeTask, reading: ReadPhoto) -> DecodeOutcome:
    return DecodeOutcome(
        task.found, reading.sha256, reading.photo, reading.known, reading.reason, reading.detail
    )


def _refused(task: DecodeTask) -> DecodeOutcome:
    return _outcome(task, ReadPhoto(reason="unreadable", detail=task.found.error))


def _bytes(outcome: DecodeOutcome) -> int:
    return 0 if outcome.photo is None else outcome.photo.pixels.nbytes


@dataclass
class _Pool:
    """One thread a worker holds a plain conversation with it; ``changed`` guards all the rest.

    Numbers count tasks. ``waiting`` are drawn and not yet given to a worker, ``done`` are the
    outcomes not yet taken, ``held_bytes`` their pixels.
    """

    max_side: int | None
    timeout: float
    ahead_bytes: int
    limits: DecodeLimits
    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: deque[tuple[int, DecodeTask]] = field(default_factory=deque)
    done: dict[int, DecodeOutcome] = field(default_factory=dict)
    held_bytes: int = 0
    processes: set[WorkerProcess] = field(default_factory=set)
    failure: BaseException | None = None
    stopped: bool = False

    def run(
        self, tasks: Iterator[DecodeTask], workers: int, ahead: int
    ) -> Generator[DecodeOutcome, None, None]:
        """The outcomes of ``tasks``, in order; ends the workers however it ends."""
        threads = [
            threading.Thread(target=self._serve, name=f"decode-{number}", daemon=True)
            for number in range(workers)
        ]
        # A generator left open at exit would be ended when threads no longer run, and could not
        # wait for them; this comes before that.
        stop = partial(self._stop, threads)
        atexit.register(stop)
        try:
            for thread in threads:
                thread.start()
            drawn = taken = 0
            exhausted = False
            while True:
                while not exhausted and drawn - taken < ahead:
                    task = next(tasks, None)
                    if task is None:
                        exhausted = True
                    else:
                        self._add(drawn, task)
                        drawn += 1
                if taken == drawn:
                    return
                yield self._take(taken)
                taken += 1
        finally:
            atexit.unregister(stop)
            stop()

    def _add(self, number: int, task: DecodeTask) -> None:
        with self.changed:
            if task.found.error:
                self.done[number] = _refused(task)
            else:
                self.waiting.append((number, task))
                self.changed.notify_all()

    def _take(self, number: int) -> DecodeOutcome:
        with self.changed:
            self.changed.wait_for(lambda: number in self.done or self.failure is not None)
            if number not in self.done and self.failure is not None:
                raise self.failure
            outcome = self.done.pop(number)
            self.held_bytes -= _bytes(outcome)
            self.changed.notify_all()
            return outcome

    def _stop(self, threads: list[threading.Thread]) -> None:
        with self.changed:
            self.stopped = True
            # The threads see their worker gone and end; they close the channels themselves.
            for process in self.processes:
                process.kill()
            self.changed.notify_all()
        for thread in threads:
            if thread.ident is not None:
                thread.join()

    def _serve(self) -> None:
        process: WorkerProcess | None = None
        try:
            while (job := self._next()) is not None:
                number, task = job
                if process is not None and process.is_gone():
                    # Killed between two photos (by the system, for memory): neither is to blame.
                    self._discard(process)
                    process = None
                process = process or self._start()
                if process is None:
                    return
                try:
                    reading = process.read(task.file, task.known, self.max_side)
                except WorkerLostError as lost:
                    self._discard(process)
                    process = None
                    reading = ReadPhoto(reason="timeout", detail=str(lost))
                task.remove_copy()
                self._finish(number, _outcome(task, reading))
        except BaseException as error:  # reported by the thread that takes the outcomes
            with self.changed:
                self.failure = error
                self.changed.notify_all()
        finally:
            self._discard(process)

    def _next(self) -> tuple[int, DecodeTask] | None:
        """The next task, once there is one and room for its pixels; None to stop.

        Tasks are given out in order, so when the room is used up, the outcome to be taken next
        is there already or being made: waiting for it to be taken always ends.
        """
        with self.changed:
            self.changed.wait_for(
                lambda: self.stopped or (self.waiting and self.held_bytes < self.ahead_bytes)
            )
            return None if self.stopped else self.waiting.popleft()

    def _start(self) -> WorkerProcess | None:
        """A new worker; None if the pool was stopped meanwhile."""
        with self.changed:
            if self.stopped:
                return None
            process = WorkerProcess(self.limits, self.timeout)
            self.processes.add(process)
        try:
            process.wait_ready()
        except BaseException:
            self._discard(process)
            raise
        return process

    def _discard(self, process: WorkerProcess | None) -> None:
        if process is not None:
            with self.changed:
                self.processes.discard(process)
            process.close()

    def _finish(self, number: int, outcome: DecodeOutcome) -> None:
        with self.changed:
            self.done[number] = outcome
            self.held_bytes += _bytes(outcome)
            self.changed.notify_all()
