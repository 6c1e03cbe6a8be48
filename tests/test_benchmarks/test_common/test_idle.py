"""Times are taken on an idle machine, or the result says that it was busy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks.common import idle, record

CORES = 2


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Results go elsewhere, the machine has two cores, and nothing was asked yet."""
    monkeypatch.setattr(idle, "_state", {})
    monkeypatch.setattr(idle, "available_cores", lambda: CORES)
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(record, "versions", dict)


def with_load(monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 9.0, 9.0))


def recorded(name: str = "speed", **result: object) -> dict[str, object]:
    path = record.record(name, result)
    machine: dict[str, object] = json.loads(path.read_text())["machine"]
    return machine


@pytest.mark.parametrize("load", [0.0, 1.0])
def test_an_idle_machine_is_measured(monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    with_load(monkeypatch, load)
    parser = idle.TimingParser("Measure.\n\nAnd more.")
    parser.add_argument("--count", type=int, default=3)
    assert vars(parser.parse_args(["--count", "4"])) == {"count": 4}
    assert parser.description == "Measure."
    machine = recorded()
    assert (machine["load_before"], machine["busy"]) == (load, False)


def test_a_busy_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_load(monkeypatch, 1.01)
    with pytest.raises(SystemExit) as ended:
        idle.TimingParser("Measure.").parse_args([])
    assert ended.value.code == 2
    assert "a load of at most 1, got 1.01" in capsys.readouterr().err
    assert "busy" not in recorded()  # nothing was measured


def test_a_busy_machine_is_noted_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with_load(monkeypatch, 7.5)
    assert vars(idle.TimingParser("Measure.").parse_args(["--busy"])) == {}
    machine = recorded()
    assert (machine["load_before"], machine["busy"]) == (7.5, True)


def test_runs_that_are_kept_stay_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    with_load(monkeypatch, 7.5)
    idle.TimingParser("Measure.").parse_args(["--busy"])
    recorded(runs={"one": 1})
    monkeypatch.setattr(idle, "_state", {})  # another process, on a machine that is idle now
    with_load(monkeypatch, 0.1)
    idle.TimingParser("Measure.").parse_args([])
    assert recorded(runs={"one": 2})["busy"] is False
    recorded(runs={"one": 1})
    monkeypatch.setattr(idle, "_state", {})
    with_load(monkeypatch, 7.5)
    idle.TimingParser("Measure.").parse_args(["--busy"])
    recorded(runs={"one": 1})
    monkeypatch.setattr(idle, "_state", {})
    with_load(monkeypatch, 0.1)
    idle.TimingParser("Measure.").parse_args([])
    kept = record.kept_runs("speed")
    assert recorded(runs=kept | {"two": 2})["busy"] is True
    monkeypatch.setattr(idle, "_state", {})
    idle.TimingParser("Measure.").parse_args([])
    assert record.kept_runs("speed", times_replaced=True) == kept | {"two": 2}
    assert recorded(runs={"one": 3, "two": 3})["busy"] is False  # all times are new


def test_scripts_without_times_say_nothing_of_the_load() -> None:
    assert {"load_before", "busy"}.isdisjoint(recorded("accuracy"))


def test_every_script_that_takes_times_asks_for_an_idle_machine() -> None:
    root = Path(record.__file__).parents[1]
    without = [
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*.py"))
        if path.parent.name not in ("common", "peers", "figures")
        and "perf_counter" in (text := path.read_text(encoding="utf-8"))
        and "record(" in text
        and "TimingParser(" not in text
    ]
    assert without == []
