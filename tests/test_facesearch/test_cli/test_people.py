"""``facesearch people`` and the growing ``cluster``, as commands, on a gallery of a fake engine."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.cli.main import main
from facesearch.curation.undo_preview import preview_undo
from facesearch.gallery.gallery import Gallery
from facesearch.people.decision_words import in_words
from facesearch.people.ledger import Decision
from facesearch.people.projection import last_batch, undone_batches
from facesearch.people.store import PeopleStore
from support.fake_engine import FakeEngine
from support.made_folders import MadeFolder
from support.people_galleries import CLEAR, cluster, index, people_gallery


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeFolder:
    return MadeFolder(
        tmp_path_factory.mktemp("people"), lambda folder: cluster(people_gallery(folder))
    )


@pytest.fixture
def gallery(made: MadeFolder) -> Gallery:
    return Gallery.open(made.fresh() / "my.gallery")


class Command:
    """Runs ``facesearch people`` in this process."""

    def __init__(self, gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = str(gallery.folder)
        self._capsys = capsys

    def text(self, name: str, *words: object, code: int = 0) -> str:
        """What is printed, on standard error if the ``code`` is not 0."""
        arguments = ["people", name, self.folder, *map(str, words)]
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
    assert people.text("name", "p1", "Ann") == "p1 named Ann, with 3 faces\n"
    assert people.text("merge", "Ann", "p2") == "p2 merged into Ann (p1), with 6 faces\n"
    assert people.text("split", "ann", "2-0.png", "--name", "Bea") == (
        "1 face moved from Ann (p1) to Bea (p5); 5 kept\n"
        f"replaces decision 2 of {people.json('history')['decisions'][1]['at']}, for 1 of its "
        "6 faces: p2 merged into Ann (p1), with 6 faces\n"
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
    assert people.text("undo") == "undone: p3 hidden, with 3 faces\n"
    history = people.json("history")["decisions"]
    assert [each["action"] for each in history] == [
        *("name", "merge", "split", "reject", "hide", "undo")
    ]
    assert [each["undone"] for each in history] == [False] * 4 + [True, False]
    assert "p2 merged into Ann (p1)" in people.text("history")
    assert people.json("export", tmp_path / "a.csv")["faces"] == 5
    assert people.json("import", tmp_path / "a.csv")["missing"] == 0
    assert "2-2.png" in people.text("show", "p1") and "Ann" in people.text("list")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("undo",), "no decision left to undo"),
        (("name", "p9", "Ann"), "no person has"),
        (("name", "p1", " "), "empty"),
        (("split", "p1", "2-0.png"), "expected a face of p1"),
        (("reject", "p1", "9"), "my.gallery p1"),
        (("export", "people.txt"), "json"),
        (("import", "none.csv"), "no file"),
    ],
)
def test_what_cannot_be_done_is_said(people: Command, words: tuple[str, ...], message: str) -> None:
    assert message in people.text(*words, code=2)


def overruled(printed: Any) -> list[tuple[int, str, int]]:
    """Decisions that a command overruled: number, words, and how many faces."""
    return [(each["decision"], each["text"], len(each["faces"])) for each in printed["overruled"]]


def test_what_a_decision_overrules_is_reported_and_comes_back_by_undoing_it(
    gallery: Gallery, people: Command
) -> None:
    face = people.json("show", "p1")["faces"][0]
    people.text("reject", "p1", face["face_id"])
    people.text("name", "p1", "Ann")
    people.text("hide", "p2")
    other = "1-1.png" if face["photo"].endswith("1-0.png") else "1-0.png"
    rejected = (1, "1 face removed from p1", 1)
    named = (2, "p1 named Ann, with 2 faces", 1)
    cases: list[tuple[tuple[object, ...], list[tuple[int, str, int]]]] = [
        (("add", "Ann", face["face_id"]), [rejected]),
        (("add", "p2", face["face_id"]), []),
        (("name", "p1", "Bea"), [(2, "p1 named Ann, with 2 faces", 0)]),
        (("split", "Ann", other), [named]),
        (("reject", "Ann", other), [named]),
        (("unhide", "p2"), [(3, "p2 hidden, with 3 faces", 0)]),
        (("merge", "Ann", "p2"), [(3, "p2 hidden, with 3 faces", 0)]),
        (("merge", "p3", "Ann"), []),
    ]
    before = PeopleStore(gallery.folder).decided()
    for words, expected in cases:
        assert overruled(people.json(*words)) == expected, words
        people.text("undo")
        now = PeopleStore(gallery.folder).decided()
        assert replace(now, last=before.last, returns=()) == before


def test_an_import_and_a_merge_tell_what_they_overrule(people: Command, tmp_path: Path) -> None:
    people.text("name", "p1", "Ann")
    people.text("export", tmp_path / "a.json")
    people.text("split", "Ann", "1-1.png")
    split = "1 face moved from Ann (p1) to p5; 2 kept"
    assert overruled(people.json("import", tmp_path / "a.json")) == [(2, split, 1)]
    assert "replaces decision 2" in people.text("undo") + people.text("merge", "Ann", "p5")


def test_a_dry_run_of_undo_shows_what_undo_does(gallery: Gallery, people: Command) -> None:
    people.text("name", "p1", "Ann")
    people.text("name", "p2", "Bea")
    (face,) = (each["face_id"] for each in people.json("show", "p2")["faces"][:1])
    people.text("add", "Ann", face)
    before = PeopleStore(gallery.folder).decisions()
    shown = people.json("undo", "--dry-run")
    text = people.text("undo", "--dry-run")
    assert "would be undone: 1 face of Bea (p2) assigned to Ann (p1)" in text
    assert "Ann (p1)  Bea (p2)      1" in text
    assert PeopleStore(gallery.folder).decisions() == before
    was = {each["person"]: each["faces"] for each in people.json("list")["people"]}
    done = people.json("undo")
    assert done == {**shown, "dry_run": False}
    assert shown["moves"] == [{"from": "p1", "to": "p2", "faces": 1}] and len(shown["again"]) == 1
    now = {each["person"]: each["faces"] for each in people.json("list")["people"]}
    assert (was["p1"] - now["p1"], now["p2"] - was["p2"]) == (1, 1)
    people.text("reject", "Ann", "1-0.png")
    again = f"again: decision 1 of {before[0].created_at}, for 1 of its 3 faces: p1 named Ann"
    assert f"would apply {again}, with 3 faces" in people.text("undo", "--dry-run")
    assert people.text("undo").splitlines()[1] == f"applies {again}, with 3 faces"


def test_history_names_people_as_they_were_called_then(people: Command) -> None:
    people.text("name", "p1", "Ann")
    people.text("name", "p2", "Bea")
    people.text("undo")
    people.text("name", "p2", "Cid")
    people.text("merge", "p3", "p2")
    people.text("name", "p3", "Dot")
    people.text("merge", "Dot", "Ann")
    assert [each["text"] for each in people.json("history")["decisions"]] == [
        "p1 named Ann, with 3 faces",
        "p2 named Bea, with 3 faces",
        "decision 2 undone",
        "p2 named Cid, with 3 faces",
        "Cid (p2) merged into p3, with 6 faces",
        "Cid (p3) named Dot, with 6 faces",
        "Ann (p1) merged into Dot (p3), with 9 faces",
    ]


def test_an_undo_is_of_what_it_says(
    gallery: Gallery, people: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.text("name", "p1", "Ann")
    found = preview_undo(gallery)
    people.text("name", "p2", "Bea")
    monkeypatch.setattr("facesearch.curation.undo_preview.preview_undo", lambda *_: found)
    assert "decision 2 is the last one now" in people.text("undo", code=2)
    decided = PeopleStore(gallery.folder).decided()
    assert decided.named("Ann") and decided.named("Bea")


def test_a_list_of_hidden_people_says_so(
    people: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, 5):
        people.text("hide", f"p{number}")
    assert main(["people", "list", people.folder]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        "facesearch: all people are hidden; --all lists them\n",
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["name", "merge", "split", "undo"]), st.integers(0, 99))))
def test_words_name_people_by_what_stands(kinds: list[tuple[str, int]]) -> None:
    decisions: list[Decision] = []
    for number, (action, choice) in enumerate(kinds, 1):
        last = last_batch(decisions)
        goes_on = choice % 3 == 0 and last and last == decisions[-1:]
        batch = last[0].batch if goes_on else number
        person, other = 1 + choice % 3, 1 + (choice + 1) % 3
        name = f"name {number}" if action == "name" or (action == "split" and choice % 2) else None
        if action != "undo":
            beside = None if action == "name" else other
            decisions.append(Decision(number, batch, "", action, person, beside, name))  # type: ignore[arg-type]
        elif last:
            decisions.append(Decision(number, number, "", "undo", 0, last[0].batch))
    words = in_words(decisions)
    for place, each in enumerate(decisions):
        undone = undone_batches(decisions[:place])
        standing = [e for e in decisions[:place] if e.batch not in undone and e.action != "undo"]
        assert in_words([*standing, each])[each.id] == words[each.id]


def test_who_is_gone_is_reported(gallery: Gallery, people: Command) -> None:
    photos = gallery.folder.parent / "photos"
    people.text("name", "p4", "Gus")
    for number in range(3):
        (photos / f"4-{number}.png").unlink()
        (photos / f"3-{number}.png").unlink()
    index(gallery, photos)
    cluster(gallery)
    listed = people.json("list")["people"]
    assert [(e["person"], e["gone"]) for e in listed] == [
        ("p1", False), ("p2", False), ("p4", True)
    ]  # fmt: skip
    assert people.text("list").splitlines()[-1].endswith("no faces left")
    assert people.json("history")["decisions"][0]["gone"]
    assert people.text("history").splitlines()[-1].endswith("no faces left")
    assert "p3 existed but has no faces left" in people.text("name", "p3", "Hal", code=2)


def test_an_empty_gallery_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unclustered = Command(people_gallery(tmp_path), capsys)
    assert unclustered.json("list")["people"] == []
    assert unclustered.text("list") == "" and unclustered.text("history") == ""
    assert "first run: facesearch cluster" in unclustered.text("name", "p1", "Ann", code=2)
    with pytest.raises(SystemExit):
        unclustered.text("add", "p1", "1-0.png")
    assert "expected the number of a face, got '1-0.png'" in capsys.readouterr().err


def test_suggestions_are_listed_and_answered(
    gallery: Gallery, people: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    thresholds = SimpleNamespace(cluster=0.5, learned=True)
    monkeypatch.setattr("facesearch.album.build.thresholds_of", lambda contract: thresholds)
    cluster(gallery, replace(CLEAR, threshold=1e-6))
    found = people.json("suggestions")["suggestions"]
    same = [each for each in found if each["kind"] == "same"]
    assert same and all(each["person"] and each["other"]["person"] for each in same)
    one, other = same[0]["person"], same[0]["other"]["person"]
    text = people.text("suggestions")
    assert "may be one person" in text and f"people merge {gallery.folder} {one} {other}" in text
    assert people.json("suggestions", one)["suggestions"]
    assert "to be compared later" in people.text("later", one, other)
    assert people.json("suggestions")["suggestions"][-1]["later"]
    assert f"{one} and {other} are not the same" in people.text("apart", one, other)
    left = people.json("suggestions")["suggestions"]
    assert (one, other) not in {(e["person"], (e["other"] or {}).get("person")) for e in left}


def test_covers_no_faces_and_confirmed_ones_in_words(gallery: Gallery, people: Command) -> None:
    first, second, third = (each["face_id"] for each in people.json("show", "p1")["faces"])
    assert people.text("cover", "p1", second) == "another face shows p1\n"
    assert people.text("not-face", third) == "1 face said to be none\n"
    listed = people.json("list")
    assert listed["faces_of_nobody"] == 0 and listed["people"][-1]["faces"] == 2
    unsure = people.json("show", "p1", "--unsure")["faces"]
    assert [each["face_id"] for each in unsure] == [first]
    assert people.text("confirm", "p1", first) == "1 face assigned to p1\n"
    added = people.text("add", "p2", first)
    assert added.startswith("1 face of p1 assigned to p2\nreplaces decision 3 ")
    assert "note: 1 other face of p1 stayed there" in added
    history = people.json("history")["decisions"]
    assert [each["action"] for each in history] == ["cover", "not-face", "enroll", "add"]
    assert people.text("undo").startswith("undone: 1 face of p1 assigned to p2\n")


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "facesearch.engine_options.EngineOptions.create", lambda *_, **__: FakeEngine()
    )
    thresholds = SimpleNamespace(identification=0.3, verification=0.3, cluster=0.3)
    monkeypatch.setattr("facesearch.api.session.thresholds_in_use", lambda contract: thresholds)


@pytest.mark.usefixtures("fake_engine")
def test_many_photos_are_enrolled_and_identified_in_lines(
    gallery: Gallery,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = str(gallery.folder)

    def lines(*words: object, code: int = 0) -> list[dict[str, Any]]:
        assert main([*map(str, words)]) == code
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def given(*paths: object) -> None:
        text = "".join(f"{path}\n" for path in paths).encode()
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text)))

    photos = gallery.folder.parent / "photos"
    (tmp_path / "people" / "Ann").mkdir(parents=True)
    (tmp_path / "people" / "Ann" / "a.png").write_bytes((photos / "1-0.png").read_bytes())
    (tmp_path / "people" / "Ann" / "bad.jpg").write_bytes(b"bad")
    enrolled = lines("enroll", folder, "--folders", tmp_path / "people", "--json", "--quiet")
    assert [(each["name"], "face_id" in each) for each in enrolled] == [
        ("Ann", True),
        ("Ann", False),
    ]
    assert "not-an-image" in enrolled[1]["problem"]
    given(photos / "2-0.png", photos / "2-1.png", tmp_path / "no.png")
    enrolled = lines("enroll", folder, "Bob", "-", "--json")
    assert ["face_id" in each for each in enrolled] == [True, True, False]
    given(photos / "2-2.png", "", tmp_path / "no.png", photos / "3-0.png")
    found = lines("identify", folder, "-", photos / "1-1.png", "--json")
    assert [[face["person"] for face in each["faces"]] for each in found] == [
        ["Bob"],
        [],
        [None],
        ["Ann"],
    ]
    assert [each["reason"] for each in found] == ["", "unreadable", "", ""]
    assert main(["identify", folder, str(photos)]) == 0
    printed = capsys.readouterr().out
    assert f"{photos / '1-0.png'}: Ann\n" in printed
    assert "12 photos; 6 with somebody known; 0 not readable" in printed
    assert main(["enroll", folder, "Ann", "--folders", str(tmp_path)]) == 2
    assert main(["enroll", folder, "Ann"]) == 2
    assert "--folders" in capsys.readouterr().err
