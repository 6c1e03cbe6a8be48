"""Photos whose people belong to groups: told by names, by a table, or by folders."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facesearch.errors import InputError
from facesearch.images import find_photos

_AGES = (3, 10, 20, 30, 40, 50, 60, 70)  # where the bins of a field called age begin
_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_PHOTO, _PERSON = "photo", "person"


@dataclass(frozen=True)
class SlicedPhotos:
    """n photos ``root / paths[i]`` of ``people[i]``; ``groups`` has for each kind of group, such as
    age, the group of each photo, "" where it is not known. ``distinct``: each photo was taken for
    another person's, for nothing says who is on it."""

    root: Path
    paths: tuple[str, ...]
    people: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    distinct: bool

    def __len__(self) -> int:
        return len(self.paths)


def photos_by_names(root: Path, pattern: str) -> SlicedPhotos:
    """Photos whose file names, without their ending, are as ``pattern``: "{age}_{gender}_*".

    ``{person}`` is who it is; all other fields are groups, ages by decade. Without it people are
    the folders photos lie in, or where they lie in none, each photo is of another person. Raises
    InputError for a pattern without groups and where no name fits.
    """
    expression, fields = _expression(pattern)
    found = _found(root)
    rows = [
        (path, match.groupdict())
        for path in found
        if (match := expression.fullmatch(Path(path).stem))
    ]
    if not rows:
        raise InputError(
            f"expected photos in {root} named as {pattern!r}, found none, but such as {found[0]!r}"
        )
    return _sliced(root, rows, [field for field in fields if field != _PERSON])


def photos_by_table(root: Path, table: Path) -> SlicedPhotos:
    """Photos of a CSV with a column photo (paths below ``root``), perhaps person, and groups.

    Raises InputError where it cannot be read so, or names a photo that is not there.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            fields = [field for field in reader.fieldnames or () if field]
            rows = [(row[_PHOTO] or "", row) for row in reader] if _PHOTO in fields else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {table}: {error}") from error
    groups = [field for field in fields if field not in (_PHOTO, _PERSON)]
    if not rows or not groups:
        raise InputError(
            f"expected {table} to be a CSV with a column photo and others that name groups, found "
            f"the columns {', '.join(fields) or 'none'} and {len(rows)} rows"
        )
    absent = [path for path, _ in rows if not (root / path).is_file()]
    if absent:
        raise InputError(f"expected {absent[0]!r} in {root}, found none ({len(absent)} such)")
    return _sliced(root, rows, groups)


def photos_by_folders(root: Path) -> SlicedPhotos:
    """Photos as GROUP/PERSON/PHOTO, or GROUP/PHOTO of one person each; InputError otherwise."""
    paths = [path for path in _found(root) if "/" in path]
    if not paths:
        raise InputError(
            f"expected photos in {root} as group/person/photo.jpg or group/photo.jpg; or say with "
            "--names or --groups how groups are told"
        )
    deep = [path.count("/") > 1 for path in paths]
    people = ["/".join(path.split("/")[:2]) for path in paths]
    return SlicedPhotos(
        root,
        tuple(paths),
        tuple(people),
        {"group": tuple(path.partition("/")[0] for path in paths)},
        distinct=not any(deep),
    )


def _expression(pattern: str) -> tuple[re.Pattern[str], list[str]]:
    fields = _FIELD.findall(pattern)
    if not set(fields) - {_PERSON} or len(fields) != len(set(fields)):
        raise InputError(
            'expected a pattern with fields for groups, each once, such as "{age}_{gender}_*", '
            f"got {pattern!r}"
        )
    parts = [
        f"(?P<{part[1:-1]}>[^/]+?)" if _FIELD.fullmatch(part) else re.escape(part)
        for part in re.split(r"(\{[a-z][a-z0-9_]*\})", pattern)
    ]
    return re.compile("".join(parts).replace(re.escape("*"), ".*")), fields


def _sliced(
    root: Path, rows: Sequence[tuple[str, Mapping[str, str | None]]], groups: Sequence[str]
) -> SlicedPhotos:
    named = all(row.get(_PERSON) for _, row in rows)
    foldered = all("/" in path for path, _ in rows)
    people = [
        str(row[_PERSON]) if named else path.rpartition("/")[0] if foldered else path
        for path, row in rows
    ]
    return SlicedPhotos(
        root,
        tuple(path for path, _ in rows),
        tuple(people),
        {
            group: tuple(_group(group, (row.get(group) or "").strip()) for _, row in rows)
            for group in groups
        },
        distinct=not named and not foldered,
    )


def _group(kind: str, value: str) -> str:
    """Ages in years by decade, children's finer; all else as it is."""
    if kind != "age" or not value.isdecimal():
        return value
    later = [start for start in _AGES if start > int(value)]
    start = max((each for each in _AGES if each <= int(value)), default=0)
    return f"{start} to {later[0] - 1}" if later else f"{start} and more"


def _found(root: Path) -> list[str]:
    if not root.is_dir():
        raise InputError(f"expected a folder of photos, found none at {str(root)!r}")
    found = sorted(photo.path.as_posix() for photo in find_photos([root]))
    if not found:
        raise InputError(f"expected photos in {root}, found none")
    return found
