"""Commands on an encrypted gallery, as on any other; and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facesearch.api.encryption import unlocked_gallery
from facesearch.cli.gallery import encryption
from facesearch.cli.main import build_parser, commands_below, main
from facesearch.encryption import keys
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from support.failures.promises import promising_gallery


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keys, "SCRYPT_COST", 1 << 12)
    monkeypatch.delenv(encryption.KEY_FILE, raising=False)
    monkeypatch.delenv(encryption.PASSPHRASE, raising=False)
    return promising_gallery(tmp_path).folder


def test_every_command_works_on_an_encrypted_gallery(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = tmp_path / "key"
    assert main(["encrypt", str(folder), "--key-file", str(folder / "key")]) == 2
    assert "a key file outside" in capsys.readouterr().err and not (folder / "key").exists()
    assert main(["encrypt", str(folder), "--key-file", str(key)]) == 0
    out, err = capsys.readouterr()
    assert "encrypted" in out and f"key file made: {key}" in err and key.exists()
    assert main(["encrypt", str(folder), "--key-file", str(key)]) == 2
    assert main(["info", str(folder)]) == 2
    assert f"opens with a key file; set {encryption.KEY_FILE}" in capsys.readouterr().err
    monkeypatch.setenv(encryption.KEY_FILE, str(key))
    assert main(["check", str(folder)]) == 0
    assert main(["info", str(folder), "--json"]) == 0
    out = capsys.readouterr().out
    assert "/dev/shm" not in out and str(folder) in out
    assert main(["people", "list", str(folder), "--json"]) == 0
    assert {"Ada", "Ida"} < {each["name"] for each in json.loads(capsys.readouterr().out)["people"]}
    assert main(["people", "name", str(folder), "Ada", "Grace"]) == 0
    assert main(["forget", str(folder), "--person", "Grace", "--yes"]) == 0
    assert f"receipt: {folder}/erasures/000000.json" in capsys.readouterr().out
    with unlocked_gallery(folder, key_file=key) as work:
        assert PeopleStore(work).memberships().names == ("Ida",)
        assert Gallery.open(work).state().face_count == 6
        assert (work / "erasures" / "000000.json").exists()
    assert not (folder / "erasures").exists()
    assert main(["cluster", str(folder), "--threshold", "0.5"]) == 0
    assert main(["decrypt", str(folder)]) == 0
    assert main(["check", str(folder)]) == 0
    assert Gallery.open(folder).state().face_count == 6


def test_what_would_not_be_encrypted_must_be_asked_for(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(encryption.PASSPHRASE, "correct horse")
    assert main(["encrypt", str(folder)]) == 0
    assert main(["report", str(folder)]) == 2
    assert "--out DIR" in capsys.readouterr().err
    assert main(["export", str(folder), str(tmp_path / "a.zip")]) == 2
    assert "an archive would not be" in capsys.readouterr().err
    assert not (tmp_path / "a.zip").exists()
    assert main(["export-vectors", str(folder), str(tmp_path / "v.parquet")]) == 2
    assert "the vectors in a Parquet file would not be" in capsys.readouterr().err
    assert not (tmp_path / "v.parquet").exists()
    assert main(["report", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "index.html").exists()
    monkeypatch.setenv(encryption.PASSPHRASE, "another horse")
    assert main(["info", str(folder)]) == 2
    assert "passphrase is not the right one" in capsys.readouterr().err


def test_the_key_is_changed(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert main(["change-key", str(folder), "--key-file", str(old)]) == 2
    assert "is no encrypted gallery" in capsys.readouterr().err
    assert main(["encrypt", str(folder), "--key-file", str(old)]) == 0
    words = ["change-key", str(folder), "--key-file", str(old), "--new-key-file", str(new)]
    assert main(words) == 0
    assert main(["decrypt", str(folder), "--key-file", str(old)]) == 2
    assert "key file is not the right one" in capsys.readouterr().err
    assert main(["decrypt", str(folder), "--key-file", str(new)]) == 0


def test_a_passphrase_is_asked_for_twice_when_it_is_new(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["encrypt", str(folder)]) == 2
    assert "expected a terminal" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = iter(["correct horse", "correct house", "correct horse", "correct horse"])
    monkeypatch.setattr(encryption.getpass, "getpass", lambda prompt: next(answers))
    assert main(["encrypt", str(folder)]) == 2
    assert "the two passphrases differ" in capsys.readouterr().err
    assert (folder / "gallery.json").exists()
    assert main(["encrypt", str(folder)]) == 0
    monkeypatch.setattr(encryption.getpass, "getpass", lambda prompt: "correct horse")
    assert main(["info", str(folder)]) == 0


def test_commands_that_only_read_are_commands() -> None:
    commands = commands_below(build_parser())
    below = {f"people {name}" for name in commands_below(commands["people"])}
    assert {*encryption.READING} <= {*commands} | below
    for name, parser in commands.items():
        if name in encryption.READING:
            args = parser.parse_args(["g", "p"] if name in ("search", "identify") else ["g"])
            assert encryption.command_name(args) == name
    args = commands_below(commands["people"])["list"].parse_args(["g"])
    assert encryption.command_name(args) == "people list"
