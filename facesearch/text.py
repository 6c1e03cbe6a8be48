"""Text that people and spreadsheet programs read: counts, names of any script, CSV cells."""

from __future__ import annotations

import re
import unicodedata

# Letters, marks, emoji and joiners of every script are shown. These categories are not: control
# characters move a cursor or ring a bell, lone surrogates stand for bytes that are not UTF-8, and
# line and paragraph separators break a line in two.
_UNSAFE_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
# Embeddings, overrides and isolates reorder the text after them, so that it reads as another
# (Unicode Technical Report 36, "Bidirectional Text Spoofing"). Marks (U+200E, U+200F, U+061C) do
# not, and Arabic, Hebrew and Persian text needs them.
_BIDI_CONTROLS = {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
# What makes a spreadsheet program take a cell for a formula; Japanese and Chinese versions also
# take the full-width signs, and a tab or a line break at the beginning may be dropped.
_FORMULA = re.compile("'*[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")


def composed(text: str) -> str:
    """``text`` in Unicode's normal form C: what people type alike is alike, on any keyboard.

    Names of files may come in form D (macOS writes "e" and an accent), and look the same.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def spellings(text: str) -> frozenset[str]:
    """``text`` as it is, and in the normal forms C and D."""
    return frozenset((text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD"))))


def count(value: int, singular: str, plural: str = "") -> str:
    """``1 photo``, ``1,204 photos``, ``3 people``."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"


def printable(text: object, replacement: str | None = None) -> str:
    """``text`` with what is unsafe to show as backslash escapes, or each as ``replacement``.

    Unsafe are control characters, lone surrogates (bytes of file names that are not UTF-8), line
    separators, and controls that reorder text.
    """
    return "".join(
        (_escaped(each) if replacement is None else replacement) if _unsafe(each) else each
        for each in str(text)
    )


def display_width(text: str) -> int:
    """How many columns of a terminal ``text`` takes: marks none, wide letters and emoji two.

    By Unicode's East Asian Width (UAX 11); terminals differ on emoji that are joined to one.
    """
    return sum(map(_columns, text))


def escape_csv_cell(text: str) -> str:
    """``text`` as a cell that no spreadsheet program calculates.

    It gets an apostrophe before ``=``, ``+``, ``-``, ``@``, their full-width forms, a tab or a line
    break at its beginning, and one more where apostrophes are before these already.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_csv_cell(cell: str) -> str:
    """The text that :func:`escape_csv_cell` made ``cell`` of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _unsafe(character: str) -> bool:
    return character in _BIDI_CONTROLS or unicodedata.category(character) in _UNSAFE_CATEGORIES


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
