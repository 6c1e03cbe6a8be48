"""The tables of a shard: what is read from them, and that nothing is from broken ones."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from facesearch.errors import GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.photo_table import PhotoTable
from facesearch.gallery.records import face_records, photo_table
from facesearch.gallery.schema import QUALITIES, SCHEMA, schema_problems
from indexer.storage.shards import Shard
from indexer.types import split_ids
from support.galleries import (
    Tables,
    drop_column,
    drop_table,
    keep_rows,
    rewrite_shard,
    set_dtype,
    set_value,
    small_gallery,
)
from support.made_folders import MadeFolder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeFolder:
    return MadeFolder(tmp_path_factory.mktemp("small"), small_gallery)


@pytest.fixture
def gallery(made: MadeFolder) -> Gallery:
    return Gallery.open(made.fresh() / "my.gallery")


def _wide(tables: Tables) -> None:
    tables["faces"]["box"] = np.zeros((len(tables["faces"]["box"]), 5), np.float32)


BROKEN = {
    "no photos": (drop_table("photos"), "a table photos"),
    "no faces": (drop_table("faces"), "a table faces"),
    "too few faces": (keep_rows("faces", 3), "faces of 10 rows"),
    "no faces at all": (keep_rows("faces", 0), "faces of 10 rows"),
    "empty log": (keep_rows("photos", 0), "faces/photo"),
    "another shape": (_wide, r"faces/box of float32 \(rows, 4\), got float32 \(10, 5\)"),
    "row below 0": (set_value("faces", "photo", 2, ~5), "got -6 in row 2"),
    "row beyond": (set_value("faces", "photo", 2, 5), "one of 5 rows"),
    "unknown status": (set_value("photos", "status", 1, b"fine"), "ok or known"),
    "status in binary": (set_value("photos", "status", 1, b"\xff"), "ok or known"),
    "face of no photo": (set_value("photos", "status", 1, b"failed"), "status ok"),
    "short digest": (set_value("photos", "sha256", 0, b"ab12"), "64 hex"),
    "no digest": (set_value("photos", "sha256", 0, b""), "64 hex"),
    "capitals": (set_value("photos", "sha256", 0, b"A" * 64), "64 hex"),
    "latin-1": (set_value("photos", "taken_at", 0, b"caf\xe9"), "UTF-8"),
    "latin-1 detail": (set_value("photos", "detail", 0, b"caf\xe9"), "photos/detail"),
}
BROKEN_QUALITIES = {
    "below 0": (set_value("faces", "quality", 2, -0.01), r"quality to be in \[0, 1\].* row 2"),
    "above 1": (set_value("faces", "quality", 3, 1.01), r"quality to be in \[0, 1\].* row 3"),
    "infinite": (set_value("faces", "quality", 0, np.inf), r"quality to be in \[0, 1\]"),
    "sharpness": (set_value("faces", "sharpness", 1, -1), "faces/sharpness to be finite"),
    "noise": (set_value("faces", "noise", 1, np.inf), "faces/noise to be finite"),
    "float64": (set_dtype("faces", "quality", "float64"), "faces/quality of float32"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_tables_are_reported_and_never_read(gallery: Gallery, name: str) -> None:
    change, message = BROKEN[name]
    path = gallery.shard_paths()[0]
    rewrite_shard(path, change)
    with Shard.open(path) as shard:
        assert shard.verify() == []
        with pytest.raises(GalleryError, match=message) as error:
            PhotoTable.read(shard)
        assert str(path) in str(error.value)
        problems = schema_problems(shard)
    assert problems and all(str(path) in problem for problem in problems)
    with pytest.raises(GalleryError, match=message):
        gallery.state()


@pytest.mark.parametrize("change", [drop_column, lambda *key: set_dtype(*key, "uint8")])
@pytest.mark.parametrize(
    ("table", "column"), [(table, name) for table, columns in SCHEMA.items() for name in columns]
)
def test_every_column_must_be_there_and_of_its_kind(
    gallery: Gallery, table: str, column: str, change: Callable[[str, str], Callable[..., None]]
) -> None:
    path = gallery.shard_paths()[0]
    rewrite_shard(path, change(table, column))
    with Shard.open(path) as shard:
        (problem,) = schema_problems(shard)
        assert f"a column {table}/{column} of" in problem
        with pytest.raises(GalleryError, match=f"{table}/{column}"):
            PhotoTable.read(shard)
        with pytest.raises(GalleryError, match=f"{table}/{column}"):
            next(face_records(shard, np.arange(1), {}))


@pytest.mark.parametrize("name", BROKEN_QUALITIES)
def test_broken_qualities_are_reported_and_never_read(gallery: Gallery, name: str) -> None:
    change, message = BROKEN_QUALITIES[name]
    state = gallery.state()
    path = gallery.shard_paths()[0]
    rewrite_shard(path, change)
    with Shard.open(path) as shard:
        (problem,) = schema_problems(shard)
    assert re.search(message, problem)
    with pytest.raises(GalleryError, match=message):
        gallery.qualities(state.live_ids())
    with pytest.raises(GalleryError, match=message):
        gallery.faces(state.live_ids(), state)


def test_a_gallery_of_before_opens_and_knows_no_quality(gallery: Gallery) -> None:
    path = gallery.shard_paths()[0]
    for column in QUALITIES:
        rewrite_shard(path, drop_column("faces", column))
    with Shard.open(path) as shard:
        assert schema_problems(shard) == []
    state = gallery.state()
    ids = state.live_ids()
    unknown = np.isnan(gallery.qualities(ids))
    assert unknown.any() and not unknown.all()
    assert np.array_equal(unknown, split_ids(ids)[0] == 0)
    faces = gallery.faces(ids, state)
    assert np.array_equal([face.quality for face in faces], gallery.qualities(ids), equal_nan=True)


def test_qualities_come_in_the_order_asked_for(gallery: Gallery) -> None:
    path = gallery.shard_paths()[0]
    rewrite_shard(path, set_value("faces", "quality", 3, 0.25))
    ids = gallery.state().live_ids()[::-1]
    expected = np.where(split_ids(ids)[0] * 100 + split_ids(ids)[1] == 3, 0.25, 1.0)
    assert gallery.qualities(ids).tolist() == expected.tolist()
    assert gallery.qualities(ids[:0]).shape == (0,)


@pytest.mark.parametrize("name", ["row below 0", "row beyond", "face of no photo", "latin-1"])
def test_faces_are_not_read_from_a_broken_shard(gallery: Gallery, name: str) -> None:
    state = gallery.state()
    path = gallery.shard_paths()[0]
    rewrite_shard(path, BROKEN[name][0])
    with pytest.raises(GalleryError, match=BROKEN[name][1]):
        gallery.faces(state.live_ids(), state)


def test_columns_beyond_the_schema_are_no_problem(gallery: Gallery) -> None:
    path = gallery.shard_paths()[0]

    def change(tables: Tables) -> None:
        tables["faces"]["age"] = np.zeros(len(tables["faces"]["photo"]), np.uint8)
        tables["notes"] = {"number": np.arange(3)}

    rewrite_shard(path, change)
    with Shard.open(path) as shard:
        assert schema_problems(shard) == []
        assert len(PhotoTable.read(shard)) == 5


def test_photo_records_make_the_table_they_came_from(gallery: Gallery) -> None:
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            photos = PhotoTable.read(shard)
            records = [photos.record(row) for row in range(len(photos))]
            table = shard.table("photos")
        assert [record.photo_id & 0xFFFFFFFF for record in records] == list(range(len(records)))
        made = photo_table(records)
        assert made.keys() == table.keys()
        for name, values in made.items():
            assert values.dtype == table[name].dtype and values.tolist() == table[name].tolist()


def test_face_records_come_in_the_order_asked_for(gallery: Gallery) -> None:
    state = gallery.state()
    number, rows = next(iter(state.live.items()))
    order = rows[::-1]
    with Shard.open(gallery.shard_paths()[number]) as shard:
        faces = shard.table("faces")
        records = list(face_records(shard, order, state.shown))
    assert [record.face_id for record in records] == [(number << 32) + row for row in order]
    for row, record in zip(order, records, strict=True):
        assert record.box == tuple(faces["box"][row].tolist())
        assert record.score == faces["score"][row]
        assert record.size == (48, 48)
        assert state.contents[record.photo.sha256] == (number << 32) + faces["photo"][row]
