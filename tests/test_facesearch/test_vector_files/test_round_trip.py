"""A gallery's vectors exported and imported are the same, whatever was deleted and named."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch import Gallery, check_gallery, export_vectors, forget_faces, import_vectors
from facesearch.curation.editor import PeopleEditor
from facesearch.encoders.types import EncoderContract
from facesearch.gallery.face_table import FaceTable
from facesearch.people.store import PeopleStore, normalise_name
from facesearch.vector_files import export as exporting
from facesearch.vector_files import import_vectors as importing
from facesearch.vector_files.sources import open_source
from support.examples import examples
from support.people_galleries import cluster, index, people_gallery
from support.vector_tables import faces_by_photo, sealed_gallery
from support.vectors import unit_vectors

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")


def _is_name(text: str) -> bool:
    try:
        return normalise_name(text) == text
    except ValueError:
        return False


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    _is_name
)


@examples(6, 10)
@given(
    faces=st.lists(st.integers(0, 9), min_size=1, max_size=25),
    dtypes=st.sampled_from(  # of the gallery and of the file: what loses nothing
        [("float16", "float16"), ("float16", "float32"), ("float32", "float32")]
    ),
    forgotten=st.sets(st.integers(0, 24), max_size=6),
    names=st.dictionaries(st.integers(0, 24), NAMES, max_size=4),
    cut=st.integers(1, 9),
)
def test_what_comes_back_is_what_was_there(
    faces: list[int],
    dtypes: tuple[str, str],
    forgotten: set[int],
    names: dict[int, str],
    cut: int,
) -> None:
    """``faces`` are the photos of the faces; ``cut`` is how many rows are written at once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vectors = unit_vectors(len(faces), 8, seed=cut)
        gallery, ids = sealed_gallery(folder / "a.gallery", vectors, sorted(faces), dtypes[0])
        for row, person in names.items():
            if row < len(ids):
                PeopleStore(gallery.folder).enroll(person, [int(ids[row])])
        gone = [int(ids[row]) for row in forgotten if row < len(ids)]
        if gone:
            forget_faces(gallery, ids=gone)
        file = folder / "v.parquet"
        report = exporting.export_vectors(gallery, file, dtype=dtypes[1], row_group=cut)
        assert report.faces == len(ids) - len(gone)
        again = Gallery.create(folder / "b.gallery", gallery.contract, gallery.dtype)
        done = importing.import_vectors(again, open_source(file), file, shard_faces=cut)
        assert (done.faces, done.refused, done.known) == (report.faces, {}, 0)
        assert done.named == report.named
        assert faces_by_photo(again) == faces_by_photo(gallery)
        before, after = (FaceTable.read(each, each.state()) for each in (gallery, again))
        np.testing.assert_array_equal(before.vectors, after.vectors)
        assert [each for each in check_gallery(again) if each.severe] == []
        twice = importing.import_vectors(again, open_source(file), file, shard_faces=cut)
        assert (twice.faces, twice.known) == (0, report.faces)


def test_people_follow_and_guesses_do_not(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=3, each=4)
    cluster(gallery)
    editor = PeopleEditor(gallery)
    first = editor.now.people[0]
    picked = editor.records(first)[0].face_id
    PeopleStore(gallery.folder).enroll("Zoë 王小明", [picked])
    cluster(gallery)
    report = export_vectors(gallery, tmp_path / "v.parquet")
    rows = parquet.read_table(tmp_path / "v.parquet").to_pylist()
    named = [row for row in rows if row["name"]]
    assert report.named == len(named) == 4
    assert {row["name"] for row in named} == {"Zoë 王小明"}
    assert len({row["person"] for row in rows}) == 3
    assert [row["id"] for row in named if row["decided"]] == [picked]
    done = import_vectors(tmp_path / "v.parquet", tmp_path / "again.gallery")
    assert (done.faces, done.named) == (12, 1)
    again = Gallery.open(done.gallery)
    assert again.contract == gallery.contract
    cluster(again)
    people = PeopleEditor(again)
    assert len(people.records(people.find("Zoë"))) == 4


def test_photos_that_are_indexed_later_join_their_faces(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=2, each=2)
    export_vectors(gallery, tmp_path / "v.parquet")
    import_vectors(tmp_path / "v.parquet", tmp_path / "again.gallery")
    again = Gallery.open(tmp_path / "again.gallery")
    index(again, tmp_path / "photos")
    assert again.state().face_count == 4
    assert len(again.state().photos) == 4


def test_an_export_is_a_table_that_says_what_it_holds(tmp_path: Path) -> None:
    gallery, ids = sealed_gallery(tmp_path / "a.gallery", unit_vectors(5, 8, 1), [0, 0, 1, 2, 2])
    report = exporting.export_vectors(gallery, tmp_path / "v.parquet", row_group=2)
    file = parquet.ParquetFile(tmp_path / "v.parquet")
    assert file.metadata.num_row_groups == 3
    assert report.photos == 3
    table = file.read()
    assert table.column("id").to_pylist() == ids.tolist()
    assert table.schema.field("vector").type.list_size == 8
    assert open_source(tmp_path / "v.parquet").contract == gallery.contract
    with pytest.raises(ValueError, match="name a new file"):
        export_vectors(gallery, tmp_path / "v.parquet")


def test_an_empty_gallery_has_a_table_without_rows(tmp_path: Path) -> None:
    contract = EncoderContract("made", "", 8, 0, "", "")
    gallery = Gallery.create(tmp_path / "a.gallery", contract)
    assert export_vectors(gallery, tmp_path / "v.parquet").faces == 0
    assert import_vectors(tmp_path / "v.parquet", tmp_path / "b.gallery").faces == 0
