"""A gallery through any history of commands, crashes and other writers, against a plain model.

``make fuzz`` runs a thousand random histories; a few fixed ones are in the ordinary tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from facesearch.erasure.forget import Selection, forget
from facesearch.gallery.gallery import Gallery
from facesearch.people.ledger import Ledger
from facesearch.people.store import PeopleStore
from indexer.storage.shards import Shard
from support.fake_engine import FakeEngine
from support.histories.crashes import CrashError, crashing
from support.histories.gallery_machine import GalleryMachine, index
from support.histories.gallery_model import GalleryModel
from support.people_galleries import cluster

TestGallery = pytest.mark.timeout(0)(GalleryMachine.TestCase)  # `make fuzz` runs it for long
TestGallery.settings = settings(
    max_examples=10 if settings.default.derandomize else 25,  # type: ignore[union-attr]
    stateful_step_count=20 if settings.default.derandomize else 50,  # type: ignore[union-attr]
    deadline=None,
    suppress_health_check=[*HealthCheck],
)


@pytest.fixture
def model(tmp_path: Path) -> GalleryModel:
    (tmp_path / "photos").mkdir()
    return GalleryModel(tmp_path / "photos")


@pytest.fixture
def gallery(model: GalleryModel) -> Gallery:
    """Two people in three photos, clustered, the first of them named."""
    made = Gallery.create(model.folder.parent / "my.gallery", FakeEngine().contract)
    for name, person in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        model.write(name, person)
    index(made, model.folder)
    model.indexed()
    cluster(made)
    PeopleStore(made.folder).enroll("Ada", made.state().live_ids().tolist()[:1])
    model.require_kept(made)
    model.require_whole(made)
    return made


def test_a_face_that_is_missing_is_seen(gallery: Gallery, model: GalleryModel) -> None:
    face = int(gallery.state().live_ids()[0])
    forget(gallery, Selection(ids=(face,)))
    with pytest.raises(AssertionError):
        model.require_kept(gallery)


def test_a_vector_that_is_left_is_seen(gallery: Gallery, model: GalleryModel) -> None:
    ids = gallery.state().live_ids()[:1]
    variants = model.variants_of(gallery, ids)
    forget(gallery, Selection(ids=tuple(ids.tolist())))
    model.forgot(ids.tolist(), variants)
    model.require_kept(gallery)
    (gallery.folder / "index" / "left").write_bytes(b"..." + model.vectors[variants[0]])
    with pytest.raises(AssertionError):
        model.require_kept(gallery)


def test_a_face_that_comes_back_is_seen(gallery: Gallery, model: GalleryModel) -> None:
    ids = gallery.state().live_ids()[:1]
    model.forgot(ids.tolist(), model.variants_of(gallery, ids))
    with pytest.raises(AssertionError):
        model.require_kept(gallery)


def test_a_decision_that_is_lost_is_seen(gallery: Gallery, model: GalleryModel) -> None:
    with Ledger(gallery.folder).open() as entries:
        entries.forget(gallery.state().live_ids().tolist())
    with pytest.raises(AssertionError):
        model.require_kept(gallery)


def test_damage_is_seen(gallery: Gallery, model: GalleryModel) -> None:
    (shard,) = gallery.shard_paths()
    data = bytearray(shard.read_bytes())
    with Shard.open(shard) as opened:
        at = data.find(opened.vectors()[0].astype("<f2").tobytes())
    data[at] ^= 1
    shard.write_bytes(data)
    with pytest.raises(AssertionError):
        model.require_whole(gallery)


@pytest.mark.parametrize("at", [0, 1])
def test_after_a_crash_nothing_changes(tmp_path: Path, at: int) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    for each in files:
        each.touch()
    with pytest.raises(CrashError), crashing(at):
        try:
            for each in files:
                each.unlink()
        finally:
            files[-1].rename(tmp_path / "d")
    assert [each for each in files if each.exists()] == files[at:]
    files[-1].rename(tmp_path / "d")
