"""Documentation that is held equal to the program."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "THIRD_PARTY.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
ALL_PAGES = [*PAGES, ROOT / "benchmarks/README.md", ROOT / "benchmarks/results/SCHEMA.md"]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words its help differently")
def test_commands_page_is_the_programs_help() -> None:
    spec = importlib.util.spec_from_file_location("make_commands", ROOT / "docs/make_commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs/commands.md").read_text()
    assert written == module.commands_page(), "out of date; run: make docs"


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name) if name else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in _anchors(linked.read_text()), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_modules_that_are_named_exist(page: Path) -> None:
    named = re.findall(
        r"`((?:facesearch|indexer|cluster|benchmarks|tests)/[\w./]*\w\.\w+)`", page.read_text()
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_one_photo_is_followed_through_at_most_eight_modules() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    steps = re.findall(r"^(\d+)\. `(\S+\.py)`", page, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 5 <= len(steps) <= 8 and all((ROOT / path).exists() for _, path in steps)
    assert len(page.splitlines()) <= 100  # one page


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_is_a_command(page: Path) -> None:
    from facesearch.cli.main import build_parser

    blocks = re.findall(r"^```(?:console|sh|bash)\n(.*?)^```", page.read_text(), re.S | re.M)
    for line in "\n".join(blocks).splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True) if "facesearch " in line else []
        if words[:1] == ["facesearch"]:
            ends = [number for number, word in enumerate(words) if word in (">", "<", "|")]
            build_parser().parse_args(words[1 : ends[0] if ends else None])


def test_readme_shows_what_cluster_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from facesearch.cli.main import main
    from facesearch.embed import EmbedOptions, embed_photos
    from facesearch.gallery.gallery import Gallery
    from support.fake_engine import FakeEngine, write_photo

    engine = FakeEngine("dlib-resnet-v1")
    for number in range(4):
        write_photo(tmp_path / "photos" / f"{number}.png", [1 + number % 2], number)
    gallery = Gallery.create(tmp_path / "my.gallery", engine.contract)
    options = EmbedOptions(decoders=0, threads=1)
    embed_photos(gallery, engine, [tmp_path / "photos"], options)  # type: ignore[arg-type]
    capsys.readouterr()
    assert main(["cluster", str(gallery.folder)]) == 0
    shown = re.search(
        r"^\$ facesearch cluster demo/.*\n((?:[^$].*\n|\n)*)",
        (ROOT / "README.md").read_text(),
        re.M,
    )
    assert shown is not None
    assert _without_figures(shown[1]) == _without_figures(capsys.readouterr().out)


def _without_figures(text: str) -> list[str]:
    """The lines, with a # for each number and without folders and the space between columns."""
    lines = [re.sub(r" \S*/", " ", line) for line in text.splitlines()]
    return [re.sub(r"\d[\d.,]*\d|\d", "#", re.sub(r"  +", "  ", line)) for line in lines]


def test_every_pinned_file_is_in_third_party() -> None:
    pins = set()
    for package in ("facesearch",):
        for path in (ROOT / package).rglob("*.py"):
            pins |= set(re.findall(r'"([0-9a-f]{64})"', path.read_text()))
    assert pins
    text = (ROOT / "THIRD_PARTY.md").read_text()
    assert all(pin in text for pin in pins)


def test_figures_are_those_of_the_results() -> None:
    from benchmarks.figures.make_docs import PAGES as WITH_FIGURES
    from benchmarks.figures.make_docs import filled

    for page in WITH_FIGURES:
        text = page.read_text()
        assert "<!-- figures: " in text
        assert text == filled(text), f"{page.name} is out of date; run: make docs"


def test_the_measured_lfw_figure_of_dlibs_encoder_is_the_recorded_one() -> None:
    from facesearch.encoders import encoder_spec

    recorded = json.loads((ROOT / "benchmarks/results/protocols.json").read_text())
    figures = recorded["results"]["lfw"]["result"]
    folds = figures["folds"]
    (tar,) = (each["tar"]["value"] for each in figures["tar_at_far"] if each["far"] == 1e-3)
    accuracy = f"{100 * folds['mean']:.2f} +- {100 * folds['standard_error']:.2f} %"
    assert f"{accuracy}, TAR {tar:.3f} at FAR 0.001" in encoder_spec("dlib-resnet-v1").lfw
