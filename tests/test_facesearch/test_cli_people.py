"""``facesearch people`` and the growing ``cluster``, as commands, on a gallery of a fake engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facesearch.cli.main import main
from facesearch.gallery import Gallery
from support.people_galleries import cluster, people_gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    made = people_gallery(tmp_path)
    cluster(made)
    return made


class Command:
    """Runs ``facesearch people`` in this process."""

    def __init__(self, gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
        self._gallery = gallery
        self._capsys = capsys

    def text(self, name: str, *words: object, code: int = 0) -> str:
        """What is printed, on standard error if the ``code`` is not 0."""
        arguments = ["people", name, str(self._gallery.folder), *map(str, words)]
        assert main(arguments) == code
        captured = self._capsys.readouterr()
        return captured.err if code else captured.out

    def json(self, name: str, *words: object) -> Any:
        return json.loads(self.text(name, *words, "--json"))


@pytest.fixture
def people(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(gallery, capsys)


def test_a_round_of_decisions(people: Command, tmp_path: Path) -> None:
    assert [each["faces"] for each in people.json("list")["people"]] == [3, 3, 3, 3]
    assert people.text("name", "p1", "Ann") == "p1 with 3 faces is Ann\n"
    assert people.text("merge", "Ann", "p2") == "p2 is p1, with 6 faces\n"
    assert people.text("split", "ann", "2-0.png", "--name", "Bea").startswith(
        "1 faces of p1 are p5"
    )
    assert people.json("reject", "Ann", "2-1.png")["person"] == "p1"
    shown = people.json("show", "Ann")
    names = {Path(each["photo"]).name for each in shown["faces"]}
    assert names == {"1-0.png", "1-1.png", "1-2.png", "2-2.png"}
    assert all(each["decided"] for each in shown["faces"])
    listed = people.json("list")
    assert listed["faces_of_nobody"] == 1
    assert [each["name"] for each in listed["people"]] == ["Ann", None, None, "Bea"]
    people.text("hide", "p3")
    assert len(people.json("list")["people"]) == 3
    assert len(people.json("list", "--all")["people"]) == 4
    assert people.text("undo") == "undone: p3 is hidden\n"
    history = people.json("history")["decisions"]
    assert [each["action"] for each in history] == [
        *("name", "merge", "split", "reject", "hide", "undo")
    ]
    assert [each["undone"] for each in history] == [False] * 4 + [True, False]
    assert "p2 is p1" in people.text("history")
    assert people.json("export", tmp_path / "a.csv")["faces"] == 5
    assert people.json("import", tmp_path / "a.csv")["missing"] == 0
    assert "2-2.png" in people.text("show", "p1") and "Ann" in people.text("list")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("undo",), "nothing was decided"),
        (("name", "p9", "Ann"), "nobody's"),
        (("name", "p1", " "), "empty"),
        (("split", "p1", "2-0.png"), "expected a face of p1"),
        (("export", "people.txt"), "json"),
        (("import", "none.csv"), "no file"),
    ],
)
def test_what_cannot_be_done_is_said(people: Command, words: tuple[str, ...], message: str) -> None:
    assert message in people.text(*words, code=2)
