"""Objects fetched ahead: in order, bounded in bytes, no copy left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from facesearch.errors import PhotoError
from facesearch.images import DecodeTask, FoundPhoto
from facesearch.images.remote import fetch_ahead
from facesearch.images.remote.fetch_ahead import fetched

ROOT = Path("s3://bucket/photos")


def remote(number: int, size: int) -> DecodeTask:
    return DecodeTask(FoundPhoto(ROOT, f"{number}.png", size, 0))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the objects that were asked for; object 3 is refused."""
    names: list[str] = []
    lock = threading.Lock()

    def read(location: str, max_bytes: int, size: int | None = None) -> bytes:
        with lock:
            names.append(location)
        if location.endswith("/3.png"):
            raise PhotoError("unreadable", "AccessDenied")
        return b"x" * (size or 0)

    monkeypatch.setattr(fetch_ahead, "read_object", read)
    return names


def test_in_order_with_copies_and_errors(started: list[str]) -> None:
    local = DecodeTask(FoundPhoto(Path("/photos"), "a.png", 5, 0))
    refused = DecodeTask(FoundPhoto(ROOT, "b", 0, 0, "is gone"))
    tasks = [remote(1, 10), local, remote(2, 20), refused, remote(3, 30), remote(4, 40)]
    copies = []
    for task, given in zip(fetched(tasks), tasks, strict=True):
        assert task.found.name == given.found.name
        if given in (local, refused):
            assert task is given
        elif given.found.name == "3.png":
            assert task.found.error == "AccessDenied"
            assert task.copy is None
        else:
            assert task.copy is not None
            assert task.file.read_bytes() == b"x" * given.found.size
            copies.append(task.copy)
    assert len(copies) == 3
    assert not any(copy.exists() for copy in copies)  # nobody decoded them, so they went at the end
    assert len(started) == 4


def test_no_more_bytes_are_ahead_than_allowed(started: list[str]) -> None:
    taken = 0

    def tasks() -> Iterator[DecodeTask]:
        for number in range(10, 40):
            # Drawn and not yet given out: at most 50 bytes before this one.
            assert 20 * (number - 10 - taken) <= 50 + 20
            yield remote(number, 20)

    for _ in fetched(tasks(), ahead_bytes=50):
        taken += 1
    assert taken == 30


def test_what_is_left_is_removed(started: list[str]) -> None:
    tasks = fetched([remote(number, 10) for number in range(10, 30)])
    first = next(tasks)
    assert first.copy is not None
    folder = first.copy.parent
    tasks.close()  # type: ignore[attr-defined]
    assert not folder.exists()
