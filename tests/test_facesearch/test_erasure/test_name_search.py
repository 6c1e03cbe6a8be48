"""A name that is left is found wherever text is written, and no other bytes are taken for it."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

import markupsafe
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from facesearch.erasure import gallery_files
from facesearch.erasure.gallery_files import pieces
from facesearch.erasure.name_search import WITHOUT_TEXT, names_found
from facesearch.errors import InputError
from facesearch.people.ledger import DecisionAuthor
from facesearch.people.store import PeopleStore, normalise_name
from facesearch.text import composed, escape_csv_cell
from support.examples import examples


def _is_name(text: str) -> bool:
    """Whether it can be a person's, and is no word of the files below, which are in small letters
    of ASCII."""
    try:
        cleaned = normalise_name(text)
    except InputError:
        return False
    first, last = cleaned[0], cleaned[-1]
    return (
        first.isalpha()
        and last.isalpha()
        and not (cleaned.isascii() and cleaned == cleaned.lower())
    )


LETTERS = "AdamZoëÅñß李明ナがΩжक"
NAMES = (
    st.text(LETTERS + " &'\"<>-.", min_size=1, max_size=6).map(lambda text: " ".join(text.split()))
).filter(_is_name)
# What makes a longer name of one, of one word or of several.
BESIDE = st.tuples(
    st.sampled_from(["", "M", "Mc", "Dr. ", "李", "& "]),
    st.sampled_from(["m", "e", "lina", " Lovelace", "-Maria", "明", " & Co", ' "X" Y']),
)


def _html(name: str) -> bytes:
    return f"<p>with <b>{markupsafe.escape(name)}</b>, and more</p>".encode()


def _xmp(name: str) -> bytes:
    return f"<x:xmpmeta><rdf:li>{escape(name)}</rdf:li></x:xmpmeta>".encode()


def _csv(name: str) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([["face", "name"], [7, escape_csv_cell(name)]])
    return text.getvalue().encode()


def _json(name: str) -> bytes:
    return json.dumps([{"name": name, "what": f"x\n{name}"}], ensure_ascii=False).encode()


def _ascii_json(name: str) -> bytes:
    return json.dumps({"people": [name]}).encode()


def _sentence(name: str) -> str:
    return f"with {name} - and more"


TEXTS: dict[str, Callable[[str], bytes]] = {
    "report/index.html": _html,
    "report/.people-2.html.partial": _html,
    "report/xmp/a.jpg.xmp": _xmp,
    "report/album.csv": _csv,
    "report/album.json": _json,
    "settings.json": _ascii_json,
    ".calibration.json.partial": _ascii_json,
    "notes": lambda name: _sentence(name).encode(),
    "wide.txt": lambda name: _sentence(name).encode("utf-16-le"),
    "wide-too": lambda name: _sentence(name).encode("utf-16-be"),
}


@contextmanager
def gallery_folder(people: list[str]) -> Iterator[Path]:
    """A folder with a ledger that names ``people``."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "my.gallery"
        folder.mkdir()
        store = PeopleStore(folder)
        for face, name in enumerate(people):
            store.enroll(name, [face])
        yield folder


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def longer(name: str, beside: list[tuple[str, str]]) -> list[str]:
    made = {normalise_name(before + name + after) for before, after in beside}
    return sorted(made - {composed(name)})


@examples(25, 60)
@given(NAMES, st.lists(BESIDE, min_size=1, max_size=4), st.binary(max_size=200))
@example("Ada", [("", "m"), ("", " Lovelace"), ("Mc", "m")], b"")
def test_bytes_that_are_no_name_and_longer_names_are_not_found(
    name: str, beside: list[tuple[str, str]], noise: bytes
) -> None:
    others = longer(name, beside)
    with gallery_folder(others) as folder:
        for suffix in WITHOUT_TEXT:
            for form in ("NFC", "NFD"):
                data = noise + unicodedata.normalize(form, name).encode() + noise
                write(folder, f"clusters/{form}{suffix}", data)
                write(folder, f".{form}{suffix}.partial", data)
        write(folder, "outputs.json", _json(f"/photos/{name}/out"))
        for form in ("NFC", "NFD"):
            for other in others:
                for path, content in TEXTS.items():
                    write(folder / form, path, content(unicodedata.normalize(form, other)))
        assert names_found(folder, [name]) == []


@examples(25, 60)
@given(NAMES, st.lists(BESIDE, max_size=3), st.sampled_from(["NFC", "NFD"]))
def test_a_name_that_is_left_is_found_in_every_text(
    name: str, beside: list[tuple[str, str]], form: str
) -> None:
    others = longer(name, beside)
    with gallery_folder([*others, "Somebody"]) as folder:
        assert names_found(folder, [name]) == []
        for path, content in TEXTS.items():
            around = b"".join(content(other) for other in others)
            left = content(unicodedata.normalize(form, name))
            place = write(folder, path, around + left + around)
            assert names_found(folder, [name]) == [place], path
            assert names_found(folder, ["Somebody-else", name]) == [place]
            place.unlink()


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Ada", "Adam", False),
        ("Ada", "NAda", False),
        ("Ada", "Ada!", True),
        ("Ada", '"Ada"', True),
        ("Ada", "'Ada'", True),
        ("Ada", "&quot;Ada&quot;", True),
        ("Ada", "Ada_1.jpg", True),
        ("Ada", r"\u00e9Ada", False),
        ("Ada", r"Ada\u00e9", False),
        ("Ada", r"x\nAda\n", True),
        ("Ada", r"x\\nAda", False),
        ("Ada", r"Ada\u002c", True),
        ("ada", "0f3ada77", False),
        ("Ada1", "Ada12", False),
        ("Zoe", "Zoe\u0308", False),
        ("Zoë", "Zoe\u0308", True),
        ("Zoë", "Zoe\u0308l", False),
        ("李", "李明", False),
        ("李", "「李」", True),
        ("(A)", "B(A)B", True),
        ("😀", "x😀x", True),
        ("가", unicodedata.normalize("NFD", "각"), False),
    ],
)
def test_words(tmp_path: Path, name: str, text: str, found: bool) -> None:
    place = write(tmp_path, "page.html", text.encode())
    assert names_found(tmp_path, [name]) == [place] * found


def test_a_name_across_the_edge_of_two_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_files, "_PIECE", 64)
    for at in range(40, 90):
        for text, found in (("Ada", True), ("Adam", False)):
            place = write(tmp_path, "page.html", b"." * at + text.encode() + b"." * 100)
            assert names_found(tmp_path, ["Ada"]) == [place] * found, at


@given(st.binary(max_size=200), st.integers(0, 20), st.integers(1, 30))
def test_pieces_have_every_place_once_and_what_is_around_it(
    data: bytes, reach: int, size: int
) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery_files, "_PIECE", size)
        path = write(Path(place), "file", data)
        done = 0
        for piece, start, stop in pieces(path, reach):
            assert piece[start:stop] == data[done : done + stop - start]
            assert start >= min(reach, done)
            done += stop - start
            assert len(piece) - stop >= min(reach, len(data) - done)
        assert done == len(data)


def test_files_of_no_known_kind_that_are_not_text(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(1 << 16)
    place = write(tmp_path, "sealed/0f", noise + b"Ada" + noise)
    assert names_found(tmp_path, ["Ada"]) == []
    place.write_bytes(noise + b"Ada Lovelace" + noise)
    assert names_found(tmp_path, ["Ada Lovelace"]) == [place]


def test_names_of_files_are_looked_at(tmp_path: Path) -> None:
    place = write(tmp_path, "Ada/crop.jpg", b"")
    write(tmp_path, "Adam/crop.jpg", b"")
    assert names_found(tmp_path, ["Ada"]) == [place]
    assert names_found(tmp_path, []) == []


def test_the_ledger_holds_a_name(tmp_path: Path) -> None:
    database = tmp_path / "people.sqlite"
    store = PeopleStore(tmp_path, DecisionAuthor("Bo Smith", "asked by Cy"))
    store.enroll("Ada", [1])
    store.enroll("Adam Zoë", [2])
    for name, found in (("Ada", True), ("Adam", False), ("Zoë", False), ("Al", False)):
        assert names_found(tmp_path, [name]) == [database] * found, name
    for name, found in (("Bo", True), ("Cy", True), ("Bob", False)):
        assert names_found(tmp_path, [name]) == [database] * found, name
    for word in ("enroll", "roll", "me"):  # in the words for kinds of decisions
        assert names_found(tmp_path, [word]) == []
    store.forget_name("Ada")
    assert names_found(tmp_path, ["Ada"]) == []


@contextmanager
def as_earlier_programs(database: Path) -> Iterator[sqlite3.Connection]:
    """Its connection, where what is deleted is not overwritten."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("PRAGMA journal_mode = DELETE")
        yield connection
        connection.commit()


@pytest.mark.parametrize("rows", [3, 600])
@pytest.mark.parametrize("name", ["Ada", "Zoë", "李"])
def test_bytes_of_deleted_rows_hold_a_name(tmp_path: Path, name: str, rows: int) -> None:
    """In pages with other rows, and in pages that are free."""
    store = PeopleStore(tmp_path)
    store.enroll(f"{name}m", [1])
    database = tmp_path / "people.sqlite"
    with as_earlier_programs(database) as connection:
        insert = "INSERT INTO decision VALUES (?, 5, 'then', 'name', 9, NULL, ?)"
        connection.executemany(insert, [(10 + row, name) for row in range(rows)])
        connection.commit()
        connection.execute("DELETE FROM decision WHERE id >= 10")
        connection.commit()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    assert (free > 0) == (rows > 3)
    assert name.encode() in database.read_bytes().replace(f"{name}m".encode(), b"")
    assert [each.name for each in store.decisions()] == [f"{name}m"]
    assert names_found(tmp_path, [name]) == [database]
    assert names_found(tmp_path, ["Bob"]) == []
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM")
    assert names_found(tmp_path, [name]) == []


def test_numbers_in_the_ledger_are_no_names(tmp_path: Path) -> None:
    """Of faces whose numbers have the bytes of a name."""
    store = PeopleStore(tmp_path)
    store.enroll("Somebody", [int.from_bytes(b"\0\0\0\1\0Ada"), int.from_bytes(b"Al")])
    assert b"Ada" in (tmp_path / "people.sqlite").read_bytes()
    assert names_found(tmp_path, ["Ada", "Al"]) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_journals_and_databases_that_cannot_be_read(tmp_path: Path, encoding: str) -> None:
    store = PeopleStore(tmp_path)
    store.enroll("Adam", [1])
    # Its header is that of a journal which was used up, so that SQLite leaves it alone.
    journal = write(tmp_path, "people.sqlite-journal", bytes(512) + "Adam".encode(encoding) + b"\0")
    assert names_found(tmp_path, ["Ada"]) == []
    journal.write_bytes(bytes(512) + "Ada".encode(encoding) + b"\1")
    assert names_found(tmp_path, ["Ada"]) == [journal]
    journal.unlink()
    database = tmp_path / "people.sqlite"
    database.write_bytes(database.read_bytes()[:5000] + "Ida".encode(encoding))
    assert names_found(tmp_path, ["Ida"]) == [database]
