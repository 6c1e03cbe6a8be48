"""What the timing of whole jobs rests on: the photos, and the clock of the stages."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.common.mixed_photos import DATA, TOTAL, link_photos, mixed_photos
from benchmarks.jobs import stage_times


class Clock:
    """Stands in for the processor's clock: advances only on request."""

    def __init__(self) -> None:
        self.now = 100.0

    def process_time(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stage_times, "time", clock)
    return clock


def test_a_stage_is_not_charged_for_the_stages_it_calls(clock: Clock) -> None:
    stages = stage_times.Stages()
    inner = stages.wrapped("inner", clock.spend)

    def work() -> str:
        clock.spend(2)
        inner(5)
        inner(8)
        return "done"

    assert stages.wrapped("outer", work)() == "done"
    assert stages.seconds == {"inner": 13, "outer": 2}


def test_a_stage_that_fails_is_charged_and_leaves_the_clock_right(clock: Clock) -> None:
    stages = stage_times.Stages()

    def fail() -> None:
        clock.spend(3)
        raise ValueError

    with pytest.raises(ValueError):
        stages.wrapped("fails", fail)()
    stages.wrapped("after", clock.spend)(1)
    assert stages.seconds == {"fails": 3, "after": 1}


def test_of_a_whole_stage_nothing_is_charged_to_others(clock: Clock) -> None:
    stages = stage_times.Stages()
    inner = stages.wrapped("inner", clock.spend)

    def work() -> None:
        clock.spend(2)
        inner(5)

    whole = stages.wrapped("whole", work, whole=True)
    nested = stages.wrapped("whole too", whole, whole=True)
    stages.wrapped("outer", lambda: (whole(), nested(), inner(1)))()
    assert stages.seconds == {"whole": 7, "whole too": 7, "inner": 1, "outer": 0}


def test_every_stage_of_a_job_is_timed(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(2):
        noise = generator.integers(0, 256, (90, 120, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), noise)
    measured = stage_times.measure_stages(stage_times.engine_of(None), tmp_path)
    assert measured["photos"] == 2
    assert {
        "read and hash",
        "decode",
        "detect: shrink",
        "detect: network",
        "detect: decode",
        "detect: boxes",
        "detect: photos without a face turned",
        "align",
        "encode",
        "quality",
        "write shards",
        "index",
        stage_times.REST,
    } <= set(measured["seconds"])
    assert min(measured["seconds"].values()) >= 0


def test_a_stage_that_a_run_was_without_counts_as_nothing() -> None:
    runs = [{"one": 1.0, "two": 5.0}, {"one": 3.0}, {"one": 2.0}]
    assert stage_times.middle(runs) == {"one": 2.0, "two": 0.0}


@pytest.mark.skipif(not (DATA / "lfw").is_dir(), reason="the shared photos are not here")
def test_mixed_photos_are_as_many_as_said_and_all_different(tmp_path: Path) -> None:
    photos = mixed_photos()
    every = [path for paths in photos.values() for path in paths]
    assert len(every) == len(set(every)) == TOTAL
    assert link_photos(photos, tmp_path / "all") == TOTAL == len(list((tmp_path / "all").iterdir()))
    fifth = link_photos(photos, tmp_path / "fifth", 5)
    assert abs(fifth - TOTAL / 5) <= len(photos)
    assert all(path.is_file() for path in (tmp_path / "fifth").iterdir())
