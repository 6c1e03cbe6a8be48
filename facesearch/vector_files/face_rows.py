"""Rows of a file of vectors as faces of photos that are not here, or why they cannot be."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.schema import QUALITIES, TIMES
from facesearch.people.store import normalise_name
from facesearch.vector_files.layout import LISTS
from facesearch.vector_files.sources import VectorRows
from indexer.types import UNIT_LENGTH_TOLERANCE

SHOWN = 20  # refused rows that a report names


@dataclass(frozen=True)
class RefusedRow:
    """A row of the file (counted from 0) that was not imported, and why."""

    row: int
    reason: str
    detail: str


@dataclass
class Refusals:
    """How many rows were refused for each reason, and the first of them."""

    reasons: Counter[str] = field(default_factory=Counter)
    first: list[RefusedRow] = field(default_factory=list)

    def add(self, row: int, reason: str, detail: str) -> None:
        """Count a row."""
        self.reasons[reason] += 1
        if len(self.first) < SHOWN:
            self.first.append(RefusedRow(row, reason, detail))


@dataclass(frozen=True)
class ImportedFaces:
    """Rows that can be imported. ``values`` has the columns of the faces that a shard stores."""

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    photos: list[PhotoRecord]
    names: list[str | None]
    values: dict[str, NDArray[Any]]


def imported_faces(
    block: VectorRows, root: str, refusals: Refusals, *, normalise: bool
) -> ImportedFaces:
    """The faces of ``block``, each with its photo; other rows are counted in ``refusals``.

    Photos lie below the file's column ``root``, or else below the path ``root``: that of the file
    itself, below which nothing can be. With ``normalise`` vectors may have any length but 0.
    """
    n = len(block)
    lengths = np.sqrt(np.einsum("ij,ij->i", block.vectors, block.vectors))
    usable = _usable_vectors(block, lengths, refusals, normalise)
    values = _face_values(block, lengths)
    names = _names(block)
    photos: dict[int, PhotoRecord] = {}
    for row in np.flatnonzero(usable).tolist():
        problem = _value_problem(values, row)
        if problem:
            refusals.add(block.first + row, "bad-value", problem)
            continue
        try:
            names[row] = None if names[row] is None else normalise_name(str(names[row]))
            photos[row] = _photo(block, row, root)
        except InputError as error:
            refusals.add(block.first + row, "bad-value", str(error))
    kept = np.fromiter(photos, np.int64, len(photos))
    scale = lengths[kept, None] if normalise else np.ones((len(kept), 1))
    vectors = (block.vectors[kept] / scale).astype(np.float32)
    return ImportedFaces(
        kept + block.first,
        vectors.reshape(len(kept), block.vectors.shape[1]),
        list(photos.values()),
        [names[row] for row in range(n) if row in photos],
        {name: each[kept] for name, each in values.items()},
    )


def _usable_vectors(
    block: VectorRows, lengths: NDArray[np.float64], refusals: Refusals, normalise: bool
) -> NDArray[np.bool_]:
    finite = np.isfinite(lengths)
    unit = np.abs(lengths - 1) <= UNIT_LENGTH_TOLERANCE
    usable = finite & ((lengths > 0) if normalise else unit)
    for row in np.flatnonzero(~usable).tolist():
        if not finite[row]:
            numbers = f"{block.vectors.shape[1]} finite numbers"
            refusals.add(block.first + row, "not-a-vector", f"expected {numbers}")
        elif normalise:
            refusals.add(block.first + row, "no-direction", "the vector is zero")
        else:
            detail = f"expected length 1, got {lengths[row]:.4g}; normalise it, or ask for that"
            refusals.add(block.first + row, "not-unit-length", detail)
    return usable


def _face_values(block: VectorRows, lengths: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """What a shard's face table has, of each row; zeros or NaN where the file does not say."""
    n, found = len(block), block.columns
    values: dict[str, NDArray[Any]] = {}
    for name, size in LISTS.items():
        values[name] = np.asarray(found.get(name, np.zeros((n, size))), np.float32)
    landmarks = values["landmarks"]
    landmarks[np.isnan(landmarks).all(axis=1)] = 0  # a null
    values["box"][np.isnan(values["box"]).all(axis=1)] = 0
    ones = np.ones(n)
    for name, default in (("score", ones), ("norm", lengths)):
        given = np.asarray(found.get(name, default), np.float64)
        values[name] = np.where(np.isnan(given), default, given).astype(np.float32)
    for name in QUALITIES:
        values[name] = np.asarray(found.get(name, np.full(n, np.nan)), np.float32)
    if all(name in found for name in TIMES):
        values |= {name: np.asarray(found[name], np.int64) for name in TIMES}
    return values


def _value_problem(values: dict[str, NDArray[Any]], row: int) -> str:
    """What is wrong in a row's values; "" if nothing is."""
    for name in (*LISTS, "score", "norm"):
        if not np.isfinite(values[name][row]).all():
            return f"expected finite numbers as {name}, got {values[name][row].tolist()}"
    for name in QUALITIES:
        value, most = float(values[name][row]), 1.0 if name == "quality" else np.finfo("f4").max
        if not (np.isnan(value) or 0 <= value <= most):
            return f"expected {name} from 0 to {most:.3g}, got {value}"
    if TIMES.keys() <= values.keys():
        start, end, still = (int(values[name][row]) for name in TIMES)
        if not (start == end == still == -1 or 0 <= start <= still <= end):
            return f"expected start_us <= still_us <= end_us, got {start}, {still}, {end}"
    return ""


def _names(block: VectorRows) -> list[str | None]:
    """The name that was decided for each row's face: guesses of a clustering are none."""
    names: Sequence[str | None] = block.columns.get("name", [None] * len(block))
    decided = block.columns.get("decided", np.ones(len(block), bool))
    return [name if is_decided else None for name, is_decided in zip(names, decided, strict=True)]


def _photo(block: VectorRows, row: int, root: str) -> PhotoRecord:
    """The record of a row's photo; without one, the face has a photo by the name of its id."""

    def text(name: str) -> str | None:
        found: str | None = block.columns[name][row] if name in block.columns else None
        return found

    def number(name: str) -> int:
        return max(0, int(block.columns[name][row])) if name in block.columns else 0

    path = text("photo") or text("id") or str(block.first + row)
    folder = text("root") or root
    if "\0" in path or "\0" in folder:
        raise InputError(f"expected the path of a photo, got {path!a}")
    place = f"{folder}\0{path}".encode("utf-8", "backslashreplace")
    digest = (text("sha256") or hashlib.sha256(b"facesearch vectors\0" + place).hexdigest()).lower()
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise InputError(f"expected 64 hexadecimal digits as sha256, got {digest[:80]!a}")
    root_bytes, _, path_bytes = place.partition(b"\0")
    return PhotoRecord(
        photo_id=-1,
        root=root_bytes,
        path=path_bytes,
        size=0,
        mtime_ns=0,
        sha256=digest,
        width=number("width"),
        height=number("height"),
        taken_at=text("taken_at") or "",
        status="ok",
        reason="",
        detail="",
    )
