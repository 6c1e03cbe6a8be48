"""Clusterings of a gallery, names on clusters, and the album they become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.adaptive.clustering import AdaptiveMerges, dendrogram_of
from cluster.adaptive.impostor_law import ImpostorLaw
from cluster.adaptive.merge_rule import GROUP_NAMES, MergeRule
from cluster.adaptive.scored_linkage import scored_linkage
from cluster.agglomerative import agglomerative
from cluster.constraints import Constraints
from cluster.hdbscan_clustering import DensitySettings, hdbscan_clustering
from cluster.labels import ordered_labels
from cluster.types import NOISE
from facesearch.album.build import gallery_album
from facesearch.album.to_json import album_json
from facesearch.clustering import partition
from facesearch.clustering.graph_source import clustering_graph, kept_graph
from facesearch.clustering.options import REFINE, ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import ClusterRun, latest_run, save_run
from facesearch.curation.editor import PeopleEditor
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.errors import GalleryError, InputError
from facesearch.gallery.face_table import FaceTable
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.search.knn_graph import refresh_graph
from support.fake_engine import FakeEngine, write_photo
from support.galleries import drop_column, rewrite_shard

OPTIONS = EmbedOptions(decoders=0, threads=1)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    folder = tmp_path / "photos"
    for number in range(12):
        people = [1 + number % 3] + ([9] if number == 5 else [])
        write_photo(folder / f"{number:02d}.png", people, variant=number)
    write_photo(folder / "landscape.png", [])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    made = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    embed_photos(made, FakeEngine(), [folder], OPTIONS)  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_people_of_a_clear_gallery_are_found(gallery: Gallery, method: str) -> None:
    state = gallery.state()
    run = run_clustering(gallery, state, ClusterOptions(method, 0.5))
    save_run(gallery, run)
    album = gallery_album(gallery, state, latest_run(gallery), "Trip")
    assert [person.photo_count for person in album.people[:3]] == [4, 4, 4]
    assert album.about.photo_count == 14 and album.about.photos_without_faces == 1
    assert [photo.name for photo in album.about.failed] == ["broken.jpg"]
    alone = album.noise if method == "hdbscan" else album.people[3].faces
    assert [face.name for face in alone] == ["05.png"]


def test_run_is_read_back_as_it_was_saved(gallery: Gallery) -> None:
    run = run_clustering(gallery, gallery.state(), ClusterOptions("agglomerative", 0.5))
    save_run(gallery, run)
    loaded = latest_run(gallery)
    assert (loaded.method, loaded.threshold, loaded.state) == ("agglomerative", 0.5, run.state)
    assert np.array_equal(loaded.clustering.labels, run.clustering.labels)
    second = run_clustering(gallery, gallery.state(), ClusterOptions("hdbscan", 0.5))
    assert save_run(gallery, second).name == "000001.h5"
    assert latest_run(gallery).threshold == pytest.approx(0.5 * REFINE)


def test_album_without_clustering_says_what_to_do(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="facesearch cluster"):
        latest_run(gallery)
    with pytest.raises(InputError, match="agglomerative or hdbscan"):
        run_clustering(gallery, gallery.state(), ClusterOptions("k-means", 0.5))


def test_damaged_run_says_what_to_do(gallery: Gallery) -> None:
    path = save_run(
        gallery, run_clustering(gallery, gallery.state(), ClusterOptions("agglomerative", 0.5))
    )
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(GalleryError, match="delete this file and run: facesearch cluster"):
        latest_run(gallery)


def test_deleted_photos_leave_the_album(gallery: Gallery) -> None:
    run = run_clustering(gallery, gallery.state(), ClusterOptions("agglomerative", 0.5))
    (gallery.folder.parent / "photos" / "00.png").unlink()
    photos = gallery.folder.parent / "photos"
    embed_photos(gallery, FakeEngine(), [photos], OPTIONS)  # type: ignore[arg-type]
    album = gallery_album(gallery, gallery.state(), run, "Trip")
    assert album.face_count == 12
    assert "00.png" not in {face.name for face in album.faces}


def test_an_enrolled_face_names_its_cluster(gallery: Gallery) -> None:
    state = gallery.state()
    run = run_clustering(gallery, state, ClusterOptions("agglomerative", 0.5))
    chosen = next(
        face for face in gallery.faces(state.live_ids(), state) if face.photo.name == "01.png"
    )
    save_run(gallery, run)
    PeopleStore(gallery.folder).enroll("Ann", [chosen.face_id])

    def photos_of_ann(run: ClusterRun) -> list[str]:
        album = gallery_album(gallery, state, run, "Trip")
        (ann,) = [person for person in album.people if person.name == "Ann"]
        return sorted(face.name for face in ann.faces)

    assert photos_of_ann(run) == ["01.png"]  # until the next clustering
    again = run_clustering(gallery, state, ClusterOptions("agglomerative", 0.5))
    assert not again.how.full and again.changes.moved == 3
    assert photos_of_ann(again) == ["01.png", "04.png", "07.png", "10.png"]


@pytest.fixture
def mixed(tmp_path: Path) -> Gallery:
    """Good and poor photos of three people, and poor ones of people nobody else shows."""
    folder = tmp_path / "photos"
    for number in range(18):
        poor = number % 3 == 2
        person = 1 + number // 6 if number not in {8, 17} else 40 + number
        quality = 0.1 if poor else 0.9
        write_photo(folder / f"{number:02d}.png", [person], variant=number, quality=quality)
    made = Gallery.create(tmp_path / "mixed.gallery", FakeEngine().contract)
    embed_photos(made, FakeEngine(), [folder], OPTIONS)  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_poor_faces_join_their_people_or_are_noise(mixed: Gallery, method: str) -> None:
    state = mixed.state()
    options = ClusterOptions(method, 0.5, min_quality=0.3, attach_threshold=0.3)
    run = run_clustering(mixed, state, options)
    save_run(mixed, run)
    assert latest_run(mixed).min_quality == 0.3
    album = gallery_album(mixed, state, latest_run(mixed), "Trip")
    assert [person.photo_count for person in album.people] == [6, 5, 5]
    assert sorted(face.name for face in album.noise) == ["08.png", "17.png"]
    assert all(face.quality == pytest.approx(0.1, abs=0.01) for face in album.noise)


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_a_poor_face_that_was_rejected_goes_to_the_next_person(mixed: Gallery, method: str) -> None:
    options = ClusterOptions(method, 0.5, min_quality=0.3, attach_threshold=4.0)
    state = mixed.state()
    save_run(mixed, run_clustering(mixed, state, options))
    face = int(state.live_ids()[mixed.qualities(state.live_ids()) < 0.3][0])
    deciding = PeopleEditor(mixed)
    (person,) = (p for p in deciding.now.people if face in deciding.now.faces(p.id))
    deciding.reject(person, [face])
    clustering = run_clustering(mixed, state, options).clustering
    (label,) = clustering.labels[clustering.ids == face]
    with_it = clustering.ids[(clustering.labels == label) & (clustering.ids != face)]
    assert label != NOISE and len(with_it)
    assert not {*with_it.tolist()} & {*deciding.now.faces(person.id).tolist()}


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_without_a_least_quality_clusters_are_what_they_were(mixed: Gallery, method: str) -> None:
    state = mixed.state()
    run = run_clustering(mixed, state, ClusterOptions(method, 0.5, attach_threshold=0.3))
    ids = state.live_ids()
    vectors = mixed.vectors(ids)
    plain = (
        agglomerative(ids, vectors, 0.5)
        if method == "agglomerative"
        else hdbscan_clustering(
            ids,
            vectors,
            DensitySettings(refine=0.5 * REFINE),
            constraints=Constraints(FaceTable.read(mixed, state).of(ids).photo),
        )
    )
    for name in ("ids", "labels", "confidence"):
        assert np.array_equal(getattr(run.clustering, name), getattr(plain, name)), name


@pytest.fixture
def mirrors(tmp_path: Path) -> Gallery:
    """Six photos of one person; two of them show the face twice."""
    folder = tmp_path / "photos"
    for number in range(6):
        faces = [1, 1] if number in {1, 4} else [1]
        write_photo(folder / f"{number:02d}.png", faces, variant=number)
    made = Gallery.create(tmp_path / "mirrors.gallery", FakeEngine().contract)
    embed_photos(made, FakeEngine(), [folder], OPTIONS)  # type: ignore[arg-type]
    return made


def test_two_faces_of_one_photo_are_two_people_unless_allowed(mirrors: Gallery) -> None:
    state = mirrors.state()
    run = run_clustering(mirrors, state, ClusterOptions("agglomerative", 0.5))
    labels, photos = (
        run.clustering.labels,
        FaceTable.read(mirrors, mirrors.state()).of(run.clustering.ids).photo,
    )
    assert len(np.bincount(labels)) == 2
    assert len(set(zip(labels.tolist(), photos.tolist(), strict=True))) == 8
    save_run(mirrors, run)
    assert not latest_run(mirrors).same_photo
    together = run_clustering(mirrors, state, ClusterOptions("agglomerative", 0.5, same_photo=True))
    assert np.bincount(together.clustering.labels).tolist() == [8]
    save_run(mirrors, together)
    assert latest_run(mirrors).same_photo


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1), st.floats(0, 4), st.floats(0, 4))
def test_poor_faces_change_nothing_for_the_others(
    mixed: Gallery, min_quality: float, threshold: float, attach_threshold: float
) -> None:
    state = mixed.state()
    ids = state.live_ids()
    good = ids[mixed.qualities(ids) >= min_quality]
    options = ClusterOptions("agglomerative", threshold, 1, min_quality, attach_threshold)
    run = run_clustering(mixed, state, options).clustering
    alone = agglomerative(good, mixed.vectors(good), threshold)
    of_good = np.isin(run.ids, good)
    assert np.array_equal(run.ids[of_good], alone.ids)
    labels = ordered_labels(run.ids[of_good], run.labels[of_good])
    assert np.array_equal(labels, alone.labels)
    assert np.array_equal(run.confidence[of_good], alone.confidence)
    assert sorted(run.ids.tolist()) == ids.tolist()


def test_faces_of_unknown_quality_are_good_ones(mixed: Gallery) -> None:
    for path in mixed.shard_paths():
        rewrite_shard(path, drop_column("faces", "quality"))
    state = mixed.state()
    assert np.isnan(mixed.qualities(state.live_ids())).all()
    gated = run_clustering(mixed, state, ClusterOptions("agglomerative", 0.5, 1, 1.0, 0.3))
    plain = run_clustering(mixed, state, ClusterOptions("agglomerative", 0.5))
    assert np.array_equal(gated.clustering.labels, plain.clustering.labels)
    album = gallery_album(mixed, state, gated, "Trip")
    assert {each["quality"] for each in album_json(album)["people"][0]["faces"]} == {None}


RULE = MergeRule(ImpostorLaw(0.4, 0.27), 0.5, 0.0, 0.0, 4.0, -0.5, 0.6)


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_a_rule_of_the_gallery_is_learnt_kept_and_cut_again(
    gallery: Gallery, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def learnt(vectors: np.ndarray, beyond: float, **about: Any) -> AdaptiveMerges:
        asked.append(beyond)
        history = scored_linkage(vectors, RULE.weights(vectors), RULE, 0.5, **about)
        return AdaptiveMerges(RULE, dendrogram_of(history, None))

    monkeypatch.setattr(partition, "adaptive_merges", learnt)
    options = ClusterOptions(method, 0.5, from_gallery=True)
    run = run_clustering(gallery, gallery.state(), options)
    assert (run.threshold, run.how.threshold_from) == (RULE.distance(1, 1), "gallery")
    assert run.how.merge_rule == RULE
    save_run(gallery, run)
    assert latest_run(gallery).how == run.how
    again = run_clustering(gallery, gallery.state(), options)
    assert (again.threshold, again.how.threshold_from) == (run.threshold, "gallery")
    if method == "agglomerative":  # built on the run before, and then on its merges
        assert (again.how.full, again.how.merge_rule, asked) == (False, RULE, [0.5])
        monkeypatch.setattr("facesearch.clustering.run.MOST_GROWTH", 0.5)
        recut = run_clustering(gallery, gallery.state(), options)
        assert (recut.how.full, recut.how.cut, recut.how.merge_rule) == (True, True, RULE)
        assert "changed from" not in recut.how.why
        assert asked == [0.5]
        np.testing.assert_array_equal(recut.clustering.labels, run.clustering.labels)
        run_clustering(gallery, gallery.state(), replace(options, full=True))
        assert asked == [0.5, 0.5]
    given = run_clustering(gallery, gallery.state(), ClusterOptions(method, 0.5))
    assert (given.how.threshold_from, given.how.rule) == ("given", None)
    assert "changed from" in given.how.why or method == "hdbscan"


def test_a_rule_of_an_earlier_version_is_learnt_again(gallery: Gallery) -> None:
    options = ClusterOptions("agglomerative", 0.5)
    run = run_clustering(gallery, gallery.state(), options)
    old = {name: value for name, value in RULE.as_dict().items() if name not in GROUP_NAMES}
    save_run(gallery, replace(run, how=replace(run.how, rule=old, threshold_from="gallery")))
    kept = latest_run(gallery)
    assert kept.how.rule is None
    np.testing.assert_array_equal(kept.clustering.labels, run.clustering.labels)
    again = run_clustering(gallery, gallery.state(), options)
    assert again.how.full
    assert "earlier version" in again.how.why


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_a_gallery_of_few_faces_takes_the_encoders_threshold(gallery: Gallery, method: str) -> None:
    options = ClusterOptions(method, 0.5, from_gallery=True)
    run = run_clustering(gallery, gallery.state(), options)
    factor = 1 if method == "agglomerative" else REFINE
    assert (run.threshold, run.how.threshold_from) == (0.5 * factor, "encoder")
    save_run(gallery, run)
    again = run_clustering(gallery, gallery.state(), options)
    assert again.how.threshold_from == "encoder"
    assert again.how.full == (method == "hdbscan")


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_many_faces_are_clustered_by_the_graph_that_is_kept(
    gallery: Gallery, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ClusterOptions(method, 0.5)
    plain = run_clustering(gallery, gallery.state(), options)
    assert (plain.how.graph, plain.how.edge_recall) == ("", 1.0)
    monkeypatch.setattr("cluster.agglomerative.MOST_DENSE", 4)
    monkeypatch.setattr(partition, "MOST_WHOLE", 4)
    made = run_clustering(gallery, gallery.state(), options)
    assert made.how.graph == "made"
    refresh_graph(gallery, 6)
    kept = run_clustering(gallery, gallery.state(), options)
    assert (kept.how.graph, kept.how.edge_recall) == ("kept", 1.0)
    for run in (made, kept):
        assert np.array_equal(run.clustering.labels, plain.clustering.labels)
    save_run(gallery, kept)
    assert latest_run(gallery).how == kept.how


def test_the_graph_that_is_kept_grows_with_the_gallery(gallery: Gallery, tmp_path: Path) -> None:
    refresh_graph(gallery, 6)
    write_photo(tmp_path / "photos" / "new.png", [1, 2], variant=77)
    embed_photos(gallery, FakeEngine(), [tmp_path / "photos"], OPTIONS)  # type: ignore[arg-type]
    state = gallery.state()
    ids = state.live_ids()[1:]  # one face takes no part
    vectors = gallery.vectors(ids)
    found = clustering_graph(vectors, kept_graph(gallery, state, ids))
    assert found.source == "kept"
    rows = np.where(found.graph.rows >= 0, found.graph.rows, 0)
    distances = ((vectors[rows] - vectors[:, None]) ** 2).sum(axis=2)
    known = found.graph.rows >= 0
    np.testing.assert_allclose(found.graph.distances[known], distances[known], atol=1e-5)
    assert known.sum(axis=1).min() >= 5


def test_faces_stay_as_sure_as_they_were_when_others_join(gallery: Gallery, tmp_path: Path) -> None:
    options = ClusterOptions("agglomerative", 0.5)
    first = run_clustering(gallery, gallery.state(), options)
    save_run(gallery, first)
    write_photo(tmp_path / "photos" / "new.png", [1], variant=77)
    embed_photos(gallery, FakeEngine(), [tmp_path / "photos"], OPTIONS)  # type: ignore[arg-type]
    second = run_clustering(gallery, gallery.state(), options)
    assert not second.how.full
    was, now = (
        dict(zip(run.clustering.ids.tolist(), run.clustering.confidence.tolist(), strict=True))
        for run in (first, second)
    )
    assert {face: now[face] for face in was} == was
    assert all(now[face] > 0.5 for face in now.keys() - was.keys())
