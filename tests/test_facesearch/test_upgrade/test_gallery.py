"""Upgrades with stand-ins for encoders: the same faces, other vectors, whatever happens between."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesearch.check import check_gallery
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.errors import BusyGalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import build_index, open_search
from facesearch.upgrade.gallery import upgrade_gallery
from indexer.storage.shards import Shard
from support.fake_engine import FakeEngine, OtherEngine
from support.galleries import small_gallery

PLAIN = EmbedOptions(decoders=0, threads=1)


def upgraded(gallery: Gallery, engine: FakeEngine, **keywords: object) -> Gallery:
    report = upgrade_gallery(gallery, engine, PLAIN, **keywords)  # type: ignore[arg-type]
    assert report.upgraded
    return Gallery.open(gallery.folder)


def test_faces_keep_their_ids_and_get_the_other_encoders_vectors(tmp_path: Path) -> None:
    gallery, engine = small_gallery(tmp_path), OtherEngine()
    before = gallery.state()
    ids = before.live_ids()
    old, places = gallery.vectors(ids), gallery.faces(ids, before)
    new = upgraded(gallery, engine)
    assert new.contract == replace(engine.contract, detector=gallery.contract.detector)
    after = new.state()
    np.testing.assert_array_equal(after.live_ids(), ids)
    np.testing.assert_allclose(new.vectors(ids), engine.turned(old), atol=2e-3)
    assert [(each.box, each.photo, each.score) for each in new.faces(ids, after)] == [
        (each.box, each.photo, each.score) for each in places
    ]
    assert [each.severe for each in check_gallery(new) if each.severe] == []
    assert {path.name for path in gallery.folder.glob("shards*")} == {new.shards_folder.name}
    found = open_search(new, after).search(new.vectors(ids), 1)
    np.testing.assert_allclose(found.distances[:, 0], 0, atol=1e-2)


def test_names_hold_and_photos_are_not_embedded_again_afterwards(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    ids = gallery.state().live_ids()[:2]
    PeopleStore(gallery.folder).enroll("somebody", ids.tolist())
    engine = OtherEngine()
    new = upgraded(gallery, engine)
    assert PeopleStore(new.folder).memberships().by_id() == dict.fromkeys(ids.tolist(), "somebody")
    engine.contract = new.contract
    report = embed_photos(new, engine, [tmp_path / "photos"], PLAIN)  # type: ignore[arg-type]
    assert (report.embedded, report.unchanged) == (0, report.found)


def test_an_upgrade_back_gives_the_first_vectors(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    ids = gallery.state().live_ids()
    old = gallery.vectors(ids)
    there = upgraded(gallery, OtherEngine())
    first = FakeEngine()
    back = upgraded(there, first)
    np.testing.assert_allclose(back.vectors(ids), old, atol=1e-3)
    with pytest.raises(InputError, match="vectors of fake already"):
        upgrade_gallery(back, first, PLAIN)  # type: ignore[arg-type]


def test_searches_go_on_and_a_killed_job_does_the_rest(tmp_path: Path) -> None:
    gallery, engine = small_gallery(tmp_path, photos=12, shard_photos=5), OtherEngine()
    shards = len(gallery.shard_paths())
    assert shards > 2
    ids = gallery.state().live_ids()

    def killed(done: int, total: int) -> None:
        assert total == len(ids)
        if done > 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrade_gallery(gallery, engine, PLAIN, progress=killed)  # type: ignore[arg-type]
    there = Gallery.open(gallery.folder)
    assert there.contract == gallery.contract
    assert len(open_search(there, there.state()).search(there.vectors(ids), 1).ids) == len(ids)
    seen = engine.photos
    report = upgrade_gallery(there, engine, PLAIN)  # type: ignore[arg-type]
    assert report.upgraded
    assert report.shards_before > 0
    assert report.shards_before + report.shards == shards
    assert engine.photos - seen < len(ids) / 2  # two faces a photo
    new = Gallery.open(gallery.folder)
    np.testing.assert_allclose(
        np.linalg.norm(new.vectors(ids), axis=1), np.ones(len(ids)), atol=2e-3
    )


def test_a_shard_that_changed_meanwhile_is_made_again(tmp_path: Path) -> None:
    from facesearch.erasure.forget import Selection, forget

    gallery, engine = small_gallery(tmp_path), OtherEngine()

    def killed(done: int, total: int) -> None:
        if done > 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrade_gallery(gallery, engine, PLAIN, progress=killed)  # type: ignore[arg-type]
    ids = gallery.state().live_ids()
    forget(gallery, Selection(ids=(int(ids[0]),)))
    new = upgraded(Gallery.open(gallery.folder), engine)
    assert int(ids[0]) not in new.state().live_ids().tolist()
    with Shard.open(new.shard_paths()[0]) as shard:
        assert shard.column("faces", "photo")[int(ids[0]) & 0xFFFFFFFF] < 0


def test_photos_that_cannot_be_read_keep_the_gallery_as_it_was(tmp_path: Path) -> None:
    gallery, engine = small_gallery(tmp_path), OtherEngine()
    state = gallery.state()
    ids = state.live_ids()
    lost = tmp_path / "photos" / "03.png"
    data = lost.read_bytes()
    lost.unlink()
    report = upgrade_gallery(gallery, engine, PLAIN)  # type: ignore[arg-type]
    assert not report.upgraded
    assert [each.photo for each in report.failures] == [lost]
    assert Gallery.open(gallery.folder).contract == gallery.contract
    changed = tmp_path / "photos" / "04.png"
    kept = changed.read_bytes()
    changed.write_bytes(data)
    again = upgrade_gallery(gallery, engine, PLAIN)  # type: ignore[arg-type]
    assert {each.reason for each in again.failures} == {"unreadable", "changed"}
    changed.write_bytes(kept)
    new = upgraded(gallery, engine, drop_unreadable=True)
    left = new.state().live_ids()
    dropped = sorted({*ids.tolist()} - {*left.tolist()})
    assert len(dropped) == 2
    lost.write_bytes(data)
    engine.contract = new.contract
    report = embed_photos(new, engine, [tmp_path / "photos"], PLAIN)  # type: ignore[arg-type]
    assert report.embedded == 1
    assert new.state().face_count == len(ids)
    assert not {*dropped} & {*new.state().live_ids().tolist()}


def test_what_followed_from_the_old_vectors_is_gone(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    build_index(gallery)
    leftovers = [gallery.folder / "calibration.json", gallery.folder / "graph.h5"]
    for path in leftovers:
        path.write_text("of the old vectors")
    new = upgraded(gallery, OtherEngine())
    assert not any(path.exists() for path in leftovers)
    described = json.loads((new.folder / "index" / "index.json").read_text())
    assert described["dimension"] == OtherEngine.DIMENSION


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    with gallery.writing(), pytest.raises(BusyGalleryError):
        upgrade_gallery(Gallery.open(gallery.folder), OtherEngine(), PLAIN)  # type: ignore[arg-type]


def test_the_description_names_the_folder_of_shards_and_nothing_else(tmp_path: Path) -> None:
    from facesearch.errors import GalleryError

    new = upgraded(small_gallery(tmp_path), OtherEngine())
    path = new.folder / "gallery.json"
    described = json.loads(path.read_text())
    assert described["version"] == 2
    for wrong in ("../elsewhere", "shards-../../x", "index", 3):
        path.write_text(json.dumps({**described, "shards": wrong}))
        with pytest.raises(GalleryError, match="expected shards in a folder"):
            Gallery.open(new.folder)
