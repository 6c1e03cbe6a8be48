"""The web application has the look of the report: the same colours, type and measures."""

from __future__ import annotations

import re
from pathlib import Path

import facesearch

ROOT = Path(facesearch.__file__).parent
REPORT = ROOT / "report" / "templates" / "album.css"
PAGE = ROOT / "service" / "web" / "css" / "tokens.css"
_NAMED = re.compile(r"--([a-z-]+): ([^;]+);")


def report_colours() -> tuple[dict[str, str], dict[str, str]]:
    """What the report's style names, in light and in dark."""
    first, second = re.findall(r":root \{(.*?)\}", REPORT.read_text(encoding="utf-8"), re.DOTALL)[
        :2
    ]
    light = dict(_NAMED.findall(first))
    return light, light | dict(_NAMED.findall(second))


def test_the_page_and_the_report_look_alike() -> None:
    light, dark = report_colours()
    page = dict(_NAMED.findall(PAGE.read_text(encoding="utf-8")))
    assert {*light} <= {*page}
    for name, value in light.items():
        expected = {value} if value == dark[name] else {f"light-dark({value}, {dark[name]})"}
        assert page[name] in expected, name
