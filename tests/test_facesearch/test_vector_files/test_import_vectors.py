"""Vectors made elsewhere become a gallery; rows that cannot are counted, and stop nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesearch import (
    ContractError,
    Gallery,
    GallerySession,
    InputError,
    build_index,
    check_gallery,
    cluster_gallery,
    export_vectors,
    forget_faces,
    gallery_info,
    import_vectors,
    search_many,
)
from facesearch.cli.main import main
from facesearch.encoders.types import EncoderContract
from facesearch.people.store import PeopleStore
from facesearch.vector_files import import_vectors as importing
from facesearch.vector_files import layout
from facesearch.vector_files.sources import open_source
from indexer.exact.brute_force import exact_search
from indexer.types import Block
from support.fake_engine import FakeEngine, person_vector, write_photo
from support.people_galleries import people_gallery
from support.vectors import unit_vectors

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")


def written(path: Path, vectors: Any, **columns: Any) -> Path:
    parquet.write_table(pa.table({"vector": list(vectors), **columns}), path)
    return path


def severe(gallery: Gallery) -> list[str]:
    return [each.problem for each in check_gallery(gallery) if each.severe]


def test_an_array_becomes_a_full_gallery(tmp_path: Path) -> None:
    vectors = np.stack([person_vector(1 + i // 5, i) for i in range(40)])
    np.save(tmp_path / "v.npy", vectors.astype(np.float64))
    done = import_vectors(tmp_path / "v.npy", tmp_path / "g", encoder_name="theirs")
    assert (done.rows, done.faces, done.photos, done.refused) == (40, 40, 40, {})
    gallery = Gallery.open(tmp_path / "g")
    assert gallery.contract.name == "theirs"
    assert severe(gallery) == []
    cluster_gallery(gallery)
    build_index(gallery)
    assert gallery_info(gallery).faces == 40
    probes = unit_vectors(3, 16, 4)
    np.save(tmp_path / "p.npy", probes)
    import_vectors(tmp_path / "p.npy", tmp_path / "probes", like=gallery)
    asked = Gallery.open(tmp_path / "probes")
    ids = gallery.state().live_ids()
    truth = exact_search(
        [Block(ids, gallery.vectors(ids))], asked.vectors(asked.state().live_ids()), 2
    )
    search_many(gallery, tmp_path / "probes", tmp_path / "out.jsonl", 2)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    found = [line["match_face"] for line in lines]
    assert found == truth.ids.ravel().tolist()
    face = int(ids[7])
    PeopleStore(gallery.folder).enroll("Ann", [face])
    forget_faces(gallery, ids=[face])
    assert gallery.state().face_count == 39
    assert import_vectors(tmp_path / "v.npy", gallery.folder).faces == 0
    assert severe(gallery) == []


def test_photos_are_identified_with_the_engine_of_the_same_contract(tmp_path: Path) -> None:
    made = people_gallery(tmp_path, people=3, each=3)
    vectors = np.stack([person_vector(person, 7) for person in (1, 2, 3)])
    names = ["Ann", "Bob", None]
    file = written(tmp_path / "v.parquet", vectors, name=names, id=["a/1", "a/2", "a/3"])
    import_vectors(file, tmp_path / "g", like=made)
    session = GallerySession.open(tmp_path / "g", engine=FakeEngine())  # type: ignore[arg-type]
    photo = write_photo(tmp_path / "new.png", [2], variant=99)
    (found,) = session.identify(photo, threshold=0.5)
    assert found.person == "Bob"
    match = session.search(photo, k=1)[0].matches[0]
    assert match.face.photo.name == "a/2"
    assert not match.face.photo.location.exists()
    import_vectors(file, tmp_path / "named", encoder_name="fake")
    with pytest.raises(ContractError):
        GallerySession.open(tmp_path / "named", engine=FakeEngine())  # type: ignore[arg-type]


def test_bad_rows_are_counted_with_their_reason(tmp_path: Path) -> None:
    good = unit_vectors(9, 4, 0).tolist()
    good[1], good[2], good[3] = [0.0] * 4, [np.nan] * 4, [1.0, 2.0]
    good[4] = [2 * each for each in good[4]]
    file = written(
        tmp_path / "v.parquet",
        good,
        id=list(range(9)),
        quality=[0.5] * 5 + [1.5, None, 0.5, 0.5],
        name=[None] * 7 + ["p12", "Ann"],
    )
    done = import_vectors(file, tmp_path / "g", encoder_name="x")
    assert done.refused == {"not-unit-length": 2, "not-a-vector": 2, "bad-value": 2}
    assert (done.faces, done.named) == (3, 1)
    assert [each.row for each in done.examples] == [1, 2, 3, 4, 5, 7]
    again = import_vectors(file, tmp_path / "h", encoder_name="x", normalise=True)
    assert again.refused == {"no-direction": 1, "not-a-vector": 2, "bad-value": 2}
    assert severe(Gallery.open(tmp_path / "h")) == []


def test_faces_of_a_photo_stay_together(tmp_path: Path) -> None:
    photos = ["a", "b", "b", "b", "c", "a", "d"]
    file = written(tmp_path / "v.parquet", unit_vectors(7, 4, 0), photo=photos)
    contract = EncoderContract("x", "", 4, 0, "", "")
    gallery = Gallery.create(tmp_path / "g", contract)
    done = importing.import_vectors(gallery, open_source(file), file, shard_faces=2)
    assert done.refused == {"photo-apart": 1}
    assert (done.faces, done.photos) == (6, 4)
    assert gallery.state().face_count == 6
    assert severe(gallery) == []


def test_places_and_digests_are_not_mixed_up(tmp_path: Path) -> None:
    digests = ["a" * 64, "b" * 64, "a" * 64, "z"]
    file = written(
        tmp_path / "v.parquet", unit_vectors(4, 4, 0), photo=list("xxyz"), sha256=digests
    )
    done = import_vectors(file, tmp_path / "g", encoder_name="x")
    assert done.refused == {"other-photo": 1, "photo-twice": 1, "bad-value": 1}
    assert done.faces == 1


def test_a_killed_import_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(
        tmp_path / "v.parquet", unit_vectors(9, 4, 0), photo=[f"{i // 2}" for i in range(9)]
    )
    gallery = Gallery.create(tmp_path / "g", EncoderContract("x", "", 4, 0, "", ""))
    sealed = []

    def killing(*args: Any, **given: Any) -> str:
        if len(sealed) == 2:
            raise KeyboardInterrupt
        sealed.append(args)
        return write(*args, **given)

    write = importing.write_shard
    monkeypatch.setattr(importing, "write_shard", killing)
    with pytest.raises(KeyboardInterrupt):
        importing.import_vectors(gallery, open_source(file), file, shard_faces=2)
    monkeypatch.undo()
    done = importing.import_vectors(gallery, open_source(file), file, shard_faces=2)
    assert done.known > 0
    assert done.known + done.faces == 9 == gallery.state().face_count


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("v.parquet", b"PAR1 no", "cannot read"),
        ("v.npy", b"no", "cannot read"),
        ("v.csv", b"1,2", "expected a file"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=expected):
        import_vectors(tmp_path / name, tmp_path / "g", encoder_name="x")
    assert not (tmp_path / "g").exists()


def test_wrong_arrays_and_encoders(tmp_path: Path) -> None:
    np.save(tmp_path / "int.npy", np.ones((3, 4), int))
    np.save(tmp_path / "object.npy", np.array([None]), allow_pickle=True)
    np.save(tmp_path / "v.npy", unit_vectors(3, 4, 0))
    for name in ("int", "object"):
        with pytest.raises(InputError, match=r"floating-point|numpy array"):
            import_vectors(tmp_path / f"{name}.npy", tmp_path / "g", encoder_name="x")
    with pytest.raises(InputError, match="which encoder"):
        import_vectors(tmp_path / "v.npy", tmp_path / "g")
    import_vectors(tmp_path / "v.npy", tmp_path / "g", encoder_name="x")
    with pytest.raises(ContractError, match="'y'"):
        import_vectors(tmp_path / "v.npy", tmp_path / "g", encoder_name="y")
    np.save(tmp_path / "w.npy", unit_vectors(3, 5, 0))
    with pytest.raises(ContractError, match="5"):
        import_vectors(tmp_path / "w.npy", tmp_path / "g")
    parquet.write_table(pa.table({"vectors": [1, 2]}), tmp_path / "no.parquet")
    with pytest.raises(InputError, match="expected a column"):
        import_vectors(tmp_path / "no.parquet", tmp_path / "g")


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(layout.importlib, "import_module", missing)
    gallery = Gallery.create(tmp_path / "g", EncoderContract("x", "", 4, 0, "", ""))
    with pytest.raises(InputError, match=r"facesearch\[parquet\]"):
        export_vectors(gallery, tmp_path / "v.parquet")


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = unit_vectors(4, 8, 0)
    vectors[3] *= 3
    np.save(tmp_path / "v.npy", vectors)
    words = [str(tmp_path / "v.npy"), str(tmp_path / "g"), "--encoder-name", "x", "--quiet"]
    assert main(["import-vectors", *words]) == 1
    printed = capsys.readouterr().out
    assert "3 faces of 3 photos imported" in printed
    assert "their photos are not here" in printed
    assert "not imported: 1 row, not-unit-length" in printed
    assert main(["export-vectors", str(tmp_path / "g"), str(tmp_path / "o.parquet")]) == 0
    assert "3 faces of 3 photos, 0 with a name" in capsys.readouterr().out
    assert main(["export-vectors", str(tmp_path / "g"), str(tmp_path / "o.parquet")]) == 2
    assert "name a new file" in capsys.readouterr().err
