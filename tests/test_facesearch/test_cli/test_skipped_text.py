"""What is said of files that were not read: numbers that add up, extras, galleries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facesearch.cli.gallery.skipped_text import skipped_facts, skipped_json, skipped_notes
from facesearch.cli.output import print_json
from facesearch.images import find_photos
from facesearch.images.walk.skipped import KINDS, SkippedFiles


@pytest.fixture
def skipped(tmp_path: Path) -> SkippedFiles:
    names = ("a.mov", "b.mp4", "c.xyz", "d.qqq", "e", "my.gallery/gallery.json", "@eaDir/a.jpg")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'{"format": "facesearch-gallery"}')
    found = SkippedFiles()
    assert list(find_photos([tmp_path], found)) == []
    return found


def test_facts_add_up_and_the_most_come_first(skipped: SkippedFiles) -> None:
    (name, total), *kinds = skipped_facts(skipped)
    assert (name, total) == ("files skipped", 7)
    numbers = [int(str(value).split()[0]) for _, value in kinds]
    assert sum(numbers) == 7 and numbers == sorted(numbers, reverse=True)
    others = str(dict(kinds)["  other files"])
    assert others.startswith("3 (")
    assert {*others[3:-1].split(", ")} == {".xyz", ".qqq", "no ending"}
    assert dict(kinds)["  videos"] == "2"


def test_nothing_is_said_of_nothing() -> None:
    assert skipped_facts(SkippedFiles()) == [] == list(skipped_notes(SkippedFiles()))


def test_galleries_and_missing_extras_are_named(skipped: SkippedFiles, tmp_path: Path) -> None:
    skipped.counts["raw"] = 1200
    skipped.counts["jpeg-xl"] = 1
    lines = list(skipped_notes(skipped))
    assert lines == [
        f"skipped: {tmp_path / 'my.gallery'} is a gallery of 1 file",
        "skipped: 1,200 camera raw files; to read them: pip install 'facesearch[raw]'",
        "skipped: 1 JPEG XL images; to read them: pip install 'facesearch[jxl]'",
    ]


def test_programs_get_the_whole_account(
    skipped: SkippedFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    print_json(skipped_json(skipped))
    account = json.loads(capsys.readouterr().out)
    assert account["files"] == 7 == sum(account["kinds"].values())
    assert {*account["kinds"]} <= {*KINDS}
    assert account["other_endings"] == {".xyz": 1, ".qqq": 1, "": 1}
    assert {(each["kind"], each["files"]) for each in account["folders"]} == {
        ("gallery", 1),
        ("thumbnails", 1),
    }
