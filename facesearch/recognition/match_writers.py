"""Matches of many probes as a file: JSON lines or CSV, made of parts."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from facesearch.errors import InputError
from facesearch.text import escape_csv_cell
from indexer.storage.atomic_files import buffered, replacing_file

_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class MatchRow:
    """A match of one face of a probe, or what became of a probe without any.

    ``probe`` is the photo asked about and ``face`` the face in it: counted from 1, largest first in
    photos and by time in videos; its face id for faces of shards. ``x0`` to ``y1`` are its box in
    pixels of the upright photo, ``quality`` is in [0, 1]. ``rank`` counts matches from 1;
    ``distance`` is squared, in [0, 4]; ``match_face`` is the face id in the gallery,
    ``match_photo`` its photo, ``person`` its name if it has one, ``confirmed`` whether somebody
    said so, and ``confidence`` in [0, 1] how sure the name is (1 where it was confirmed).
    ``reason`` is "" for a match; "no-face", or one of :data:`facesearch.images.types.REASONS`
    with its ``detail``, for a probe that has none, whose other columns are then None. Where
    ``match_photo`` is a video, ``match_start`` and ``match_end`` say when the track is seen, in
    seconds; so do ``probe_start`` and ``probe_end`` where ``probe`` is one.
    """

    probe: str
    face: int | None = None
    x0: float | None = None
    y0: float | None = None
    x1: float | None = None
    y1: float | None = None
    quality: float | None = None
    rank: int | None = None
    distance: float | None = None
    match_face: int | None = None
    match_photo: str | None = None
    person: str | None = None
    confirmed: bool | None = None
    confidence: float | None = None
    match_start: float | None = None
    match_end: float | None = None
    probe_start: float | None = None
    probe_end: float | None = None
    reason: str = ""
    detail: str = ""


COLUMNS = tuple(field.name for field in fields(MatchRow))


# How rows become the bytes of a part, of this number; parts one after the other are the file.
EncodeRows = Callable[[Sequence[MatchRow], int], bytes]


def match_format(out: Path) -> EncodeRows:
    """The format that the name of ``out`` asks for; InputError for a name of none."""
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(
            f"expected an output called *{', *'.join(FORMATS)}, got {out.name!r}; give it one of "
            "these endings"
        )
    return FORMATS[suffix]


def join_parts(parts: Sequence[Path], out: Path) -> None:
    """Write ``out`` from its parts, whole or not at all."""
    with replacing_file(out) as file, buffered(file) as joined:
        for part in parts:
            with part.open("rb") as data:
                shutil.copyfileobj(data, joined, _COPY_BYTES)


def _json_lines(rows: Sequence[MatchRow], number: int) -> bytes:
    # Bytes of a file name that are not UTF-8 appear as lone surrogates (\udc..).
    return "".join(json.dumps(asdict(row)) + "\n" for row in rows).encode()


def _csv(rows: Sequence[MatchRow], number: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if number == 0:
        writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(row, name)) for name in COLUMNS] for row in rows)
    # ... and here, where there is no way to write them, as \x escapes.
    return _unescaped(text.getvalue()).encode()


def _cell(value: object) -> object:
    return escape_csv_cell(value) if isinstance(value, str) else value


def _unescaped(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


FORMATS: dict[str, EncodeRows] = {".jsonl": _json_lines, ".csv": _csv}
