"""Another threshold is a cut of the merges that are kept, and equal to a run without them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.agglomerative import MERGING, LinkageName
from cluster.constraints import Constraints, resolve
from cluster.graph.knn_graph import exact_knn_graph
from cluster.linkage.dendrogram import Dendrogram
from facesearch.cli.main import main
from facesearch.clustering.dendrogram_cache import (
    CachedDendrogram,
    dendrogram_key,
    dendrogram_path,
    read_dendrogram,
    write_dendrogram,
)
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import latest_run, run_at, run_paths, save_run
from facesearch.curation.editor import PeopleEditor
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.encoders import Thresholds
from facesearch.erasure.forget import Selection, forget
from facesearch.errors import ChangedGalleryError, InputError
from facesearch.gallery.face_table import FaceTable
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.search.knn_graph import refresh_graph
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import cluster, index, people_gallery
from support.vectors import unit_vectors

OPTIONS = ClusterOptions("agglomerative", 0.5, min_quality=0.3, attach_threshold=0.4, reach=1.5)


@pytest.fixture(params=["all pairs", "made graph", "kept graph"])
def gallery(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Gallery:
    """People, some of them twice in a photo, some faces poor, and two decisions."""
    for number in range(18):
        people = [1 + number % 4, 1 + number % 4 if number % 5 == 0 else 5]
        quality = 0.1 if number % 7 == 3 else 0.9
        write_photo(tmp_path / "photos" / f"{number:02d}.png", people, number, quality=quality)
    made = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    embed_photos(made, FakeEngine(), [tmp_path / "photos"], EmbedOptions(decoders=0, threads=1))  # type: ignore[arg-type]
    cluster(made, replace(OPTIONS, full=True))
    deciding = PeopleEditor(made)
    deciding.name(deciding.now.people[0], "Ada")
    if request.param != "all pairs":
        monkeypatch.setattr("cluster.agglomerative.MOST_DENSE", 4)
    if request.param == "kept graph":
        refresh_graph(made, 7)
    cluster(made, replace(OPTIONS, full=True))
    return made


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.floats(0.01, 1.5).filter(lambda each: each != OPTIONS.threshold),
    st.floats(0, 4),
    st.integers(1, 3),
)
def test_a_cut_is_exactly_the_full_run(
    gallery: Gallery, threshold: float, attach_threshold: float, min_size: int
) -> None:
    options = replace(
        OPTIONS, threshold=threshold, attach_threshold=attach_threshold, min_size=min_size
    )
    found = run_clustering(gallery, gallery.state(), options)
    whole = run_clustering(gallery, gallery.state(), replace(options, full=True))
    assert (found.how.full, found.how.cut, whole.how.cut) == (True, True, False)
    assert (found.how.graph, found.how.edge_recall) == (whole.how.graph, whole.how.edge_recall)
    for name in ("ids", "labels", "confidence"):
        ours, theirs = (getattr(run.clustering, name) for run in (found, whole))
        np.testing.assert_array_equal(ours, theirs)


def cuts(gallery: Gallery, options: ClusterOptions) -> bool:
    """Whether a full run with ``options`` is a cut."""
    run = run_clustering(gallery, gallery.state(), options)
    assert run.how.full
    assert run.how.cut == ("saved merges were cut" in run.how.why) == (run.merges is None)
    return run.how.cut


def test_what_merges_depend_on_rebuilds_them(gallery: Gallery, tmp_path: Path) -> None:
    other = replace(OPTIONS, threshold=0.4)
    assert cuts(gallery, other)
    for options in (
        replace(other, full=True),
        replace(other, same_photo=True),
        replace(other, min_quality=0.0),
        replace(other, reach=1.6),
        replace(other, threshold=1.6),
    ):
        assert not cuts(gallery, options)
    deciding = PeopleEditor(gallery)
    deciding.merge(deciding.now.people[1], [deciding.now.people[2]])
    assert not cuts(gallery, other)
    cluster(gallery, other)
    assert cuts(gallery, OPTIONS)
    write_photo(tmp_path / "photos" / "new.png", [2], variant=99)
    index(gallery, tmp_path / "photos")
    assert not cuts(gallery, OPTIONS)


def test_a_graph_that_is_kept_since_rebuilds_them(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.agglomerative.MOST_DENSE", 4)
    refresh_graph(gallery, 5)
    cluster(gallery, replace(OPTIONS, full=True))
    other = replace(OPTIONS, threshold=0.4)
    assert cuts(gallery, other)
    refresh_graph(gallery, 6)
    assert not cuts(gallery, other)


def test_a_cut_is_kept_as_a_run_and_can_be_built_on(gallery: Gallery) -> None:
    before = dendrogram_path(gallery).read_bytes()
    run = cluster(gallery, replace(OPTIONS, threshold=0.4))
    assert run.how.cut and dendrogram_path(gallery).read_bytes() == before
    kept = latest_run(gallery)
    assert (kept.threshold, kept.how) == (0.4, run.how)
    again = run_clustering(gallery, gallery.state(), replace(OPTIONS, threshold=0.4))
    assert not again.how.full


def test_density_keeps_and_cuts_none(gallery: Gallery) -> None:
    dendrogram_path(gallery).unlink()
    run = cluster(gallery, replace(OPTIONS, method="hdbscan"))
    assert not run.how.cut and not dendrogram_path(gallery).exists()


def other_pairs(file: h5py.File) -> None:
    file["pairs"][...] = len(file["pairs"]) + 99


def other_neighbours(file: h5py.File) -> None:
    if "neighbours" not in file:
        pytest.skip("merges of all pairs keep no neighbours")
    file["neighbours"][...] = file.attrs["count"]


def no_key(file: h5py.File) -> None:
    del file.attrs["key"]


def more_faces(file: h5py.File) -> None:
    file.attrs["count"] = np.int64(1 << 60)


def link_out(file: h5py.File) -> None:
    """The same pairs, in another file."""
    other = f"{file.filename}.other"
    with h5py.File(other, "w") as beside:
        file.copy("pairs", beside)
    del file["pairs"]
    file["pairs"] = h5py.ExternalLink(other, "pairs")


def huge(file: h5py.File) -> None:
    """Pairs that no file has the bytes of."""
    del file["pairs"]
    file.create_dataset("pairs", (1 << 50, 2), np.int32, chunks=(1024, 2), fletcher32=True)


@pytest.mark.parametrize(
    "damage", [other_pairs, other_neighbours, no_key, more_faces, link_out, huge]
)
def test_damaged_merges_are_rebuilt(gallery: Gallery, damage: Callable[[h5py.File], None]) -> None:
    with h5py.File(dendrogram_path(gallery), "r+", libver=("v110", "v110")) as file:
        damage(file)
    assert not cuts(gallery, replace(OPTIONS, threshold=0.4))


def test_merges_that_were_cut_off_are_rebuilt(gallery: Gallery) -> None:
    path = dendrogram_path(gallery)
    path.write_bytes(path.read_bytes()[:700])
    assert not cuts(gallery, replace(OPTIONS, threshold=0.4))


def test_merges_that_cannot_be_written_leave_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = people_gallery(tmp_path)
    cluster(gallery)
    path = dendrogram_path(gallery)
    before, there = path.read_bytes(), sorted(path.parent.iterdir())

    def fail(descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.fsync", fail)
    none = Dendrogram(2, np.zeros((0, 2), np.int32), np.zeros(0, np.float32), 1.0)
    with pytest.raises(OSError, match="full"):
        write_dendrogram(gallery, CachedDendrogram("0" * 64, none))
    assert path.read_bytes() == before and sorted(path.parent.iterdir()) == there


def test_a_run_of_faces_that_were_forgotten_meanwhile_is_not_kept(gallery: Gallery) -> None:
    kept = run_paths(gallery)
    run = run_clustering(gallery, gallery.state(), replace(OPTIONS, full=True))
    first = int(gallery.state().live_ids()[0])
    forget(gallery, Selection(ids=(first,)))
    assert not dendrogram_path(gallery).exists()
    with pytest.raises(ChangedGalleryError, match="were forgotten while it was clustered"):
        save_run(gallery, run)
    assert not dendrogram_path(gallery).exists() and run_paths(gallery) == kept
    assert not any(first in run_at(path).clustering.ids for path in kept)
    cluster(gallery, replace(OPTIONS, full=True))
    assert dendrogram_path(gallery).exists()


def test_the_key_names_all_that_merging_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, photos = np.arange(6), np.array([0, 0, 1, 2, 3, 4])
    graph = exact_knn_graph(unit_vectors(6, 4, seed=1), 3)
    none, apart = resolve(Constraints(), 6), resolve(Constraints(photos), 6)
    must = resolve(Constraints(must=np.array([[0, 1]])), 6)
    keys = [
        dendrogram_key(ids, none, 0.5, "", "average"),
        dendrogram_key(ids[::-1].copy(), none, 0.5, "", "average"),
        dendrogram_key(ids, none, 0.6, "", "average"),
        dendrogram_key(ids, none, 0.5, "made, 32", "average"),
        dendrogram_key(ids, none, 0.5, graph, "average"),
        dendrogram_key(ids, none, 0.5, replace(graph, rows=graph.rows[:, ::-1].copy()), "average"),
        dendrogram_key(ids, apart, 0.5, "", "average"),
        dendrogram_key(ids, must, 0.5, "", "average"),
        dendrogram_key(ids, none, 0.5, "", "single"),
    ]
    assert len(set(keys)) == len(keys)
    assert dendrogram_key(ids.copy(), resolve(Constraints(), 6), 0.5, "", "average") == keys[0]
    monkeypatch.setattr("facesearch.clustering.dendrogram_cache.MERGING", MERGING + 1)
    assert dendrogram_key(ids, none, 0.5, "", "average") not in keys


def test_there_are_none_at_first(tmp_path: Path) -> None:
    assert read_dendrogram(people_gallery(tmp_path), "0" * 64, 12) is None


LINKED = pytest.mark.parametrize("linkage", ["complete", "single"])


@LINKED
def test_other_linkages_keep_photos_and_decisions_apart(
    gallery: Gallery, linkage: LinkageName
) -> None:
    options = replace(OPTIONS, linkage=linkage, threshold=3.9)
    state = gallery.state()
    deciding = PeopleEditor(gallery)
    ada, other = deciding.find("Ada"), deciding.now.people[1]
    deciding.name(other, "Bob")
    run = cluster(gallery, options)
    assert (run.how.linkage, run.how.full, run.how.cut) == (linkage, True, False)
    labels, ids = run.clustering.labels, run.clustering.ids
    photos = FaceTable.read(gallery, gallery.state()).of(ids).photo
    clustered = labels >= 0
    of_photo = list(zip(labels[clustered].tolist(), photos[clustered].tolist(), strict=True))
    assert len(set(of_photo)) == len(of_photo)
    decided = PeopleStore(gallery.folder).decided()
    for person in (ada, other):
        of_person = [face for face, number in decided.faces.items() if number == person.id]
        assert len(set(labels[np.isin(ids, of_person)].tolist())) == 1
    apart = [labels[ids == face][0] for face in decided.faces]
    assert len(set(apart)) == 2
    found = run_clustering(gallery, state, replace(options, threshold=0.3))
    whole = run_clustering(gallery, state, replace(options, threshold=0.3, full=True))
    assert found.how.cut and not whole.how.cut
    np.testing.assert_array_equal(found.clustering.labels, whole.clustering.labels)


@LINKED
def test_other_linkages_start_over_and_separate_people(
    tmp_path: Path, linkage: LinkageName
) -> None:
    gallery = people_gallery(tmp_path)
    cluster(gallery)
    options = replace(OPTIONS, linkage=linkage)
    run = cluster(gallery, options)
    assert run.how.why == f"{linkage} linkage always clusters all faces"
    assert latest_run(gallery).how.linkage == linkage and run.how.exact
    assert np.bincount(run.clustering.labels).tolist() == [3, 3, 3, 3]
    assert "linkage" in cluster(gallery).how.why


def test_linkages_that_cannot_be_are_refused(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(message: str, **changes: Any) -> None:
        with pytest.raises(InputError, match=message):
            run_clustering(gallery, gallery.state(), replace(OPTIONS, **changes))

    ask("expected linkage average, complete or single, got 'ward'", linkage="ward")
    ask("expected method agglomerative with single", linkage="single", method="hdbscan")
    ask("expected a threshold with complete linkage", linkage="complete", from_gallery=True)
    monkeypatch.setattr("cluster.agglomerative.MOST_PAIRS", 20)
    ask("at most 20 faces for complete linkage", linkage="complete")
    single = run_clustering(gallery, gallery.state(), replace(OPTIONS, linkage="single"))
    assert single.how.graph


def test_single_linkage_tells_where_its_graph_ends(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.agglomerative.MOST_PAIRS", 20)
    refresh_graph(gallery, 3)
    options = replace(OPTIONS, linkage="single", threshold=1e-5, min_quality=0)
    assert run_clustering(gallery, gallery.state(), options).how.exact
    wide = run_clustering(gallery, gallery.state(), replace(options, threshold=1.0))
    assert not wide.how.exact


@pytest.mark.parametrize(
    ("kept", "recall", "message"),
    [
        (True, 1.0, "have more neighbours within the threshold.* with more neighbours: .* -k K$"),
        (
            True,
            0.98,
            r"98\.000% of.*build .* --recall 1, delete .*graph\.h5, then facesearch graph",
        ),
        (False, 0.98, "build .* --recall 1, then facesearch graph"),
    ],
)
def test_single_linkage_tells_why_it_is_approximate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    kept: bool,
    recall: float,
    message: str,
) -> None:
    made = people_gallery(tmp_path)
    if kept:
        refresh_graph(made, 3)
    monkeypatch.setattr("cluster.agglomerative.MOST_PAIRS", 4)
    monkeypatch.setattr("facesearch.clustering.graph_source.edge_recall", lambda *_: recall)
    limits = Thresholds(1.0, identification=1.0, cluster=1.0, chosen_on="nothing")
    monkeypatch.setattr("facesearch.clustering.options.thresholds_in_use", lambda _: limits)
    words = ("--linkage", "single", "--threshold", "3.9")
    assert main(["cluster", str(made.folder), *words, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["exact"] is False
    assert re.search(message, captured.err)
