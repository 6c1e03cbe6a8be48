"""``facesearch evaluate``: every protocol from the command line to the files it writes."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from facesearch.cli.main import main
from facesearch.demo import DemoTruth
from facesearch.engine_options import EngineOptions
from support.calls.commands import run_command
from support.fake_engine import FakeEngine, write_photo


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    """Six people with three photos each as in LFW, and its two-fold list of pairs."""
    for person in range(1, 7):
        for photo in (1, 2, 3):
            path = tmp_path / "lfw" / "images" / f"P{person}" / f"P{person}_{photo:04d}.jpg"
            write_photo(path.with_suffix(".png"), [person], photo).rename(path)
    lines = ["2\t2"]
    for fold in (0, 1):
        lines += [f"P{n}\t1\t2" for n in (1 + fold, 3 + fold)]
        lines += [f"P{n}\t1\tP{n + 2}\t3" for n in (1 + fold, 3 + fold)]
    (tmp_path / "lfw" / "pairs.txt").write_text("\n".join(lines))
    return tmp_path / "lfw"


@pytest.fixture(autouse=True)
def fake_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real" in request.node.name:
        return

    def create(*_: Any, **__: Any) -> FakeEngine:
        engine: Any = FakeEngine("dlib-resnet-v1")
        engine.settings = {"min_face": 20}
        return engine  # type: ignore[no-any-return]

    monkeypatch.setattr(EngineOptions, "create", create)


def run(*words: object) -> int:
    return main([str(word) for word in ("evaluate", *words, "--quiet")])


COMMANDS = {
    "lfw": (["."], {"roc", "det"}),
    "pairs": (["images", "table.csv"], {"roc", "det"}),
    "folder": (["images"], {"roc", "det"}),
    "identification": (["images", "--repeats", 2, "--enrol", 1], {"identification_det", "cmc"}),
    "clustering": (["images", "--hdbscan", "--threshold", 0.4], {"clustering"}),
    "video": (["tracks", "--frames", 2], {"roc", "det"}),
    "robustness": (
        ["images", "--people", 4, "--of", "photo", "--far", 0.1],
        {"robustness_jpeg", "robustness_pixels"},
    ),
}


@pytest.mark.parametrize("protocol", COMMANDS)
def test_every_protocol_prints_and_writes(
    protocol: str, lfw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="plots need: pip install matplotlib")
    for person in range(1, 7):
        for photo in (1, 2, 3):
            path = lfw / "tracks" / f"P{person}" / f"t{photo}" / "1.png"
            write_photo(path, [person], photo)
    photo = "P{0}/P{0}_000{1}.jpg".format
    (lfw / "table.csv").write_text(
        f"{photo(1, 1)},{photo(1, 2)},1\n{photo(1, 1)},{photo(2, 1)},0\n{photo(3, 1)},gone.jpg,0\n"
    )
    monkeypatch.chdir(lfw)
    words, plots = COMMANDS[protocol]
    assert run(protocol, *words, "--out", "report", "--cache", "cache") == 0
    printed = capsys.readouterr().out
    assert "18 photos" in printed or protocol in ("lfw", "pairs", "robustness")
    names = {path.name for path in (lfw / "report").iterdir()}
    assert names == {"report.md", "report.json"} | {
        f"{name}.{kind}" for name in plots for kind in ("png", "svg")
    }
    page = (lfw / "report" / "report.md").read_text()
    for name in plots:
        assert f"({name}.svg)" in page
    # The cache gives the very same figures again.
    assert run(protocol, *words, "--cache", "cache", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        (lfw / "report" / "report.json").read_text()
    )


def test_a_missing_photo_is_reported_and_does_not_stop_the_rest(
    lfw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (lfw / "images" / "P1" / "P1_0001.jpg").unlink()
    assert run("lfw", lfw) == 0
    printed = capsys.readouterr()
    assert "1 could not be used" in printed.out
    assert "not used: P1/P1_0001.jpg: unreadable" in printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lfw", "images"), "LFW's list of pairs at images/pairs.txt"),
        (("pairs", "images", "absent.csv"), "cannot read the pairs file"),
        (("folder", "absent"), "found none at 'absent'"),
        (("folder", "."), "two photos of one person"),
        (("video", "images"), "person/track/frame.jpg"),
        (("robustness", "images", "--people", 2, "--pairs", "pairs.txt"), "got both"),
        (("identification", "images", "--enrol", 3), "more than 3 photos"),
    ],
)
def test_mistakes_are_reported(
    words: tuple[object, ...],
    message: str,
    lfw: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(lfw)
    assert run(*words) == 2
    assert message in capsys.readouterr().err


def test_without_matplotlib_it_is_said_before_the_work(
    lfw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run("lfw", lfw, "--out", lfw / "report") == 2
    assert "pip install 'facesearch[plots]'" in capsys.readouterr().err
    assert run("lfw", lfw, "--out", lfw / "report", "--no-plots") == 0
    assert {path.name for path in (lfw / "report").iterdir()} == {"report.md", "report.json"}


def test_real_models_on_the_demos_portraits(
    demo_photos: tuple[Path, DemoTruth], tmp_path: Path
) -> None:
    truth = demo_photos[1]
    shutil.copytree(demo_photos[0], tmp_path / "demo")
    for name, shown in truth.people.items():
        if len(shown) == 1:
            folder = tmp_path / "people" / next(iter(shown))
            folder.mkdir(parents=True, exist_ok=True)
            (tmp_path / "demo" / name).rename(folder / name)
    done = run_command(("evaluate", "folder", tmp_path / "people", "--json"))
    assert done.code == 0, done.err
    document = done.json()
    assert document["conditions"]["without_face"] == 0
    assert document["result"]["at_thresholds"][0]["validation_rate"] > 0.9
    assert document["result"]["at_thresholds"][0]["measured_far"] == 0
