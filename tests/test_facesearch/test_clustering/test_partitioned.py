"""Clusterings in partitions: equal in kind to ordinary ones, decisions followed, numbers kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery
from cluster.graph.approximate_knn import NEIGHBOURS
from cluster.graph.knn_graph import exact_knn_graph
from cluster.metrics import bcubed_scores, pairwise_scores
from cluster.partitioned.runner import Handle, LocalRunner
from cluster.review.silhouette import graph_silhouette_confidence
from facesearch import (
    ClusterOptions,
    FaceTable,
    InputError,
    RayOptions,
    cluster_gallery,
    import_vectors,
)
from facesearch.clustering.partitioned import worker_bytes
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import ClusterRun, latest_run, run_at
from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.search.knn_graph import refresh_graph
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import CLEAR, cluster, index, people_gallery, photos_of_people

FACES = 900
THRESHOLD = 0.12  # of the made faces


def parted(partitions: int = 3, options: ClusterOptions = CLEAR) -> ClusterOptions:
    return replace(options, partitions=partitions)


def groups(run: ClusterRun) -> set[frozenset[int]]:
    found = run.clustering
    labels = [found.ids[found.labels == label].tolist() for label in range(found.count)]
    return {frozenset(ids) for ids in labels}


class WatchedRunner(LocalRunner):
    """Runs here, and notes the largest value that any call gave."""

    def __init__(self) -> None:
        self.largest = 0
        self.calls = 0

    def call(self, function, *arguments, count: int = 1) -> list[Handle]:  # type: ignore[no-untyped-def]
        self.calls += 1
        made = super().call(function, *arguments, count=count)
        for each in made:
            self.largest = max(self.largest, _bytes(each))
        return made


def _bytes(value: object) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    parts = vars(value).values() if hasattr(value, "__dict__") else ()
    return sum(map(_bytes, parts))


@pytest.fixture(scope="module")
def made() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Faces in an order that tells nothing, and whose they are."""
    gallery = MadeGallery(FACES, FaceModel.load(), seed=4)
    blocks = list(gallery.blocks())
    order = np.random.default_rng(0).permutation(FACES)
    vectors = np.concatenate([block.vectors for block in blocks])[order]
    return vectors, gallery.people(np.concatenate([block.ids for block in blocks])[order])


@pytest.fixture
def vector_gallery(tmp_path: Path, made: tuple[NDArray[np.float32], NDArray[np.int64]]) -> Gallery:

    np.save(tmp_path / "vectors.npy", made[0])
    import_vectors(tmp_path / "vectors.npy", tmp_path / "v.gallery", encoder_name="made")
    return Gallery.open(tmp_path / "v.gallery")


@pytest.mark.parametrize("partitions", [1, 2, 5, 100])
@pytest.mark.parametrize("kept", [False, True])
def test_clear_people_are_those_of_an_ordinary_run(
    tmp_path: Path, partitions: int, kept: bool
) -> None:
    gallery = people_gallery(tmp_path, people=5, each=4)
    if kept:
        refresh_graph(gallery, 8)
    ordinary = cluster(gallery)
    run = run_clustering(gallery, gallery.state(), parted(partitions))
    assert groups(run) == groups(ordinary)
    assert np.array_equal(np.sort(run.numbers), np.sort(ordinary.numbers))
    assert (run.how.graph, run.how.edge_recall) == ("kept" if kept else "made", 1.0)
    assert run.how.partitions == min(partitions, 10)
    assert run.how.worker_bytes > 0
    assert run.how.full
    assert {path.name for path in gallery.folder.iterdir()} <= {
        "gallery.json", "shards", "lock", "next-shard", "state.h5", "people.sqlite", "graph.h5",
        "presenting", "index", "settings.json", "clusters",
    }  # fmt: skip


def test_made_faces_are_clustered_as_well_as_in_one_memory(
    vector_gallery: Gallery, made: tuple[NDArray[np.float32], NDArray[np.int64]]
) -> None:
    state = vector_gallery.state()
    options = ClusterOptions("agglomerative", THRESHOLD)
    watched = WatchedRunner()
    runs = [
        run_clustering(vector_gallery, state, options),
        run_clustering(vector_gallery, state, parted(4, options), watched),
    ]
    people = made[1]
    scores = []
    for run in runs:
        labels = run.clustering.labels[np.argsort(run.clustering.ids)]
        scores.append((pairwise_scores(people, labels).f, bcubed_scores(people, labels).f))
    assert np.abs(np.subtract(*scores)).max() < 0.005
    assert min(map(min, scores)) > 0.5
    # No step held all: each has about a quarter of the vectors and of their edges.
    whole = FACES * (128 * 4 + NEIGHBOURS * 12)
    assert watched.largest < whole / 2
    assert watched.calls > 20


def test_the_confidence_is_the_silhouette_over_the_exact_graph(vector_gallery: Gallery) -> None:
    options = parted(4, ClusterOptions("agglomerative", THRESHOLD))
    found = run_clustering(vector_gallery, vector_gallery.state(), options).clustering
    table = FaceTable.read(vector_gallery, vector_gallery.state())
    order = np.argsort(found.ids)
    graph = exact_knn_graph(table.vectors, NEIGHBOURS)
    expected = graph_silhouette_confidence(
        table.vectors, found.labels[order], THRESHOLD, graph.rows
    )
    assert np.allclose(found.confidence[order], expected, atol=1e-5)


def test_decisions_are_followed_and_people_keep_their_numbers(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=4, each=4)
    first = cluster(gallery)
    editor = PeopleEditor(gallery)
    one, two, three, _ = editor.now.people
    editor.name(one, "Ada")
    editor.merge(editor.find("Ada"), [two])
    gone = editor.records(three)[0].face_id
    editor.reject(three, [gone])
    run = cluster_gallery(gallery, parted(3))
    assert run.how.decisions > first.how.decisions
    kept = latest_run(gallery)
    assert kept.how == run.how  # as it is written, so it is read
    people = photos_of_people(gallery)
    assert len(people["Ada"]) == 8
    labels = dict(zip(kept.clustering.ids.tolist(), kept.clustering.labels.tolist(), strict=True))
    others = [each.face_id for each in editor.records(three) if each.face_id != gone]
    assert labels[gone] not in {labels[each] for each in others}
    numbers = {int(number) for number in kept.numbers}
    assert {one.id, three.id} <= numbers
    again = cluster_gallery(gallery, parted(2))
    assert groups(again) == groups(run)
    assert sorted(again.numbers.tolist()) == sorted(run.numbers.tolist())
    assert again.changes == type(again.changes)(kept=again.changes.kept)


def test_poor_faces_join_as_they_do_in_one_memory(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=3, each=4)
    for person in (1, 2, 9):
        write_photo(tmp_path / "photos" / f"poor-{person}.png", [person], 90 + person, quality=0.1)
    index(gallery, tmp_path / "photos")
    options = replace(CLEAR, min_quality=0.3, attach_threshold=0.5)
    ordinary = run_clustering(gallery, gallery.state(), options)
    run = run_clustering(gallery, gallery.state(), parted(2, options))
    for one in (ordinary, run):
        assert (one.clustering.labels < 0).sum() == 1
    assert groups(run) == groups(ordinary)
    order = [np.argsort(each.clustering.ids) for each in (run, ordinary)]
    sure = [
        each.clustering.confidence[rows] for each, rows in zip((run, ordinary), order, strict=True)
    ]
    assert np.allclose(*sure, atol=1e-4)


def test_faces_that_are_none_are_left_out(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=3, each=3)
    cluster(gallery)
    editor = PeopleEditor(gallery)
    face = editor.records(editor.now.people[0])[0].face_id
    editor.not_faces([face])
    run = run_clustering(gallery, gallery.state(), parted(2))
    labels = dict(zip(run.clustering.ids.tolist(), run.clustering.labels.tolist(), strict=True))
    assert labels.pop(face) == -1
    assert len(labels) == 8 and min(labels.values()) >= 0


def test_an_ordinary_run_builds_on_one_in_partitions(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=3, each=4)
    run = cluster_gallery(gallery, parted(2))
    write_photo(tmp_path / "photos" / "late.png", [2], 88)
    index(gallery, tmp_path / "photos")
    grown = cluster_gallery(gallery, CLEAR)
    assert not grown.how.full
    assert grown.how.partitions == 0
    assert sorted(grown.numbers.tolist()) == sorted(run.numbers.tolist())


def test_a_gallery_without_faces(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    for photos in ([], [1], [1, 1]):
        for number, person in enumerate(photos):
            write_photo(tmp_path / "more" / f"{number}.png", [person], number)
        if photos:
            index(gallery, tmp_path / "more")
        run = cluster_gallery(gallery, parted(4))
        assert len(run.clustering.ids) == len(photos)
        assert run.path is not None and run_at(run.path).how == run.how


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "hdbscan"}, "average linkage"),
        ({"linkage": "single"}, "single linkage"),
        ({"partitions": -1}, "partitions"),
        ({"partitions": 2.5}, "partitions"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    gallery = people_gallery(tmp_path, people=1, each=2)
    with pytest.raises(InputError, match=words):
        cluster_gallery(gallery, replace(parted(2), **changes))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected partitions"):
        cluster_gallery(gallery, CLEAR, cluster=RayOptions())


def test_what_a_worker_holds_falls_with_the_partitions() -> None:
    sizes = [worker_bytes(10**6, 128, parts, 10**8 // parts) for parts in (1, 2, 4, 8)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[3] < sizes[0] / 7
