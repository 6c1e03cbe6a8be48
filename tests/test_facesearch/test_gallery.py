"""The gallery folder: creation, refusals, blocks of live faces, checks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesearch.checks import check_gallery
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.errors import ContractError, GalleryError, InputError
from facesearch.gallery import Gallery
from facesearch.search import (
    build_index,
    index_folder,
    load_index,
    refresh_index,
    search_gallery,
)
from indexer.errors import StaleIndexError
from indexer.exact import exact_search
from support.fake_engine import DIMENSION, FakeEngine, write_photo

CONTRACT = FakeEngine().contract


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    folder = tmp_path / "photos"
    for number in range(12):
        write_photo(folder / f"{number:02d}.png", [1 + number % 5, 6], variant=number)
    made = Gallery.create(tmp_path / "my.gallery", CONTRACT)
    options = EmbedOptions(decoders=0, threads=1, shard_photos=5)
    embed_photos(made, FakeEngine(), [folder], options)  # type: ignore[arg-type]
    return made


def delete_photo(gallery: Gallery, name: str) -> None:
    photos = gallery.folder.parent / "photos"
    (photos / name).unlink()
    options = EmbedOptions(decoders=0, threads=1)
    embed_photos(gallery, FakeEngine(), [photos], options)  # type: ignore[arg-type]


def test_open_gives_back_what_was_created(tmp_path: Path) -> None:
    Gallery.create(tmp_path / "g", CONTRACT, "float32")
    opened = Gallery.open(tmp_path / "g")
    assert (opened.contract, opened.dtype) == (CONTRACT, "float32")
    assert opened.state().face_count == 0
    assert list(opened.blocks(opened.state())) == []


def test_folder_with_other_things_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a gallery"):
        Gallery.create(tmp_path, CONTRACT)


@pytest.mark.parametrize("leftover", [(), (".gallery.json.partial",)])
def test_creation_that_was_killed_can_be_done_again(
    tmp_path: Path, leftover: tuple[str, ...]
) -> None:
    for name in leftover:
        (tmp_path / name).write_text("{")
    Gallery.create(tmp_path, CONTRACT)
    assert Gallery.open(tmp_path).state().face_count == 0


def test_change_of_detector_settings_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gallery = Gallery.create(tmp_path / "g", CONTRACT)
    gallery.note_settings({"min_face": 20})
    gallery.note_settings({"min_face": 20})
    assert not caplog.text
    gallery.note_settings({"min_face": 40})
    assert "min face 20" in caplog.text and "min face 40" in caplog.text
    assert Gallery.open(tmp_path / "g").settings == {"min_face": 40}


@pytest.mark.parametrize("text", ["{", "5", "[1]", "\udcff"])
def test_damaged_settings_say_what_to_do(tmp_path: Path, text: str) -> None:
    gallery = Gallery.create(tmp_path / "g", CONTRACT)
    (gallery.folder / "settings.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(GalleryError, match=r"settings\.json.*delete it"):
        gallery.note_settings({"min_face": 20})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "photos"}, "does not describe a gallery"),
        ({"version": 2}, "version 2"),
        ({"contract": {"name": "x"}}, "contract"),
        ({"contract": {**vars(CONTRACT), "dimension": "16"}}, "dimension"),
        ({"vectors": "int8"}, "int8"),
    ],
)
def test_damaged_description_is_explained(
    gallery: Gallery, change: dict[str, object], message: str
) -> None:
    path = gallery.folder / "gallery.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(GalleryError, match=message):
        Gallery.open(gallery.folder)


def test_missing_gallery_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="facesearch index"):
        Gallery.open(tmp_path)


def test_contract_refusal_names_every_difference() -> None:
    gallery = Gallery(Path("g"), CONTRACT, "float16")
    other = replace(CONTRACT, dimension=512, detector="other")
    with pytest.raises(ContractError, match=r"dimension: 16 against 512; detector: 'fake'"):
        gallery.require(other)


def test_shard_of_another_gallery_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    path = gallery.folder / "gallery.json"
    description = json.loads(path.read_text())
    description["contract"]["weights_sha256"] = "1" * 64
    path.write_text(json.dumps(description))
    with pytest.raises(ContractError, match="weights_sha256"):
        Gallery.open(gallery.folder).state()


def test_blocks_hold_exactly_the_live_faces(gallery: Gallery) -> None:
    delete_photo(gallery, "07.png")
    state = gallery.state()
    blocks = list(gallery.blocks(state))
    ids = np.concatenate([block.ids for block in blocks])
    assert np.array_equal(ids, state.live_ids()) and len(ids) == 22
    vectors = np.concatenate([block.vectors for block in blocks])
    shuffled = np.random.default_rng(0).permutation(ids)
    assert np.array_equal(gallery.vectors(shuffled), vectors[np.searchsorted(ids, shuffled)])
    assert [face.face_id for face in gallery.faces(shuffled, state)] == shuffled.tolist()


def test_index_and_shards_give_the_same_answer(gallery: Gallery) -> None:
    delete_photo(gallery, "03.png")
    state = gallery.state()
    queries = gallery.vectors(state.live_ids())[::5]
    over_shards = search_gallery(gallery, state, queries, 7)
    assert build_index(gallery).face_count == 22
    through_index = load_index(gallery, state).search(queries, 7)
    assert np.array_equal(over_shards.ids, through_index.ids)
    assert np.allclose(over_shards.distances, through_index.distances, atol=1e-6)
    plain = exact_search(gallery.blocks(state), queries, 7)
    assert np.array_equal(plain.ids, over_shards.ids)


def test_stale_index_is_not_used(gallery: Gallery, caplog: pytest.LogCaptureFixture) -> None:
    build_index(gallery)
    delete_photo(gallery, "00.png")
    state = gallery.state()
    with pytest.raises(StaleIndexError):
        load_index(gallery, state)
    queries = np.eye(DIMENSION, dtype=np.float32)[:2]
    neighbours = search_gallery(gallery, state, queries, 30)
    assert "instead of the index" in caplog.text
    assert set(neighbours.ids[neighbours.ids >= 0]) == set(state.live_ids())


def test_refreshing_builds_only_what_is_stale_or_damaged(gallery: Gallery) -> None:
    refresh_index(gallery)
    (file,) = index_folder(gallery).glob("*.faiss")
    built = file.read_bytes(), file.stat().st_mtime_ns
    refresh_index(gallery)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == built
    file.write_bytes(built[0][:-1] + b"?")
    refresh_index(gallery)
    assert file.read_bytes() == built[0]
    delete_photo(gallery, "00.png")
    state = refresh_index(gallery)
    assert load_index(gallery, state).search(np.eye(DIMENSION, dtype=np.float32)[:1], 1).ids.size
    assert not file.exists()


def test_check_of_a_whole_gallery_finds_only_what_is_not_built(gallery: Gallery) -> None:
    assert [(each.subject, each.severe) for each in check_gallery(gallery)] == [("index", False)]
    build_index(gallery)
    assert check_gallery(gallery) == []


def test_check_finds_a_flipped_bit_in_a_shard(gallery: Gallery) -> None:
    path = gallery.shard_paths()[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    findings = check_gallery(gallery)
    assert any(each.severe and path.name in each.subject for each in findings)


def test_check_finds_an_index_of_other_faces(gallery: Gallery) -> None:
    build_index(gallery)
    delete_photo(gallery, "11.png")
    assert [each.subject for each in check_gallery(gallery)] == ["index"]
