"""The live faces of a gallery as one Parquet file, written by row groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facesearch.clustering.current_people import gallery_people
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import face_photos, face_times
from facesearch.gallery.schema import QUALITIES, TIMES
from facesearch.gallery.state import GalleryState
from facesearch.people.assignment import PersonAssignment
from facesearch.people.projection import NOBODY
from facesearch.vector_files.layout import LISTS, VECTOR, described, pyarrow
from indexer.id_lookup import positions_of
from indexer.storage.atomic_files import replacing_file
from indexer.storage.shards import Shard
from indexer.types import make_ids

Precision = Literal["float16", "float32"]
ROW_GROUP = 16_384  # faces: 32 MiB of vectors of 512 components


@dataclass(frozen=True)
class VectorExportReport:
    """What was written: faces, the photos they are in, faces with a name, bytes of the file."""

    path: Path
    faces: int
    photos: int
    named: int
    bytes: int


def export_vectors(
    gallery: Gallery, path: Path, *, dtype: Precision = "float32", row_group: int = ROW_GROUP
) -> VectorExportReport:
    """Write the live faces to the new file ``path``, at most ``row_group`` at a time in memory.

    Raises InputError where ``path`` exists or pyarrow is not installed, GalleryError or ShardError
    where the gallery is damaged, StorageError where the file cannot be written; then none is there.
    """
    parquet = pyarrow("parquet")
    if os.path.lexists(path):
        raise InputError(f"{path} exists; name a new file")
    faces, named, photos = 0, 0, set()
    with gallery.presenting():
        state = gallery.state()
        people = _PeopleColumns(gallery_people(gallery, state))
        schema = _schema(gallery, dtype)
        with (
            replacing_file(path, replace=False) as file,
            parquet.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            for shard, rows in _pieces(gallery, state, row_group):
                columns, photo_ids = _columns(shard, rows, state)
                columns |= people.of(columns["id"])
                writer.write_table(_table(columns, schema), row_group_size=row_group)
                faces += len(rows)
                named += len(rows) - columns["name"].count(None)
                photos.update(photo_ids.tolist())
    return VectorExportReport(path, faces, len(photos), named, path.stat().st_size)


def _pieces(
    gallery: Gallery, state: GalleryState, most: int
) -> Iterator[tuple[Shard, NDArray[np.int64]]]:
    """Live rows of each shard, at most ``most`` at once, in order of face ids."""
    for path in gallery.shard_paths():
        live = state.live.get(int(path.stem))
        if live is None or not len(live):
            continue
        with Shard.open(path) as shard:
            for first in range(0, len(live), most):
                yield shard, live[first : first + most]


def _schema(gallery: Gallery, dtype: Precision) -> Any:
    """The Arrow schema; vectors are lists of fixed size, which every vector database reads."""
    pa = pyarrow()
    component = pa.float16() if dtype == "float16" else pa.float32()
    text, number, small = pa.string(), pa.int64(), pa.int32()
    fields = [
        pa.field("id", number, nullable=False),
        pa.field(VECTOR, pa.list_(component, gallery.contract.dimension), nullable=False),
        *(pa.field(name, text) for name in ("root", "photo", "sha256", "taken_at")),
        *(pa.field(name, small) for name in ("width", "height")),
        *(pa.field(name, pa.list_(pa.float32(), size)) for name, size in LISTS.items()),
        *(pa.field(name, pa.float32()) for name in ("score", "norm", *QUALITIES)),
        *(pa.field(name, number) for name in TIMES),
        pa.field("person", number),
        pa.field("name", text),
        pa.field("decided", pa.bool_()),
    ]
    return pa.schema(fields, metadata=described(gallery.contract, gallery.dtype))


def _columns(
    shard: Shard, rows: NDArray[np.int64], state: GalleryState
) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """Values of some rows of a shard by column, and the ids of their photos, int64 (n,)."""
    photo_rows = face_photos(shard, rows)
    photo_ids = make_ids(shard.number, photo_rows)
    distinct, place = np.unique(photo_ids, return_inverse=True)
    records = [state.shown[photo] for photo in distinct.tolist()]
    width, height = (shard.column("photos", name)[photo_rows] for name in ("width", "height"))
    taken_at = shard.strings("photos", "taken_at")
    columns: dict[str, Any] = {
        "id": make_ids(shard.number, rows),
        VECTOR: shard.vectors(rows),
        "root": _picked([_text(each.root) for each in records], place),
        "photo": _picked([_text(each.path) for each in records], place),
        "sha256": _picked([each.sha256 for each in records], place),
        "taken_at": [taken_at[row].decode() or None for row in photo_rows.tolist()],
        "width": width,
        "height": height,
        "box": shard.column("faces", "box")[rows],
        "landmarks": shard.column("faces", "landmarks")[rows].reshape(len(rows), -1),
        "score": shard.column("faces", "score")[rows],
        "norm": shard.column("faces", "norm")[rows],
    }
    present = shard.column_kinds("faces")
    for name in QUALITIES:
        missing = np.full(len(rows), np.nan, np.float32)
        columns[name] = shard.column("faces", name)[rows] if name in present else missing
    times = face_times(shard, rows)
    columns |= {name: times[:, column] for column, name in enumerate(TIMES)}
    return columns, photo_ids


def _text(path: bytes) -> str:
    """A path as text: bytes that are not UTF-8 become \\x escapes."""
    return path.decode("utf-8", "backslashreplace")


def _picked(values: list[str], place: NDArray[np.int64]) -> list[str]:
    return [values[each] for each in place.tolist()]


class _PeopleColumns:
    """The columns person, name and decided of faces."""

    def __init__(self, people: PersonAssignment) -> None:
        found = people.clustering
        order = np.argsort(found.ids, kind="stable")
        self._ids = found.ids[order]
        self._numbers = people.of_faces()[order]
        none = np.zeros(len(order), bool)
        self._decided = none if people.confirmed is None else people.confirmed[order]
        self._names = {each.id: each.name for each in people.people if each.name is not None}

    def of(self, ids: NDArray[np.int64]) -> dict[str, list[Any]]:
        place = positions_of(ids, self._ids, ascending=True)
        numbers = np.where(place < 0, NOBODY, self._numbers[place]).tolist()
        decided = np.where(place < 0, False, self._decided[place]).tolist()
        return {
            "person": [number if number > 0 else None for number in numbers],
            "name": [self._names.get(number) for number in numbers],
            "decided": decided,
        }


def _table(columns: dict[str, Any], schema: Any) -> Any:
    pa = pyarrow()
    arrays = []
    for field in schema:
        values = columns[field.name]
        if pa.types.is_fixed_size_list(field.type):
            component = field.type.value_type
            flat = np.ascontiguousarray(values, component.to_pandas_dtype()).reshape(-1)
            arrays.append(
                pa.FixedSizeListArray.from_arrays(pa.array(flat, component), type=field.type)
            )
        else:
            arrays.append(_array(values, field))
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, field: Any) -> Any:
    """One value a row; what was not measured, NaN or a time of -1, is null."""
    pa = pyarrow()
    if not isinstance(values, np.ndarray):
        return pa.array(values, field.type)
    absent = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    if field.name in TIMES:
        absent = values < 0
    return pa.array(values, field.type, mask=absent)
