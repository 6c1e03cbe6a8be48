"""The decoding pool: order, laziness, known content, and workers that hang, die or outlive us."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facesearch.errors import InputError
from facesearch.images import (
    DecodeLimits,
    DecodeTask,
    FoundPhoto,
    decode_photo,
    decode_photos,
    find_photos,
)
from facesearch.images import decode_pool as pool_module
from facesearch.images import worker_process as process_module
from facesearch.images.worker import ReadPhoto
from facesearch.images.worker_process import WorkerProcess, WorkerStartError
from support.failures.hostile import encoded


class Recorded(WorkerProcess):
    """A worker that is remembered, and that fares badly with photos of certain names."""

    started: list[Recorded]

    def __init__(self, limits: DecodeLimits, timeout: float) -> None:
        super().__init__(limits, timeout)
        self.started.append(self)

    def read(self, path: Path, known: frozenset[str], max_side: int | None) -> ReadPhoto:
        if path.name.startswith("kill-"):
            os.kill(self.pid, getattr(signal, path.name.split("-")[1]))
        return super().read(path, known, max_side)


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """The workers that the test started, in order."""
    monkeypatch.setattr(Recorded, "started", [], raising=False)
    monkeypatch.setattr(pool_module, "WorkerProcess", Recorded)
    return Recorded.started


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def put(folder: Path, names: list[str]) -> list[DecodeTask]:
    """Photos of as many colours as names, as tasks in the order of the names."""
    for index, name in enumerate(names):
        picture = np.full((20 + index, 30, 3), index, np.uint8)
        (folder / name).write_bytes(encoded(picture, "PNG"))
    found = {str(photo.path): photo for photo in find_photos([folder])}
    return [DecodeTask(found[name]) for name in names]


@pytest.fixture
def tasks(tmp_path: Path) -> list[DecodeTask]:
    return put(tmp_path, [f"{number:02}.png" for number in range(20)])


def slow_photo(folder: Path) -> DecodeTask:
    """A good photo that takes about a second to decode."""
    path = folder / "slow.png"
    path.write_bytes(encoded(np.zeros((9000, 9000, 3), np.uint8), "PNG", compress_level=1))
    (found,) = find_photos([path])
    return DecodeTask(found)


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("ahead_bytes", [1, 1 << 28])
def test_outcomes_are_whole_and_in_order(
    tasks: list[DecodeTask], workers: int, ahead_bytes: int, started: list[Recorded]
) -> None:
    options = {"workers": workers, "max_side": 25, "ahead_bytes": ahead_bytes}
    outcomes = list(decode_photos(tasks, **options))  # type: ignore[arg-type]
    assert [outcome.found for outcome in outcomes] == [task.found for task in tasks]
    for outcome in outcomes:
        expected = decode_photo(outcome.found.location, max_side=25)
        assert outcome.photo is not None
        assert np.array_equal(outcome.photo.pixels, expected.pixels)
        assert outcome.photo.pixels.flags.writeable
        assert (outcome.photo.width, outcome.photo.height) == (expected.width, expected.height)
        assert outcome.sha256 == hashlib.sha256(outcome.found.location.read_bytes()).hexdigest()
        assert (outcome.known, outcome.reason, outcome.detail) == (False, "", "")
    assert len(started) <= workers
    assert not any(is_running(worker.pid) for worker in started)


@pytest.mark.parametrize("workers", [0, 1])
def test_known_content_is_not_decoded(tasks: list[DecodeTask], workers: int) -> None:
    digests = [hashlib.sha256(task.found.location.read_bytes()).hexdigest() for task in tasks]
    known = frozenset(digests[::2])
    asked = [DecodeTask(task.found, known) for task in tasks]
    outcomes = list(decode_photos(asked, workers=workers, max_side=None))
    assert [outcome.sha256 for outcome in outcomes] == digests
    assert [outcome.known for outcome in outcomes] == [True, False] * 10
    assert all((outcome.photo is None) == outcome.known for outcome in outcomes)


@pytest.mark.parametrize("workers", [0, 1])
def test_failures_are_outcomes(tmp_path: Path, workers: int) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.jpg").symlink_to("nothing")
    (tmp_path / "c.jpg").write_bytes(b"text")
    lost = FoundPhoto(tmp_path, "lost.jpg", 5, 5)
    tasks = [*map(DecodeTask, find_photos([tmp_path])), DecodeTask(lost)]
    outcomes = list(decode_photos(tasks, workers=workers, max_side=None))
    reasons = [outcome.reason for outcome in outcomes]
    assert reasons == ["empty", "unreadable", "not-an-image", "unreadable"]
    assert all(outcome.photo is None and outcome.detail for outcome in outcomes)
    # What could be hashed has its digest, so that the same bytes are known next time.
    assert outcomes[2].sha256 == hashlib.sha256(b"text").hexdigest()


@pytest.mark.parametrize("ahead", [1, 3, 8])
def test_tasks_are_drawn_no_further_than_asked(tasks: list[DecodeTask], ahead: int) -> None:
    drawn = 0

    def counted() -> Iterator[DecodeTask]:
        nonlocal drawn
        for task in tasks:
            drawn += 1
            yield task

    outcomes = decode_photos(counted(), workers=2, max_side=None, ahead=ahead)
    assert drawn == 0
    for taken, _ in enumerate(outcomes):
        assert drawn <= taken + ahead
    assert drawn == len(tasks)


def test_an_endless_stream_can_be_left(tasks: list[DecodeTask], started: list[Recorded]) -> None:
    def endless() -> Iterator[DecodeTask]:
        while True:
            yield from tasks

    outcomes = decode_photos(endless(), workers=2, max_side=None)
    for _ in range(30):
        next(outcomes)
    assert any(is_running(worker.pid) for worker in started)
    outcomes.close()
    assert not any(is_running(worker.pid) for worker in started)


def test_an_error_of_the_tasks_comes_through(
    tasks: list[DecodeTask], started: list[Recorded]
) -> None:
    def failing() -> Iterator[DecodeTask]:
        yield from tasks[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(decode_photos(failing(), workers=2, max_side=None, ahead=2))
    assert not any(is_running(worker.pid) for worker in started)


@pytest.mark.parametrize(
    ("name", "words"),
    [("kill-SIGSEGV-.png", "SIGSEGV"), ("kill-SIGKILL-.png", "killed, perhaps for want of memory")],
)
def test_a_dead_worker_costs_one_photo(
    tmp_path: Path, name: str, words: str, started: list[Recorded]
) -> None:
    tasks = put(tmp_path, ["a.png", name, "b.png", "c.png"])
    outcomes = list(decode_photos(tasks, workers=1, max_side=None))
    assert [outcome.reason for outcome in outcomes] == ["", "timeout", "", ""]
    assert words in outcomes[1].detail
    assert len(started) == 2


def test_a_worker_killed_at_rest_costs_nothing(
    tasks: list[DecodeTask], started: list[Recorded]
) -> None:
    outcomes = decode_photos(tasks, workers=1, max_side=None, ahead=1)
    first = next(outcomes)
    os.kill(started[0].pid, signal.SIGKILL)
    while is_running(started[0].pid):
        time.sleep(0.01)
    assert not any(outcome.reason for outcome in (first, *outcomes))
    assert len(started) == 2


def test_a_photo_that_takes_too_long(tmp_path: Path, started: list[Recorded]) -> None:
    before, after = put(tmp_path, ["a.png", "b.png"])
    slow = slow_photo(tmp_path)
    started_at = time.process_time()
    decode_photo(slow.found.location, max_side=64)
    # Whatever else the machine does, decoding takes no less than its processor time.
    timeout = round((time.process_time() - started_at) / 2, 2)
    # Scaled down so far that pixels need no time on the way.
    tasks = [before, slow, after]
    outcomes = list(decode_photos(tasks, workers=1, max_side=64, timeout=timeout))
    assert [outcome.reason for outcome in outcomes] == ["", "timeout", ""]
    assert outcomes[1].detail == f"decoding took longer than {timeout:g} s"
    assert len(started) == 2


def test_a_worker_that_cannot_even_time_out(
    tmp_path: Path, started: list[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "_GRACE_SECONDS", 0.3)
    tasks = put(tmp_path, ["a.png", "kill-SIGSTOP-.png", "b.png"])  # stopped, it does not end
    outcomes = list(decode_photos(tasks, workers=1, max_side=None, timeout=1.0))
    assert [outcome.reason for outcome in outcomes] == ["", "timeout", ""]
    assert "longer than 1 s" in outcomes[1].detail
    assert not any(is_running(worker.pid) for worker in started)


def test_memory_is_limited(tmp_path: Path) -> None:
    good, other = put(tmp_path, ["a.png", "b.png"])
    limits = DecodeLimits(memory_bytes=500 << 20)
    tasks = [good, slow_photo(tmp_path), other]
    outcomes = list(decode_photos(tasks, workers=1, max_side=64, limits=limits))
    assert [outcome.reason for outcome in outcomes] == ["", "too-large", ""]
    assert "memory" in outcomes[1].detail


def test_workers_that_cannot_start_are_an_error(
    tasks: list[DecodeTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recorded, "bootstrap", "raise SystemExit(3)")
    with pytest.raises(WorkerStartError, match="status 3"):
        list(decode_photos(tasks, workers=2, max_side=None))


ORPHAN_SCRIPT = """
import os, sys, time
from pathlib import Path
from facesearch.images import DecodeTask, decode_photos, find_photos
tasks = map(DecodeTask, find_photos([Path(sys.argv[1])]))
outcomes = decode_photos(tasks, workers=2, max_side=None)
next(outcomes)
children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
print(*(pid for path in children for pid in path.read_text().split()), flush=True)
time.sleep(600)
"""


def test_workers_do_not_outlive_a_killed_parent(tasks: list[DecodeTask]) -> None:
    root = str(tasks[0].found.root)
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN_SCRIPT, root], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    if not workers:
        pytest.skip("this kernel does not list a process's children")
    deadline = time.monotonic() + 120
    while any(is_running(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in workers)


def test_a_generator_left_open_does_not_hang_the_exit(tasks: list[DecodeTask]) -> None:
    script = ORPHAN_SCRIPT.replace("time.sleep(600)", "")
    command = [sys.executable, "-c", script, str(tasks[0].found.root)]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""


def test_workers_load_no_torch() -> None:
    script = "import sys, facesearch.images.worker; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert {"PIL", "cv2", "numpy"} <= loaded
    assert not {"torch", "faiss", "h5py", "scipy", "sklearn", "numba"} & loaded


@pytest.mark.parametrize(
    ("option", "value"),
    [("workers", -1), ("ahead", 0), ("ahead_bytes", 0), ("timeout", 0.0), ("max_side", 0)],
)
def test_settings_out_of_range(option: str, value: float) -> None:
    settings = {"workers": 1, "max_side": None, option: value}
    with pytest.raises(InputError, match=option):
        decode_photos([], **settings)  # type: ignore[arg-type]
