"""What no row holds any more: every byte of deleted rows, and none of a row that is there."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.erasure.database_leftovers import leftovers


def token(number: int) -> str:
    return f"<{number:010d}>"


def made(
    page: int, without_rowid: bool, lengths: list[int], deleted: float
) -> tuple[bytes, set[int]]:
    """The bytes of a database with a token in each row, and the tokens of those that are there."""
    chance = random.Random(len(lengths))
    live = {number for number in range(len(lengths)) if chance.random() >= deleted}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            for setting in (f"page_size = {page}", "secure_delete = OFF", "journal_mode = DELETE"):
                connection.execute(f"PRAGMA {setting}")
            kind = "WITHOUT ROWID" if without_rowid else ""
            connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT) {kind}")
            connection.execute("CREATE INDEX of_text ON t (text)")
            rows = [(at, token(at) + "." * length) for at, length in enumerate(lengths)]
            chance.shuffle(rows)
            connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
            connection.commit()
            gone = [(at,) for at in range(len(lengths)) if at not in live]
            connection.executemany("DELETE FROM t WHERE id = ?", gone)
            connection.commit()
        return path.read_bytes(), live


@settings(max_examples=40)
@given(
    st.sampled_from([512, 1024, 4096, 65536]),
    st.booleans(),
    st.lists(st.one_of(st.integers(0, 60), st.integers(0, 3000)), max_size=120),
    st.sampled_from([0.0, 0.3, 0.9, 1.0]),
)
def test_live_rows_are_left_out_and_all_else_is_there(
    page: int, without_rowid: bool, lengths: list[int], deleted: float
) -> None:
    data, live = made(page, without_rowid, lengths, deleted)
    parts = list(leftovers(data))
    for number in range(len(lengths)):
        needle = token(number).encode()
        left = sum(part.count(needle) for part in parts)
        in_rows = 2 if number in live else 0  # in the table and in its index
        assert data.count(needle) == left + in_rows, (number, number in live)


def test_deleted_rows_are_there(tmp_path: Path) -> None:
    """So that the property above says something."""
    data, live = made(512, False, [20] * 100, 0.9)
    gone = [token(number).encode() for number in range(100) if number not in live]
    there = b"|".join(leftovers(data))
    assert sum(needle in there for needle in gone) > 40


@settings(max_examples=60)
@given(st.data())
def test_the_search_of_damaged_files_ends(data: st.DataObject) -> None:
    whole, _ = made(512, False, [30] * 60, 0.5)
    bad = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 20))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    del bad[data.draw(st.one_of(st.just(len(bad)), st.integers(0, len(bad)))) :]
    # Of each page no more than itself, and what lay beside cells before it was seen to be damaged.
    assert sum(map(len, leftovers(bytes(bad)))) <= 2 * len(bad)


@pytest.mark.parametrize("data", [b"", b"Ada", b"SQLite format 3\0", bytes(4096)])
def test_what_is_no_database_is_all_left_over(data: bytes) -> None:
    assert b"".join(leftovers(data)) == data
