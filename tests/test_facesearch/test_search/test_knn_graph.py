"""The gallery's graph: of its live faces, extended as photos come and go, known to be stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesearch.check import check_gallery
from facesearch.cli.main import main
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.search import gallery_index as search_module
from facesearch.search.gallery_index import IndexGoal, build_index
from facesearch.search.knn_graph import (
    GraphFacts,
    graph_facts,
    graph_path,
    open_graph,
    refresh_graph,
)
from indexer.errors import MissingFaissError, StaleIndexError
from indexer.exact.brute_force import exact_search
from indexer.exact.int8_kernel import LANES
from indexer.graph.knn_graph import EXACT, GraphAccuracy
from support.fake_engine import FakeEngine, write_photo
from support.galleries import approximate_index, small_gallery

ENGINE: Any = FakeEngine()


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return small_gallery(tmp_path)


def change(gallery: Gallery, photos: Path, *, add: int = 0, remove: int = 0) -> None:
    for number in range(add):
        write_photo(photos / f"new-{number}.png", [3, 7], variant=100 + number)
    for number in range(remove):
        (photos / f"{2 + number:02d}.png").unlink()
    embed_photos(gallery, ENGINE, [photos], EmbedOptions(decoders=0, threads=1))


def require_right(gallery: Gallery, k: int) -> None:
    state = gallery.state()
    ids = state.live_ids()
    found = exact_search(gallery.blocks(state), gallery.vectors(ids), len(ids))
    with open_graph(gallery, state) as graph:
        np.testing.assert_array_equal(graph.covered.ids, ids)
        lines = graph.rows(0, len(graph))
    for row, face_id in enumerate(ids):
        others = found.ids[row] != face_id
        assert ids[lines.neighbours[row]].tolist() == found.ids[row][others][:k].tolist()
        assert lines.distances[row].tolist() == found.distances[row][others][:k].tolist()


@pytest.mark.parametrize("indexed", [True, False])
def test_graph_follows_the_gallery(gallery: Gallery, tmp_path: Path, indexed: bool) -> None:
    count = gallery.state().face_count
    if indexed:
        build_index(gallery)
    report = refresh_graph(gallery, 6)
    assert (report.count, report.searched, report.updated) == (count, count, 0)
    require_right(gallery, 6)
    assert refresh_graph(gallery, 6).searched == 0

    change(gallery, tmp_path / "photos", add=3)
    with pytest.raises(StaleIndexError, match="stale"):
        open_graph(gallery, gallery.state())
    report = refresh_graph(gallery, 6)
    assert (report.searched, report.updated) == (6, count)
    require_right(gallery, 6)

    change(gallery, tmp_path / "photos", remove=2)
    report = refresh_graph(gallery, 6)
    assert report.count == count + 2 and report.searched < report.count
    require_right(gallery, 6)


@pytest.mark.skipif(not LANES, reason="needs AVX2")
def test_a_graph_made_through_an_approximate_index_says_so(
    gallery: Gallery,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert graph_facts(gallery, gallery.state()) is None
    recall = approximate_index(gallery, monkeypatch).measured["recall_at_1"]
    refresh_graph(gallery, 5)
    facts = graph_facts(gallery, gallery.state())
    assert facts == GraphFacts(gallery.state().face_count, 5, False, recall)
    accuracy = f"approximate, with a recall of {recall:.3f}"
    for command in (["graph", "-k", "5"], ["info"]):
        assert main([command[0], str(gallery.folder), *command[1:]]) == 0
        assert accuracy in capsys.readouterr().out
    assert main(["graph", str(gallery.folder), "-k", "5", "--json"]) == 0
    facts_printed = json.loads(capsys.readouterr().out)
    assert (facts_printed["exact"], facts_printed["index_recall"]) == (False, recall)

    change(gallery, tmp_path / "photos", add=1)
    facts = graph_facts(gallery, gallery.state())
    assert facts is not None and "stale" in facts.problem
    build_index(gallery, IndexGoal(recall=1.0))
    assert refresh_graph(gallery, 5).accuracy == GraphAccuracy(False, recall)
    graph_path(gallery).unlink()
    assert refresh_graph(gallery, 5).accuracy == EXACT
    assert main(["info", str(gallery.folder)]) == 0
    assert "faces, exact" in capsys.readouterr().out


def test_another_k_is_rebuilt(gallery: Gallery) -> None:
    refresh_graph(gallery, 6)
    report = refresh_graph(gallery, 4)
    assert (report.searched, report.updated) == (report.count, 0)
    require_right(gallery, 4)


def test_without_faiss(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh_graph(gallery, 5)
    change(gallery, tmp_path / "photos", add=2)

    def missing(*args: object) -> None:
        raise MissingFaissError("none")

    monkeypatch.setattr(search_module.FlatIndex, "build", missing)
    assert refresh_graph(gallery, 5).searched == 4
    require_right(gallery, 5)


def test_a_damaged_graph_is_rebuilt(gallery: Gallery) -> None:
    refresh_graph(gallery, 5)
    graph_path(gallery).write_bytes(b"rubbish")
    assert refresh_graph(gallery, 5).updated == 0
    require_right(gallery, 5)


def test_check_tells_of_a_stale_graph(gallery: Gallery, tmp_path: Path) -> None:
    def problems() -> list[str]:
        return [each.problem for each in check_gallery(gallery) if each.subject == "graph.h5"]

    assert problems() == []
    refresh_graph(gallery, 5)
    assert problems() == []
    change(gallery, tmp_path / "photos", add=1)
    (problem,) = problems()
    assert "facesearch graph" in problem


def test_nothing_to_make_a_graph_of(gallery: Gallery, tmp_path: Path) -> None:
    empty = Gallery.create(tmp_path / "empty", ENGINE.contract)
    with pytest.raises(InputError, match="no faces"):
        refresh_graph(empty, 5)
    for k in (0, 2**16):
        with pytest.raises(InputError, match="k of 1 to"):
            refresh_graph(gallery, k)
    assert not graph_path(gallery).exists()
