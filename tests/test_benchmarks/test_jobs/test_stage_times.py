"""What the timing of whole jobs rests on: the photos, and the clock of the stages."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.skipif(not (DATA / "lfw").is_dir(), reason="the shared photos are not here")
def test_mixed_photos_are_as_many_as_said_and_all_different(tmp_path: Path) -> None:
    photos = mixed_photos()
    every = [path for paths in photos.values() for path in paths]
    assert len(every) == len(set(every)) == TOTAL
    assert link_photos(photos, tmp_path / "all") == TOTAL == len(list((tmp_path / "all").iterdir()))
    fifth = link_photos(photos, tmp_path / "fifth", 5)
    assert abs(fifth - TOTAL / 5) <= len(photos)
    assert all(path.is_file() for path in (tmp_path / "fifth").iterdir())
