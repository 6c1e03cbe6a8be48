"""Results come in the order of the photos, and a photo that breaks the work harms no other."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesearch.images import DecodeTask, find_photos, process_photos
from facesearch.images.photo_pipeline import BATCH_PHOTOS

COUNT = 3 * BATCH_PHOTOS + 5
BROKEN, POISON = 7, 20  # a file that is no photo, and one that no work can be done on


@pytest.fixture
def tasks(tmp_path: Path) -> list[DecodeTask]:
    for number in range(COUNT):
        path = tmp_path / f"{number:03d}.png"
        if number == BROKEN:
            path.write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
        else:
            Image.new("RGB", (4, 3), (number, 0, 0)).save(path)
    return [DecodeTask(photo) for photo in find_photos([tmp_path])]


def red(photos: list[np.ndarray]) -> list[int]:
    """The red of each photo; fails for a batch with the poisonous one."""
    assert photos
    values = [int(photo[0, 0, 0]) for photo in photos]
    if POISON in values:
        raise RuntimeError("this photo cannot be looked at")
    time.sleep(0.001 * (values[0] % 3))  # batches end out of order
    return values


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_are_in_order_and_failures_alone(tasks: list[DecodeTask], threads: int) -> None:
    found = list(process_photos(tasks, red, decoders=0, threads=threads, max_side=None))
    assert [outcome.found.path.name for outcome, _ in found] == [
        f"{number:03d}.png" for number in range(COUNT)
    ]
    for number, (outcome, result) in enumerate(found):
        if number in {BROKEN, POISON}:
            assert result is None and outcome.photo is None and outcome.reason
        else:
            assert result == number and outcome.photo is not None and not outcome.reason
    assert found[POISON][0].reason == "internal"
    assert found[POISON][0].detail == "RuntimeError: this photo cannot be looked at"


def test_photos_are_taken_as_they_are_needed(tasks: list[DecodeTask]) -> None:
    taken = 0

    def counted() -> object:
        nonlocal taken
        for task in tasks:
            taken += 1
            yield task

    stream = process_photos(counted(), lambda p: [None] * len(p), decoders=0, threads=1, max_side=8)
    next(stream)
    assert taken <= 2 * BATCH_PHOTOS
    stream.close()
    assert taken < COUNT


def test_the_work_runs_in_other_threads(tasks: list[DecodeTask]) -> None:
    def name(photos: list[np.ndarray]) -> list[str]:
        return [threading.current_thread().name] * len(photos)

    found = process_photos(tasks, name, decoders=0, threads=2, max_side=None)
    names = {result for _, result in found if result}
    assert names and threading.current_thread().name not in names
