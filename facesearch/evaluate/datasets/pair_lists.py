"""Pairs files of any protocol: LFW's own format, or a table of photos (or tracks) and labels."""

from __future__ import annotations

import csv
from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np

from facesearch.errors import InputError
from facesearch.evaluate.verification import LabelledPairs, read_pairs

# What files of this kind call their columns, written in lower case without spaces.
_NAMES = {
    "first": ("first", "photo1", "track1", "first_name"),
    "second": ("second", "photo2", "track2", "second_name"),
    "same": ("same", "is_same", "is_same_person"),
    "fold": ("fold", "split", "split_number"),
}
_PLAIN = ("first", "second", "same", "fold")  # the columns of a table without a header
_WORDS = frozenset({"same", "different"})
_SAME = {"1": True, "true": True, "same": True, "0": False, "false": False, "different": False}


def read_pairs_file(path: Path) -> LabelledPairs:
    """The pairs of a file in LFW's format or a table; raises :class:`InputError` for others.

    A table is UTF-8 text, its columns separated by tabs or commas: two paths below the folder of
    photos; 1, true or same, or else 0, false or different; and, if the pairs come in folds, the
    name of the fold. A first line of names (first, second, same, fold; or photo1, photo2 ...)
    may put them in another order and add columns, which are ignored; so are
    empty lines and those that begin with #. Without folds ``LabelledPairs.folds``
    is all 0.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the pairs file {path}: {error}") from error
    words = lines[0].split() if lines else []
    if words and all(word.isdecimal() for word in words):
        return read_pairs(path)
    return _read_table(path, lines)


def _read_table(path: Path, lines: Sequence[str]) -> LabelledPairs:
    separator = "\t" if any("\t" in line for line in lines) else ","
    rows = [
        (number, [cell.strip() for cell in cells])
        for number, cells in enumerate(csv.reader(lines, delimiter=separator), start=1)
        if any(cell.strip() for cell in cells) and not cells[0].startswith("#")
    ]
    if not rows:
        raise InputError(f"{path}: expected pairs of photos, found an empty file")
    columns = _header(rows[0][1], {cells[2].lower() for _, cells in rows[1:] if len(cells) > 2})
    body = rows[1:] if columns else rows
    if not body:
        raise InputError(f"{path}: expected pairs of photos below the names, found none")
    width = len(rows[0][1])
    for number, cells in body:
        if len(cells) != width:
            raise InputError(
                f"{path}, line {number}: expected {width} columns as in the first line, found "
                f"{len(cells)}: {list(cells)}"
            )
    columns = columns or {name: at for at, name in enumerate(_PLAIN[:width])}
    pairs = [_pair(cells, columns, f"{path}, line {number}") for number, cells in body]
    first, second, same, folds = zip(*pairs, strict=True)
    numbers = np.unique(np.array(folds), return_inverse=True)[1].astype(np.int64)
    return LabelledPairs(first, second, np.array(same, np.bool_), numbers)


def _header(cells: Sequence[str], labels: Set[str]) -> dict[str, int]:
    """Where each column is, or nothing where these cells are no names.

    ``labels`` are those of the other lines. Where they are no words, "same" in the first line names
    the column, whatever the other columns are called.
    """
    words = [cell.lower().replace(" ", "_") for cell in cells]
    found = {
        column: at
        for column, names in _NAMES.items()
        for at, word in enumerate(words)
        if word in names
    }
    if {"first", "second", "same"} <= found.keys():
        return found
    named = len(words) > 2 and words[2] in _NAMES["same"] and labels and not labels & _WORDS
    return {name: at for at, name in enumerate(_PLAIN[: len(words)])} if named else {}


def _pair(cells: Sequence[str], columns: dict[str, int], where: str) -> tuple[str, str, bool, str]:
    if len(cells) <= max(columns.values()) or len(columns) < 3:
        raise InputError(
            f"{where}: expected photo1, photo2, same and perhaps fold, with tabs or commas "
            f"between, found {list(cells)}"
        )
    label = cells[columns["same"]].lower()
    if label not in _SAME:
        raise InputError(f"{where}: expected 1 for the same person or 0 for not, found {label!r}")
    fold = cells[columns["fold"]] if "fold" in columns else ""
    return cells[columns["first"]], cells[columns["second"]], _SAME[label], fold
