"""The gallery folder: creation, refusals, blocks of live faces, checks."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesearch.check import check_gallery
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.errors import ContractError, GalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import (
    build_index,
    index_facts,
    index_folder,
    load_index,
    refresh_index,
)
from indexer import build
from indexer.build import open_index
from indexer.errors import StaleIndexError
from indexer.exact.brute_force import exact_search
from indexer.exact.int8_kernel import LANES
from indexer.index import overlay
from indexer.index.flat import FlatIndex
from indexer.index.manifest import IndexManifest
from indexer.index.overlay import Coverage
from indexer.storage.verified_digests import identity, note_verified
from indexer.types import Ids, Vectors
from support.fake_engine import DIMENSION, FakeEngine, write_photo
from support.galleries import approximate_index, rewrite_shard, set_value
from support.search import require_equal, search_gallery

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
        ({"version": 4}, "version 4"),
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
    assert build_index(gallery).count == 22
    through_index = load_index(gallery, state).search(queries, 7)
    assert np.array_equal(over_shards.ids, through_index.ids)
    assert np.allclose(over_shards.distances, through_index.distances, atol=1e-6)
    plain = exact_search(gallery.blocks(state), queries, 7)
    assert np.array_equal(plain.ids, over_shards.ids)


def test_index_of_other_faces_is_still_used(
    gallery: Gallery, caplog: pytest.LogCaptureFixture
) -> None:
    build_index(gallery)
    delete_photo(gallery, "00.png")
    write_photo(gallery.folder.parent / "photos" / "new.png", [3], variant=50)
    delete_photo(gallery, "01.png")
    state = gallery.state()
    index = load_index(gallery, state)
    assert index.coverage == Coverage(20, 4, 1)
    queries = gallery.vectors(state.live_ids())[::5]
    found = search_gallery(gallery, state, queries, 30)
    assert not caplog.text
    plain = exact_search(gallery.blocks(state), queries, found.ids.shape[1])
    require_equal(found, plain)
    assert set(found.ids[0]) == set(state.live_ids())


def test_fresh_faces_compete_fairly_with_an_index_by_faiss(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "ivf_available", lambda dimension: False)
    assert approximate_index(gallery, monkeypatch).recipe == "IVF"
    write_photo(gallery.folder.parent / "photos" / "new.png", [3, 4], variant=50)
    delete_photo(gallery, "01.png")
    state = gallery.state()
    assert load_index(gallery, state).coverage == Coverage(22, 2, 2)
    queries = gallery.vectors(state.live_ids())[::5]
    plain = exact_search(gallery.blocks(state), queries, 24)
    found = search_gallery(gallery, state, queries, 24)
    for query in range(len(queries)):
        exact = dict(zip(plain.ids[query].tolist(), plain.distances[query].tolist(), strict=True))
        there = found.ids[query] >= 0
        expected = [exact[each] for each in found.ids[query][there].tolist()]
        assert len(expected) > 2 and found.distances[query][there].tolist() == expected


def test_the_speed_stated_is_that_with_vectors_from_shards(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, seconds = Gallery.vectors, 0.01

    def slowly(self: Gallery, ids: Ids) -> Vectors:
        time.sleep(seconds)
        return read(self, ids)

    monkeypatch.setattr(Gallery, "vectors", slowly)
    monkeypatch.setattr(build, "ivf_available", lambda dimension: False)
    measured = approximate_index(gallery, monkeypatch).measured
    assert measured["single_seconds"] >= seconds
    assert measured["queries_per_second"] <= measured["batch"] / seconds


def test_a_photo_that_comes_back_is_found_by_the_index(gallery: Gallery) -> None:
    photo = gallery.folder.parent / "photos" / "00.png"
    content = photo.read_bytes()
    delete_photo(gallery, "00.png")
    build_index(gallery)
    photo.write_bytes(content)
    delete_photo(gallery, "11.png")
    index = load_index(gallery, gallery.state())
    assert index.coverage == Coverage(20, 2, 2)
    vector = gallery.vectors(np.zeros(1, np.int64))
    assert index.search(vector, 1).ids.tolist() == [[0]]


@pytest.mark.parametrize("lost", [False, True])
def test_stale_index_is_not_used(
    gallery: Gallery, caplog: pytest.LogCaptureFixture, lost: bool
) -> None:
    build_index(gallery)
    path = gallery.shard_paths()[1]
    if lost:
        path.unlink()
    else:
        rewrite_shard(path, set_value("photos", "size", 0, 7))
    state = gallery.state()
    with pytest.raises(StaleIndexError, match=path.name):
        load_index(gallery, state)
    queries = np.eye(DIMENSION, dtype=np.float32)[:2]
    neighbours = search_gallery(gallery, state, queries, 30)
    assert "instead of the index" in caplog.text and path.name in caplog.text
    assert set(neighbours.ids[neighbours.ids >= 0]) == set(state.live_ids())


def test_index_of_another_dimension_is_not_used(gallery: Gallery) -> None:
    FlatIndex.build([], DIMENSION + 1).save(index_folder(gallery), {})
    with pytest.raises(StaleIndexError, match="17 components"):
        load_index(gallery, gallery.state())


def test_an_index_that_is_replaced_while_it_is_opened(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(gallery)
    state = gallery.state()
    read = IndexManifest.read
    names = ["00.png", "01.png", "02.png"]
    building = False

    def raced(folder: Path) -> IndexManifest:
        nonlocal building
        description = read(folder)
        if names and not building:  # what was just described is removed, a new shard covered
            building = True
            delete_photo(gallery, names.pop())
            build_index(gallery)
            building = False
        return description

    monkeypatch.setattr(IndexManifest, "read", raced)
    assert load_index(gallery, state).coverage == Coverage(18, 0, 6)
    assert not names


def test_a_damaged_index_is_opened_once(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    build_index(gallery)
    (file,) = index_folder(gallery).glob("*.faiss")
    file.unlink()
    opened = []
    monkeypatch.setattr(
        build, "open_index", lambda *a, **named: opened.append(a) or open_index(*a, **named)
    )
    with pytest.raises(StaleIndexError, match="No such file"):
        load_index(gallery, gallery.state())
    assert len(opened) == 1


def test_what_an_index_serves_is_reported_without_loading_it(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(gallery)
    delete_photo(gallery, "00.png")

    def load(*given: object) -> None:
        raise AssertionError(given)

    monkeypatch.setattr(FlatIndex, "read", load)
    facts = index_facts(gallery, gallery.state())
    assert facts.coverage == Coverage(22, 2, 0)
    (file,) = index_folder(gallery).glob("*.faiss")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    facts = index_facts(gallery, gallery.state())
    assert facts.coverage is None and "damaged" in facts.problem


def test_refreshing_builds_only_what_is_damaged_or_serves_too_few(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_index(gallery)
    (file,) = index_folder(gallery).glob("*.faiss")
    built = file.read_bytes(), file.stat().st_mtime_ns
    refresh_index(gallery)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == built
    file.write_bytes(built[0][:-1] + b"?")
    refresh_index(gallery)
    assert file.read_bytes() == built[0]
    kept = file.stat().st_mtime_ns
    monkeypatch.setattr(overlay, "KEPT_SHARE", 0.1)
    delete_photo(gallery, "00.png")
    refresh_index(gallery)
    assert file.stat().st_mtime_ns == kept
    delete_photo(gallery, "01.png")
    state = refresh_index(gallery)
    assert load_index(gallery, state).coverage == Coverage(20, 0, 0)
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


@pytest.mark.skipif(not LANES, reason="needs AVX2")
def test_check_reads_an_index_that_was_found_whole(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = approximate_index(gallery, monkeypatch)
    damage_unnoticed(gallery, described)
    load_index(gallery, gallery.state())
    (finding,) = check_gallery(gallery)
    assert finding.subject == "index" and "damaged" in finding.problem


def damage_unnoticed(gallery: Gallery, described: IndexManifest) -> None:
    """Change a byte of the index file as if the file system knew of no change."""
    path = index_folder(gallery) / described.file_name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    time.sleep(0.02)
    with path.open("rb") as file:
        note_verified(path, identity(file), described.sha256)


def test_an_index_that_a_search_found_damaged_is_renewed(gallery: Gallery) -> None:
    damage_unnoticed(gallery, build_index(gallery))
    state = gallery.state()
    assert index_facts(gallery, state).coverage is not None
    found = search_gallery(gallery, state, gallery.vectors(state.live_ids())[:3], 5)
    assert found.ids.shape == (3, 5)
    assert "damaged" in index_facts(gallery, state).problem
    refresh_index(gallery)
    assert load_index(gallery, state).coverage == Coverage(24, 0, 0)


def test_check_finds_an_index_of_other_faces(gallery: Gallery) -> None:
    build_index(gallery)
    delete_photo(gallery, "11.png")
    assert [each.subject for each in check_gallery(gallery)] == ["index"]
