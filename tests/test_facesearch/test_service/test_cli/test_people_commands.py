"""Commands about people print the same by the service and without one, and decide once."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from facesearch.cli.main import main
from facesearch.cli.people import decisions, people
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.service.announcement import FILE
from facesearch.service.transport import ServiceTransport
from support.serving.services import clustered_gallery, found_by_commands, open_service

# Each in the state that those before it leave.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("list",),
    ("list", "--json"),
    ("show", "p1"),
    ("show", "p2", "--unsure", "--json"),
    ("name", "p1", "Ada"),
    ("merge", "ada", "p2"),
    ("split", "Ada", "2-0.png", "--name", "Bea"),
    ("show", "Ada"),
    ("reject", "Ada", "2-1.png", "--json"),
    ("add", "Bea", "4", "5"),
    ("add", "Bea", "9", "--json"),
    ("hide", "p3"),
    ("list",),
    ("list", "--all"),
    ("unhide", "p3", "--json"),
    ("confirm", "p4"),
    ("apart", "Bea", "p3"),
    ("later", "Ada", "p3"),
    ("later", "Ada", "--face", "4"),
    ("cover", "Ada", "1-1.png"),
    ("not-face", "7", "--json"),
    ("undo", "--dry-run"),
    ("undo", "--dry-run", "--decision", "15", "--json"),
    ("undo", "--json"),
    ("undo",),
    ("history",),
    ("history", "--json"),
    ("list", "--json"),
)
WRONG: tuple[tuple[str, ...], ...] = (
    ("show", "nobody"),
    ("name", "p1", "p2"),
    ("merge", "p1", "p1"),
    ("add", "p1", "99999"),
    ("cover", "p1", "no.png"),
    ("undo",),
)


@pytest.fixture
def locally(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What commands did without a service."""
    done: list[str] = []

    def noted(module: Any, name: str) -> None:
        function = getattr(module, name)

        def note(*arguments: Any) -> Any:
            done.append(name)
            return function(*arguments)

        monkeypatch.setattr(module, name, note)

    noted(decisions, "_decided")
    for name in ("_listed", "_shown", "_undone", "_history"):
        noted(people, name)
    return done


def running(folder: Path, gallery: Gallery) -> AbstractContextManager[str]:
    return found_by_commands(open_service(folder, gallery))


def printed(
    capsys: pytest.CaptureFixture[str], gallery: Gallery, command: tuple[str, ...]
) -> tuple[int, str, str]:
    """What a command prints, without where its gallery lies and when it was."""
    name, *words = command
    code = main(["people", name, str(gallery.folder), *words])
    found = capsys.readouterr()
    texts = [
        re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", "TIME", each).replace(
            str(gallery.folder.parent), "FOLDER"
        )
        for each in (found.out, found.err)
    ]
    return code, texts[0], texts[1]


def test_a_life_of_decisions(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, locally: list[str]
) -> None:
    ours, other = (clustered_gallery(tmp_path / name) for name in ("ours", "other"))
    with running(tmp_path / "ours", ours):
        by_service = [printed(capsys, ours, command) for command in COMMANDS]
    assert locally == []
    alone = [printed(capsys, other, command) for command in COMMANDS]
    assert len(locally) == len(COMMANDS)
    for command, one, two in zip(COMMANDS, by_service, alone, strict=True):
        assert one == two, command
        assert one[0] == 0, command
    kept = [PeopleStore(each.folder) for each in (ours, other)]
    assert {each.name for each in kept[0].authors().values()} == {"command line"}
    assert kept[0].decided() == kept[1].decided()


@pytest.mark.parametrize("command", WRONG)
def test_what_is_refused_is_refused_in_the_same_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    gallery = clustered_gallery(tmp_path)
    with running(tmp_path, gallery):
        by_service = printed(capsys, gallery, command)
    assert by_service == printed(capsys, gallery, command)
    assert by_service[0] == 2 and by_service[2].startswith("facesearch: ")
    assert PeopleStore(gallery.folder).decisions() == []


def test_the_folder_is_called_as_it_was_typed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = clustered_gallery(tmp_path)
    monkeypatch.chdir(tmp_path)
    with running(tmp_path, gallery):
        assert main(["people", "add", "my.gallery", "p1", "3"]) == 0
    printed_note = capsys.readouterr().out
    assert "facesearch people merge my.gallery p1 p2" in printed_note
    assert str(tmp_path) not in printed_note


@pytest.mark.parametrize("command", [("hide", "p1"), ("name", "p1", "Ada"), ("undo",)])
def test_a_decision_whose_answer_is_lost_is_not_entered_again(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    locally: list[str],
    *,
    command: tuple[str, ...],
) -> None:
    gallery = clustered_gallery(tmp_path)
    PeopleStore(gallery.folder).enroll("Zoe", [0])
    sent = ServiceTransport.send

    def lost(transport: ServiceTransport, *arguments: Any, **named: Any) -> Any:
        sent(transport, *arguments, **named)
        raise ConnectionResetError("the service was killed")

    with running(tmp_path, gallery), monkeypatch.context() as patch:
        patch.setattr(ServiceTransport, "send", lost)
        code, _, err = printed(capsys, gallery, command)
    assert code == 2 and "people history" in err
    assert locally == []
    assert len(PeopleStore(gallery.folder).decisions()) == 2  # once, by the service


def test_without_anybody_listening_the_command_decides(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, locally: list[str]
) -> None:
    gallery = clustered_gallery(tmp_path)
    with running(tmp_path, gallery):
        kept = (gallery.folder / FILE).read_bytes()
    (gallery.folder / FILE).write_bytes(kept)
    (gallery.folder / FILE).chmod(0o600)
    assert printed(capsys, gallery, ("hide", "p1"))[0] == 0
    assert locally == ["_decided"]
    assert PeopleStore(gallery.folder).authors() == {}
