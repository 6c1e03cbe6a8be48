"""The examples of docs/python.md run, one after another, and print what the page says."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import cluster
import facesearch
import indexer
from facesearch.demo import DemoTruth
from support.vectors import grouped_vectors

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def test_every_example_runs_and_prints_what_the_page_says(
    demo_photos: tuple[Path, DemoTruth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(demo_photos[0], tmp_path / "photos")
    vectors, _ = grouped_vectors(people=150, each=20, seed=4)
    np.save(tmp_path / "vectors.npy", vectors)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    examples = list(BLOCK.finditer(PAGE.read_text(encoding="utf-8")))
    assert len(examples) > 8
    for example in examples:
        code, expected = example.groups()
        line = PAGE.read_text(encoding="utf-8")[: example.start()].count("\n") + 1
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + code, str(PAGE), "exec"), names)
        if expected is not None:
            assert printed.getvalue() == expected
    assert (tmp_path / "people.csv").read_text().count("\n") > 20


@pytest.mark.parametrize("package", [facesearch, indexer, cluster], ids=lambda each: each.__name__)
def test_the_page_lists_every_public_name(package: object) -> None:
    assert isinstance(package, type(facesearch))
    _, _, table = PAGE.read_text(encoding="utf-8").partition("## What is public")
    rows = [line for line in table.splitlines() if line.startswith(f"| `{package.__name__}`")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)} - {package.__name__}
    assert listed == {*package.__all__}
