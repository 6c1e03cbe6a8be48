"""The live faces by columns: what the gallery says of each, every shard opened once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from facesearch.album.build import gallery_album
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.erasure.forget import Selection, forget
from facesearch.errors import ChangedGalleryError, GalleryError
from facesearch.gallery.face_table import FaceTable
from facesearch.gallery.gallery import Gallery
from indexer.storage.shards import Shard
from support.fake_engine import FakeEngine
from support.galleries import drop_column, rewrite_shard, set_value, small_gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Three shards; one face is of poor quality, and some faces are no longer live."""
    made = small_gallery(tmp_path)
    rewrite_shard(made.shard_paths()[1], set_value("faces", "quality", 2, 0.25))
    (tmp_path / "photos" / "03.png").unlink()
    options = EmbedOptions(decoders=0, threads=1)
    embed_photos(made, FakeEngine(), [tmp_path / "photos"], options)  # type: ignore[arg-type]
    return made


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each shard was opened since."""
    counts: Counter[str] = Counter()
    plain = Shard.open

    def counting(path: Path) -> Shard:
        counts[path.name] += 1
        return plain(path)

    monkeypatch.setattr(Shard, "open", counting)
    return counts


def test_columns_say_what_the_gallery_says(gallery: Gallery) -> None:
    state = gallery.state()
    table = FaceTable.read(gallery, state)
    ids = state.live_ids()
    assert len(table) == state.face_count < 2 * 12
    np.testing.assert_array_equal(table.ids, ids)
    np.testing.assert_array_equal(table.vectors, gallery.vectors(ids))
    np.testing.assert_array_equal(table.quality, gallery.qualities(ids))
    assert (table.quality == 0.25).sum() == 1
    records = gallery.faces(ids, state)
    assert [state.shown[each] for each in table.photo.tolist()] == [face.photo for face in records]


def test_faces_of_some_ids_come_in_their_order(gallery: Gallery) -> None:
    table = FaceTable.read(gallery, gallery.state())
    ids = table.ids[::-2]
    part = table.of(ids)
    np.testing.assert_array_equal(part.ids, ids)
    np.testing.assert_array_equal(part.vectors, gallery.vectors(ids))
    with pytest.raises(KeyError, match="no live face 77"):
        table.of(np.array([77]))


def test_each_shard_is_opened_once(gallery: Gallery, opened: Counter[str]) -> None:
    state = gallery.state()
    opened.clear()
    FaceTable.read(gallery, state)
    assert opened == {f"{number:08d}.h5": 1 for number in state.live if len(state.live[number])}


def test_a_clustering_opens_each_shard_once(gallery: Gallery, opened: Counter[str]) -> None:
    state = gallery.state()
    opened.clear()
    run_clustering(gallery, state, ClusterOptions("agglomerative", 1.0, min_quality=0.3))
    assert max(opened.values()) == 1


def test_an_album_opens_each_shard_once(gallery: Gallery, opened: Counter[str]) -> None:
    state = gallery.state()
    run = run_clustering(gallery, state, ClusterOptions("agglomerative", 1.0))
    opened.clear()
    album = gallery_album(gallery, state, run, "title")
    assert album.face_count == state.face_count
    assert max(opened.values()) == 1


def test_records_and_vectors_are_those_of_the_gallery(gallery: Gallery) -> None:
    state = gallery.state()
    ids = state.live_ids()[::-2]
    faces = gallery.faces_with_vectors(ids, state)
    assert list(faces.records) == gallery.faces(ids, state)
    np.testing.assert_array_equal(faces.vectors, gallery.vectors(ids))


def test_an_empty_gallery_has_an_empty_table(tmp_path: Path) -> None:
    made = Gallery.create(tmp_path / "empty.gallery", FakeEngine().contract)
    table = FaceTable.read(made, made.state())
    assert len(table) == 0
    assert table.vectors.shape == (0, made.contract.dimension)


def test_what_was_never_measured_is_nan(gallery: Gallery) -> None:
    for column in ("quality", "sharpness", "noise"):
        rewrite_shard(gallery.shard_paths()[0], drop_column("faces", column))
    table = FaceTable.read(gallery, gallery.state())
    np.testing.assert_array_equal(np.isnan(table.quality), table.ids >> 32 == 0)


def test_damage_and_faces_forgotten_meanwhile_are_errors(gallery: Gallery) -> None:
    state = gallery.state()
    forget(gallery, Selection(ids=(int(state.live_ids()[0]),)))
    with pytest.raises(ChangedGalleryError, match="forgotten meanwhile"):
        FaceTable.read(gallery, state)
    rewrite_shard(gallery.shard_paths()[1], set_value("faces", "quality", 2, 7.0))
    with pytest.raises(GalleryError, match="quality"):
        FaceTable.read(gallery, gallery.state())
