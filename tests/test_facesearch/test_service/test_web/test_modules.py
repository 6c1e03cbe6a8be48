"""The files of the web application fit together, and are what the policy of the page allows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facesearch.report.page import REASONS
from facesearch.service.server.web_assets import WEB, asset, page

JS = WEB / "js"
IMPORT = re.compile(r"^(?:import|export) (?:\{([^}]*)\}|(\w+)) from \"([^\"]+)\";", re.MULTILINE)
MOST_LINES, MOST_MODULES = 250, 15


def modules() -> dict[Path, str]:
    """The source of every module that is not another project's."""
    found = {path.resolve(): path.read_text(encoding="utf-8") for path in sorted(JS.rglob("*.js"))}
    assert len(found) > 30
    return found


def names_of(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def test_imports_name_what_is_exported_and_used() -> None:
    sources = modules()
    used: set[tuple[Path, str]] = set()
    for path, source in sources.items():
        body = IMPORT.sub("", source)
        for listed, default, place in IMPORT.findall(source):
            target = (path.parent / place).resolve()
            assert target.is_file(), f"{path.name} imports {place}"
            for name in names_of(listed or default):
                used.add((target, name))
                if path.name != "html.js":
                    assert re.search(rf"\b{name}\b", body), f"{path.name} does not use {name}"
                if target in sources and target.name != "html.js":
                    pattern = rf"^export (const|class) {name}\b"
                    assert re.search(pattern, sources[target], re.MULTILINE), (path.name, name)
    for path, source in sources.items():
        for name in re.findall(r"^export (?:const|class) (\w+)", source, re.MULTILINE):
            assert (path, name) in used, f"nobody imports {name} of {path.name}"


def test_modules_are_small() -> None:
    sources = modules()
    assert {path.name for path, text in sources.items() if text.count("\n") > MOST_LINES} == set()
    folders = [path.parent for path in sources]
    assert {each.name for each in folders if folders.count(each) > MOST_MODULES} == set()


@pytest.mark.parametrize(
    "word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "Function("]
)
def test_no_text_becomes_markup_or_code(word: str) -> None:
    assert [path.name for path, source in modules().items() if word in source] == []


def served_page() -> str:
    found = page(WEB)
    assert found is not None
    return found.data.decode()


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text_of_page = served_page()
    assert "style=" not in text_of_page
    assert re.findall(r"<script(?![^>]*\bsrc=)", text_of_page) == []
    assert "<style" not in text_of_page
    styles = [path.read_text() for path in (WEB / "css").glob("*.css")]
    for text in (text_of_page, *modules().values(), *styles):
        assert re.findall(r"(?:https?:)?//[a-z]", re.sub(r"^\s*//.*$", "", text, flags=re.M)) == []


def test_every_file_that_the_page_names_is_served() -> None:
    named = re.findall(r"(?:src|href)=\"assets/([^\"]+)\"", served_page())
    assert {(WEB / name).resolve() for name in named} >= set(modules()), (
        "browsers ask for all at once"
    )
    for name in named:
        found = asset(WEB, name)
        assert found is not None, name
        assert found.data


def test_reasons_have_the_words_of_the_report() -> None:
    source = (JS / "views" / "unread.js").read_text(encoding="utf-8")
    (block,) = re.findall(r"const REASONS = \{(.*?)\};", source, re.DOTALL)
    assert dict(re.findall(r'"?([\w-]+)"?: "([^"]+)"', block)) == REASONS


def test_the_colours_are_those_of_the_report() -> None:
    """Light and dark: the report has them in two blocks, the application in pairs."""
    report = Path(__file__).parents[4] / "facesearch" / "report" / "templates" / "album.css"
    blocks = re.findall(r":root \{(.*?)\}", report.read_text(encoding="utf-8"), re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+): (#\w+);", block)) for block in blocks)
    tokens = (WEB / "css" / "tokens.css").read_text(encoding="utf-8")
    pairs = {
        name: (one, other)
        for name, one, other in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\);", tokens)
    }
    assert len(light) > 5
    assert {name: pairs[name] for name in light} == {
        name: (light[name], dark[name]) for name in light
    }
