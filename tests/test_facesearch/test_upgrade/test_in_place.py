"""Upgrades shard by shard: the gallery is searched meanwhile with vectors of both encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesearch.check import check_gallery
from facesearch.detect.types import Detections, Pixels
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.encoders.types import Embeddings
from facesearch.engine import PhotoFaces
from facesearch.errors import GalleryError, InputError
from facesearch.gallery.description import holds_contract
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import open_search
from facesearch.upgrade.mixed import upgrade_in_place
from indexer.storage.shards import Shard
from support.fake_engine import FakeEngine
from support.galleries import small_gallery

PLAIN = EmbedOptions(decoders=0, threads=1)


class SecondVersion(FakeEngine):
    """The next version of an encoder: its vectors differ from the first's by ``noise``."""

    def __init__(self, noise: float = 0.02) -> None:
        super().__init__("second")
        self.contract = replace(self.contract, weights_sha256="2" * 64)
        self._noise = noise
        self.photos = 0

    def embed(self, photos: Sequence[Pixels], found: Sequence[Detections]) -> list[PhotoFaces]:
        self.photos += len(photos)
        random = np.random.default_rng(3)
        made = []
        for each in super().embed(photos, found):
            first = each.embeddings.vectors
            moved = first + self._noise * random.normal(size=first.shape).astype(np.float32)
            moved /= np.linalg.norm(moved, axis=1, keepdims=True)
            made.append(replace(each, embeddings=Embeddings(moved, each.embeddings.norms)))
        return made


def upgrade(gallery: Gallery, engine: FakeEngine, **keywords: object):
    return upgrade_in_place(gallery, engine, PLAIN, **keywords)  # type: ignore[arg-type]


def versions(gallery: Gallery) -> list[bool]:
    """For each shard whether it holds vectors of the gallery's newest encoder."""
    found = []
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            found.append(holds_contract(shard, gallery.contract))
    return found


def killed_after(faces: int):
    def progress(done: int, total: int) -> None:
        if done > faces:
            raise KeyboardInterrupt

    return progress


def test_a_gallery_of_both_versions_is_searched_and_then_wholly_of_the_new_one(
    tmp_path: Path,
) -> None:
    gallery, engine = small_gallery(tmp_path), SecondVersion()
    ids = gallery.state().live_ids()
    old = gallery.vectors(ids)
    PeopleStore(gallery.folder).enroll("somebody", ids[:2].tolist())
    opened_before = Gallery.open(gallery.folder)
    with pytest.raises(KeyboardInterrupt):
        upgrade(gallery, engine, progress=killed_after(12))

    mixed = Gallery.open(gallery.folder)
    assert mixed.contract == engine.contract
    assert len(mixed.comparable) == 1
    assert {*versions(mixed)} == {True, False}
    state = mixed.state()
    np.testing.assert_array_equal(state.live_ids(), ids)
    np.testing.assert_allclose(mixed.vectors(ids), old, atol=0.1)
    found = open_search(mixed, state).search(old, 1)
    assert (found.distances < 0.05).all()
    assert [each for each in check_gallery(mixed) if each.severe] == []
    # Who opened it before may go on, and index nothing into it with the old encoder.
    np.testing.assert_array_equal(opened_before.state().live_ids(), ids)

    seen = engine.photos
    report = upgrade(mixed, engine)
    assert (report.upgraded, report.mixed) == (True, False)
    assert report.shards_before > 0
    assert engine.photos - seen < len(ids) / 2  # two faces a photo
    new = Gallery.open(gallery.folder)
    assert (new.contract, new.comparable) == (engine.contract, ())
    assert all(versions(new))
    assert [each for each in check_gallery(new) if each.severe] == []
    assert PeopleStore(new.folder).memberships().by_id() == dict.fromkeys(
        ids[:2].tolist(), "somebody"
    )
    with pytest.raises(InputError, match="vectors of second already"):
        upgrade(new, engine)


def test_new_photos_get_vectors_of_the_new_version_while_both_are_there(tmp_path: Path) -> None:
    gallery, engine = small_gallery(tmp_path), SecondVersion()
    with pytest.raises(KeyboardInterrupt):
        upgrade(gallery, engine, progress=killed_after(12))
    mixed = Gallery.open(gallery.folder)
    report = embed_photos(mixed, engine, [tmp_path / "photos"], PLAIN)  # type: ignore[arg-type]
    assert (report.embedded, report.unchanged) == (0, report.found)


def test_encoders_that_share_nothing_are_refused_before_anything_changes(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    before = {path.name: path.read_bytes() for path in gallery.shard_paths()}
    with pytest.raises(
        InputError, match=r"cannot be compared .* have a new vector near their old one"
    ):
        upgrade(gallery, SecondVersion(noise=50.0))
    there = Gallery.open(gallery.folder)
    assert (there.contract, there.comparable) == (gallery.contract, ())
    assert {path.name: path.read_bytes() for path in there.shard_paths()} == before


def test_vectors_of_another_size_are_refused(tmp_path: Path) -> None:
    engine = SecondVersion()
    engine.contract = replace(engine.contract, dimension=24)
    with pytest.raises(InputError, match="expected vectors of 16 components"):
        upgrade(small_gallery(tmp_path), engine)


def test_a_shard_whose_photos_cannot_be_read_keeps_its_old_vectors(tmp_path: Path) -> None:
    gallery, engine = small_gallery(tmp_path), SecondVersion()
    lost = tmp_path / "photos" / "08.png"
    data = lost.read_bytes()
    lost.unlink()
    report = upgrade(gallery, engine)
    assert (report.upgraded, report.mixed) == (False, True)
    assert [each.photo for each in report.failures] == [lost]
    mixed = Gallery.open(gallery.folder)
    assert versions(mixed).count(False) == 1
    lost.write_bytes(data)
    assert upgrade(mixed, engine).upgraded
    assert all(versions(Gallery.open(gallery.folder)))


def test_a_description_with_a_contract_that_is_none_is_refused(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    path = gallery.folder / "gallery.json"
    text = path.read_text()
    path.write_text(text.replace('"version": 1', '"version": 3, "comparable": [{"name": 3}]'))
    with pytest.raises(GalleryError, match="no valid encoder contract"):
        Gallery.open(gallery.folder)
