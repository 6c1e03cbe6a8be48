"""``identify`` of many photos prints the same by the service and without one; so does a batch."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.cli import photo_questions
from facesearch.cli.main import main
from facesearch.engine_options import EngineOptions
from facesearch.gallery.gallery import Gallery
from facesearch.images.decode import DecodeLimits
from facesearch.people.store import PeopleStore
from facesearch.service.announcement import FILE
from facesearch.service.face_service import FaceService
from facesearch.service.transport import ServiceTransport
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import cluster, people_gallery
from support.serving.services import (
    clustered_gallery,
    found_by_commands,
    named_gallery,
    open_service,
)

FEW_PIXELS = 100 * 100


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    return named_gallery(folder)


@pytest.fixture(scope="module")
def asked(folder: Path, gallery: Gallery) -> Path:
    """A folder of photos: of people known and unknown, of nobody, of more pixels than the service
    takes, and files that cannot be read."""
    place = folder / "asked"
    for number in range(12):
        write_photo(place / "many" / f"{number:02d}.png", [1 + number % 4, 9], 700 + number)
    write_photo(place / "none.png", [], 5)
    write_photo(place / "wide.png", [2] * 8, 6, side=120)
    (place / "text.png").write_text("no photo")
    (place / "empty.jpg").write_bytes(b"")
    whole = (folder / "photos" / "1-0.png").read_bytes()
    (place / "cut.png").write_bytes(whole[: len(whole) // 2])
    return place


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The engines that commands made."""
    made: list[str] = []

    def create(options: EngineOptions, contract: Any = None, *, callers: int = 1) -> FakeEngine:
        made.append(contract.name if contract else "fake")
        return FakeEngine()

    monkeypatch.setattr(EngineOptions, "create", create)
    return made


@pytest.fixture(scope="module")
def running(folder: Path, gallery: Gallery) -> Iterator[FaceService]:
    limits = DecodeLimits(pixels=FEW_PIXELS)
    service = open_service(folder, gallery, upload_limits=limits)
    with found_by_commands(service):
        yield service


class Printer:
    """Runs a command, by the service and then without it."""

    def __init__(self, capsys: pytest.CaptureFixture[str], gallery: Gallery) -> None:
        self._capsys = capsys
        self.file = gallery.folder / FILE
        self.stdin = b""

    def printed(self, *words: object) -> tuple[int, str, str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(self.stdin)))
            code = main([str(word) for word in words])
        found = self._capsys.readouterr()
        return code, found.out, found.err

    def alone(self, *words: object) -> tuple[int, str, str]:
        kept = self.file.read_bytes()
        self.file.unlink()
        try:
            return self.printed(*words)
        finally:
            self.file.write_bytes(kept)
            self.file.chmod(0o600)


@pytest.fixture
def printer(capsys: pytest.CaptureFixture[str], gallery: Gallery, running: FaceService) -> Printer:
    return Printer(capsys, gallery)


@pytest.mark.parametrize("more", [(), ("--json",), ("--threshold", "0.001")])
@pytest.mark.parametrize(
    ("photos", "is_answered"),
    [
        (("many",), True),
        (("many/03.png", "none.png", "many/00.png"), True),
        (("text.png", "cut.png", "empty.jpg", "many/01.png"), True),
        (("missing.png", "many/01.png"), True),
        (("none.png", "text.png"), True),
        (("-",), True),
        (("wide.png", "many"), False),
        ((".",), False),
    ],
)
def test_with_and_without_a_service(
    printer: Printer,
    gallery: Gallery,
    asked: Path,
    engines: list[str],
    *,
    photos: tuple[str, ...],
    is_answered: bool,
    more: tuple[str, ...],
) -> None:
    printer.stdin = "".join(f"{asked / 'many' / each}.png\n" for each in ("04", "11")).encode()
    named = [each if each == "-" else asked / each for each in photos]
    words = ("identify", gallery.folder, *named, *more)
    by_service = printer.printed(*words)
    assert bool(engines) != is_answered, "the service answers what it can"
    assert by_service == printer.alone(*words)
    assert by_service[0] == (1 if more[:1] == ("--threshold",) or "none.png" in photos[0] else 0)
    assert by_service[1]


def test_the_order_is_that_of_the_photos(
    printer: Printer, gallery: Gallery, asked: Path, engines: list[str]
) -> None:
    places = [asked / "many" / f"{number:02d}.png" for number in (7, 0, 11, 3, 3, 5, 9, 1, 8)]
    code, out, _ = printer.printed("identify", gallery.folder, *places, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and engines == []
    assert [line["photo"] for line in lines] == list(map(str, places))
    assert {line["reason"] for line in lines} == {""}
    named = [{face["person"] for face in line["faces"]} - {None} for line in lines]
    people = {1: {"Ada"}, 2: {"Ben"}}
    assert named == [people.get(1 + int(place.stem) % 4, set()) for place in places]


@pytest.mark.parametrize("last", [0, 1, 5])
def test_a_service_that_ends_meanwhile_is_gone_on_without(
    printer: Printer,
    gallery: Gallery,
    asked: Path,
    engines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    last: int,
) -> None:
    """Each photo has one line, in order, whoever answered."""
    words = ("identify", gallery.folder, asked / "many", "--json")
    expected = printer.alone(*words)
    engines.clear()
    sent, left = ServiceTransport.send, [last]

    def failing(transport: ServiceTransport, *arguments: Any, **named: Any) -> Any:
        if named.get("files"):
            left[0] -= 1
            if left[0] < 0:
                raise ConnectionRefusedError("nobody listens")
        return sent(transport, *arguments, **named)

    monkeypatch.setattr(ServiceTransport, "send", failing)
    assert printer.printed(*words) == expected
    assert len(engines) == 1


def test_few_photos_are_on_their_way_at_once(
    printer: Printer, gallery: Gallery, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that never ends is read as far as it is needed."""
    read: list[int] = []

    def endless() -> Iterator[Path]:
        for number in range(10_000):
            read.append(number)
            yield asked / "many" / f"{number % 12:02d}.png"

    from facesearch.images import find_each

    questions = photo_questions.PhotoQuestions(gallery.folder, "identify", find_each(endless()))
    answers = iter(questions)
    for done in range(1, 8):
        _, answer = next(answers)
        assert answer is not None and len(read) <= done + photo_questions._AT_ONCE
    answers.close()  # type: ignore[attr-defined]
    assert questions.is_over and len(read) < 20


@pytest.mark.parametrize("photos", [("many",), ("missing.png", "many"), ("-",)])
def test_where_nobody_is_enrolled_it_is_said_first(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    asked: Path,
    engines: list[str],
    *,
    photos: tuple[str, ...],
) -> None:
    gallery = clustered_gallery(tmp_path)
    service = open_service(tmp_path, gallery)
    named = [each if each == "-" else asked / each for each in photos]
    with found_by_commands(service):
        printer = Printer(capsys, gallery)
        by_service = printer.printed("identify", gallery.folder, *named)
        assert by_service == printer.alone("identify", gallery.folder, *named)
    assert by_service[0] == 2 and by_service[1] == ""


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_batch_says_who_is_confirmed_and_who_is_guessed(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    asked: Path,
    engines: list[str],
    *,
    ending: str,
) -> None:
    gallery = people_gallery(tmp_path)
    PeopleStore(gallery.folder).enroll("Ann", [0])
    cluster(gallery)
    outs = [tmp_path / f"{name}.{ending}" for name in ("by-service", "alone")]
    with found_by_commands(open_service(tmp_path, gallery)):
        printer = Printer(capsys, gallery)
        words = ("search", gallery.folder, "--probes", asked / "many", "-k", 3, "--quiet", "--out")
        first, other = printer.printed(*words, outs[0]), printer.alone(*words, outs[1])
    assert first[0] == other[0] == 0
    assert first[1].replace(str(outs[0]), "OUT") == other[1].replace(str(outs[1]), "OUT")
    assert outs[0].read_bytes() == outs[1].read_bytes()
    if ending == "jsonl":
        rows = [json.loads(line) for line in outs[0].read_text().splitlines()]
        ann = {row["match_face"]: row for row in rows if row["person"] == "Ann"}
        assert {face: row["confirmed"] for face, row in ann.items()} == {
            0: True,
            1: False,
            2: False,
        }
        assert ann[0]["confidence"] == 1 and 0.3 < ann[1]["confidence"] < 1
        assert {row["confirmed"] for row in rows if row["person"] is None} == {None}
