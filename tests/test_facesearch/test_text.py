"""Text: what a terminal shows as it is, what it never gets, and cells that nothing calculates."""

from __future__ import annotations

import contextlib
import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from facesearch.cli.output import CELL_LIMIT, print_facts, print_table
from facesearch.text import count, display_width, escape_csv_cell, printable, unescape_csv_cell

SINHALA = "අම්මා ශ්‍රී"  # with vowel signs and a joiner
PERSIAN = "می‌خواهم"  # with a non-joiner
FAMILY = "👨‍👩‍👧 👍🏽 🇱🇰"
ORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
FORMULAS = "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n"


@pytest.mark.parametrize(
    "text", [SINHALA, PERSIAN, FAMILY, "Zoë", "Zoe\u0308", "\u200fשלמה\u200e", "李明", "a b\u00a0c"]
)
def test_names_of_every_script_are_shown_as_they_are(text: str) -> None:
    assert printable(text) == text == printable(text, "?")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\t", r"a\nb\t"),
        ("\x1b[31mred\x9b0m\x7f", r"\x1b[31mred\x9b0m\x7f"),
        ("exe.\u202egpj", r"exe.\u202egpj"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("one\u2028two", r"one\u2028two"),
        ("caf\udce9", r"caf\udce9"),
    ],
)
def test_what_moves_a_cursor_or_reorders_text_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert len(printable(text, "\ufffd")) == len(text)


@given(st.text(st.characters(exclude_categories=())))
@example(ORDERING)
def test_printable_text_is_safe_and_printing_it_again_changes_nothing(text: str) -> None:
    for shown in (printable(text), printable(text, "\ufffd")):
        shown.encode("utf-8")
        assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cs", "Zl", "Zp"}
        assert not {*shown} & {*ORDERING}
        assert printable(shown) == shown


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs", "Cf"))))
def test_only_controls_of_order_are_taken_from_text_without_control_characters(text: str) -> None:
    kept = "".join(each for each in text if each not in ORDERING)
    assert printable(text, "") == kept


@pytest.mark.parametrize(
    ("text", "columns"),
    [("Ann", 3), ("Zoe\u0308", 3), ("李明", 4), ("👍", 2), (PERSIAN, 7), ("", 0)],
)
def test_width_counts_columns(text: str, columns: int) -> None:
    assert display_width(text) == columns


@given(st.lists(st.tuples(st.text(max_size=80), st.integers()), min_size=1, max_size=5))
def test_columns_of_a_table_begin_below_each_other(rows: list[tuple[str, int]]) -> None:
    lines = _printed(("name", "n"), rows)
    assert len(lines) == len(rows) + 1
    ends = {display_width(line) for line in lines}
    assert len(ends) == 1  # the last column is of numbers, which end below each other
    assert max(ends) <= CELL_LIMIT + 2 + max(len(str(number)) for _, number in rows)


def _printed(header: tuple[str, ...], rows: list[tuple[str, int]]) -> list[str]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        print_table(header, rows)
    return out.getvalue().removesuffix("\n").split("\n")


def test_long_cells_are_cut_at_their_beginning_and_not_within_a_letter() -> None:
    (_, line) = _printed(("name", "n"), [("x" * 50 + "e\u0308" * 57, 1)])
    assert line == "..." + "e\u0308" * 57 + "  1"
    (_, line) = _printed(("name", "n"), [("李" * 31, 1)])
    assert line == "..." + "李" * 28 + "  1"


def test_facts_print_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts([("gallery", "a\x1b[2J"), ("faces", 3)])
    assert capsys.readouterr().out == "gallery  a\\x1b[2J\nfaces    3\n"


@given(st.text(st.sampled_from(FORMULAS + "'\", ab"), max_size=6))
def test_no_cell_is_a_formula_to_a_spreadsheet_and_all_come_back(text: str) -> None:
    cell = escape_csv_cell(text)
    assert cell[:1] == "" or cell[0] not in FORMULAS
    assert unescape_csv_cell(cell) == text
    assert cell == text or text.lstrip("'")[0] in FORMULAS


@given(st.text())
def test_every_cell_comes_back(text: str) -> None:
    assert unescape_csv_cell(escape_csv_cell(text)) == text


def test_counts_in_words() -> None:
    assert [count(1, "photo"), count(1204, "photo")] == ["1 photo", "1,204 photos"]
    assert count(3, "person", "people") == "3 people"
