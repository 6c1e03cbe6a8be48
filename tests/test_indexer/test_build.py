"""The index of a goal: chosen, tuned, measured, saved and opened."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer import build as build_module
from indexer.build import CoveredShards, build_index, open_index
from indexer.errors import IndexGoalError, StaleIndexError
from indexer.exact.brute_force import exact_search
from indexer.exact.distances import pair_distances
from indexer.exact.int8_kernel import LANES
from indexer.id_lookup import drop_self
from indexer.index.flat import FlatIndex
from indexer.index.manifest import IndexManifest
from indexer.ivf import faiss_ivf, tune
from indexer.ivf.faiss_ivf import FaissIvfIndex
from indexer.ivf.index import SPARE, IvfRecipe, IvfSqIndex
from indexer.ivf.recipes import RecipeGoal, cell_bytes, cell_count, cell_recipes, flat_bytes
from indexer.ivf.scalar_quantizer import ScalarQuantizer
from indexer.ivf.tune import (
    MeasuredRecall,
    TrueNeighbours,
    coded_recall,
    find_truth,
    measure,
    pick,
    recall_of,
    wilson,
)
from indexer.protocols import Index
from indexer.types import Block, Ids, Vectors
from support.search import blocks, require_equal
from support.vectors import grouped_vectors

VECTORS, PEOPLE = grouped_vectors(300, 10, seed=1, spread=0.5)
IDS = np.arange(len(VECTORS)) * 2 + 7
SHARDS = {"00000000.h5": "a" * 64}
COVERS = CoveredShards(len(VECTORS), 64, SHARDS, "state")
APPROXIMATE = pytest.param(True, marks=pytest.mark.skipif(not LANES, reason="needs AVX2"))


def gallery() -> Iterable[Block]:
    return blocks(IDS, VECTORS, 700)


def vectors_of(ids: Ids) -> Vectors:
    return VECTORS[np.searchsorted(IDS, ids)]


@pytest.fixture(autouse=True)
def few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "QUERIES", 400)
    monkeypatch.setattr(tune, "_SECONDS", 0.02)


@pytest.fixture(params=[APPROXIMATE, False])
def by_cells(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the processor has what cells need; without, FAISS does it."""
    if not request.param:
        monkeypatch.setattr(build_module, "ivf_available", lambda dimension: False)
    return bool(request.param)


def recall(index: Index) -> float:
    truth = exact_search(gallery(), VECTORS, 2)
    found = drop_self(index.search(VECTORS, 2), IDS)
    return float((found.ids == drop_self(truth, IDS).ids).mean())


def test_exact_where_there_is_memory(tmp_path: Path) -> None:
    description = build_index(tmp_path, gallery, COVERS, RecipeGoal(1.0, 1e9))
    index = open_index(tmp_path, SHARDS)
    assert isinstance(index, FlatIndex) and index.exact
    require_equal(index.search(VECTORS[:50], 9), exact_search(gallery(), VECTORS[:50], 9))
    assert description.recipe == "Flat" and not description.measured
    assert IndexManifest.read(tmp_path) == description


def test_exact_where_there_are_few(tmp_path: Path) -> None:
    few = CoveredShards(300, 64, SHARDS, "")
    part = [Block(IDS[:300], VECTORS[:300])]
    assert build_index(tmp_path, lambda: part, few, RecipeGoal(0.9, 1e9)).recipe == "Flat"


def test_approximate_reaches_its_goal(tmp_path: Path, by_cells: bool) -> None:
    stages: list[str] = []
    description = build_index(
        tmp_path,
        gallery,
        COVERS,
        RecipeGoal(0.9, 100 * 3000),
        progress=lambda s, n: stages.append(s),
    )
    assert description.recipe == ("Cells" if by_cells else "IVF")
    index = open_index(tmp_path, SHARDS)
    assert isinstance(index, IvfSqIndex if by_cells else FaissIvfIndex) and not index.exact
    assert index.probes == description.parameters["probes"]
    np.testing.assert_array_equal(index.ids.all(), IDS)
    measured = description.measured
    assert (
        measured["recall_at_1_low"] - 0.03 <= recall(index) <= measured["recall_at_1_high"] + 0.03
    )
    assert recall(index) > 0.85
    assert measured["bytes_each"] < 100 and measured["queries_per_second"] > 0
    assert measured["queries"] == 200
    assert stages[:2] == ["searched exactly", "chosen"]
    assert not list(tmp_path.glob(".*"))


def test_hidden_in_either(tmp_path: Path, by_cells: bool) -> None:
    build_index(tmp_path, gallery, COVERS, RecipeGoal(0.9, 80 * 3000))
    index = open_index(tmp_path, SHARDS)
    index.hide(IDS[::2])
    assert len(index) == 1500
    np.testing.assert_array_equal(index.ids.all(), IDS[1::2])
    assert np.isin(index.search(VECTORS[:200], 9).ids, [*IDS[1::2], -1]).all()


def test_faiss_is_measured_as_it_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "ivf_available", lambda dimension: False)
    measured_by: list[TrueNeighbours] = []

    def measuring(index: Index, truth: TrueNeighbours) -> MeasuredRecall:
        measured_by.append(truth)
        return measure(index, truth)

    monkeypatch.setattr(build_module, "measure", measuring)
    found = build_index(tmp_path, gallery, COVERS, RecipeGoal(0.9, 80 * 3000), vectors=vectors_of)
    index = open_index(tmp_path, SHARDS)
    assert isinstance(index, FaissIvfIndex)
    by_codes = recall_of(index, measured_by[0])
    index.rank_by(vectors_of)
    assert found.measured["recall_at_1"] == recall_of(index, measured_by[0]) > by_codes


def test_codes_for_faiss_are_chosen_by_as_many_as_it_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "ivf_available", lambda dimension: False)
    spares: list[int] = []

    def choosing(*given: Any) -> IvfRecipe:
        spares.append(given[-1])
        return tune.choose_coding(*given)

    monkeypatch.setattr(build_module, "choose_coding", choosing)
    for vectors in (None, vectors_of):
        build_index(tmp_path, gallery, COVERS, RecipeGoal(0.9, 80 * 3000), vectors=vectors)
    assert spares == [0, faiss_ivf.SPARE]


def test_faiss_tells_true_distances_by_true_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "ivf_available", lambda dimension: False)
    build_index(tmp_path, gallery, COVERS, RecipeGoal(0.9, 80 * 3000))
    index = open_index(tmp_path, SHARDS)
    assert isinstance(index, FaissIvfIndex)
    queries = VECTORS[:300]
    by_codes, recall_by_codes = index.search(queries, 5), recall(index)
    index.rank_by(vectors_of)
    found = index.search(queries, 5)
    query = np.repeat(np.arange(300), 5)
    true = pair_distances(queries, VECTORS, query, np.searchsorted(IDS, found.ids.ravel()))
    np.testing.assert_array_equal(found.distances.ravel(), true)
    assert (np.diff(found.distances, axis=1) >= 0).all() and recall(index) > recall_by_codes
    # Distances of codes are too small: what they leave out is left out of every one.
    assert (found.distances[:, 4] - by_codes.distances[:, 4]).mean() > 0.005
    few = index.search(queries[:2], 3500)
    assert (few.ids[:, 3000:] == -1).all() and np.isinf(few.distances[:, 3000:]).all()


def test_goals_that_cannot_be_met(tmp_path: Path, by_cells: bool) -> None:
    with pytest.raises(IndexGoalError, match="allow more, or name a recall below 1"):
        build_index(tmp_path, gallery, COVERS, RecipeGoal(1.0, 1e5))
    with pytest.raises(IndexGoalError, match="no index of 3000 vectors fits 1000 bytes; allow at"):
        build_index(tmp_path, gallery, COVERS, RecipeGoal(0.9, 1e3))
    assert not list(tmp_path.iterdir())
    for wrong in (0.3, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"a recall, a number from 0\.5 to 1, got"):
            RecipeGoal(wrong, 1e9)
    with pytest.raises(ValueError, match="more than 0 bytes"):
        RecipeGoal(1.0, 0)


@pytest.mark.skipif(not LANES, reason="needs AVX2")
def test_a_recall_out_of_reach_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "recall_of", lambda index, truth: 0.7)
    with caplog.at_level(logging.WARNING):
        description = build_index(tmp_path, gallery, COVERS, RecipeGoal(0.99, 100 * 3000))
    assert description.measured["recall_at_1"] == 0.7
    assert "less than the 0.9900 asked for" in caplog.text


@pytest.mark.skipif(not LANES, reason="needs AVX2")
def test_what_was_learnt_is_used_again_until_there_are_many_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "FEW", 1000)
    half = CoveredShards(1500, 64, SHARDS, "")
    part = blocks(IDS[::2], VECTORS[::2].copy(), 400)
    build_index(tmp_path, lambda: part, half, RecipeGoal(0.95, 1.5e5))
    before = open_index(tmp_path, SHARDS)
    assert isinstance(before, IvfSqIndex)
    stages: list[str] = []

    def build(covers: CoveredShards) -> IvfSqIndex:
        stages.clear()
        build_index(
            tmp_path, gallery, covers, RecipeGoal(0.9, 3e5),
            before=before, progress=lambda stage, done: stages.append(stage),
        )  # fmt: skip
        index = open_index(tmp_path, SHARDS)
        assert isinstance(index, IvfSqIndex)
        return index

    index = build(COVERS)
    assert "chosen" not in stages
    np.testing.assert_array_equal(index.learnt.centres, before.learnt.centres)
    assert index.learnt.seen == 1500 and recall(index) > 0.85
    before._seen = 700  # fewer than a quarter of the present number
    assert build(COVERS).learnt.seen == 3000 and "chosen" in stages


@pytest.mark.skipif(not LANES, reason="needs AVX2")
def test_crash_leaves_the_index_there_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_index(tmp_path, gallery, COVERS, RecipeGoal(0.9, 80 * 3000))
    before = (tmp_path / "index.json").read_bytes()

    def crash(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build_module, "measure", crash)
    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path, gallery, COVERS, RecipeGoal(0.95, 80 * 3000))
    assert (tmp_path / "index.json").read_bytes() == before
    assert len(open_index(tmp_path, SHARDS)) == 3000
    assert not list(tmp_path.glob(".*"))


def test_another_kind_of_index_replaces_the_file(tmp_path: Path, by_cells: bool) -> None:
    build_index(tmp_path, gallery, COVERS, RecipeGoal(1.0, 1e9))
    build_index(tmp_path, gallery, COVERS, RecipeGoal(0.9, 80 * 3000))
    assert len(list(tmp_path.iterdir())) == 3
    build_index(tmp_path, gallery, COVERS, RecipeGoal(1.0, 1e9))
    assert len(list(tmp_path.iterdir())) == 3


def test_files_of_another_kind_or_number_are_refused(tmp_path: Path, by_cells: bool) -> None:
    described = build_index(tmp_path, gallery, COVERS, RecipeGoal(0.9, 80 * 3000))
    for other in (
        replace(described, count=2999),
        replace(described, dimension=63),
        replace(described, recipe="Flat"),
    ):
        old = tmp_path / described.file_name
        (tmp_path / other.file_name).write_bytes(old.read_bytes())
        other.write(tmp_path)
        with pytest.raises(StaleIndexError, match="rebuild it"):
            open_index(tmp_path, SHARDS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recipe", []),
        ("recipe", None),
        ("parameters", {"probes": "9"}),
        ("measured", []),
        ("recipe", "HNSW"),
        ("goal", {"a": None}),
    ],
)
def test_descriptions_that_are_none(tmp_path: Path, key: str, value: object) -> None:
    build_index(tmp_path, gallery, COVERS, RecipeGoal(1.0, 1e9))
    path = tmp_path / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(StaleIndexError, match="recipe of Flat, Cells, IVF"):
        open_index(tmp_path, SHARDS)


def test_pick_takes_places_in_the_stream() -> None:
    chosen = np.array([0, 5, 699, 700, 2999])
    picked = pick(gallery(), chosen)
    np.testing.assert_array_equal(picked.ids, IDS[chosen])
    np.testing.assert_array_equal(picked.vectors, VECTORS[chosen])
    assert len(pick([], chosen[:0])) == 0


def test_truth_is_exact_and_halves_share_no_query() -> None:
    asked = pick(gallery(), np.arange(0, 3000, 10))
    truth = find_truth(gallery, asked)
    exact = drop_self(exact_search(gallery(), asked.vectors, tune.NEAR + 1), asked.ids)
    require_equal(truth.found, exact)
    np.testing.assert_array_equal(truth.vectors, VECTORS[np.searchsorted(IDS, truth.ids)])
    assert not np.isin(truth.half(0).query_ids, truth.half(1).query_ids).any()
    assert len(truth.half(0).query_ids) + len(truth.half(1).query_ids) == 300


@pytest.mark.skipif(not LANES, reason="needs AVX2")
def test_codes_bound_the_recall_of_any_search(tmp_path: Path) -> None:
    truth = find_truth(gallery, pick(gallery(), np.arange(0, 3000, 10)))
    reached = [
        coded_recall(ScalarQuantizer.fit(VECTORS, components, bits), truth, 0)
        for components, bits in ((16, 8), (32, 8), (64, 8), (64, 12))
    ]
    assert reached == sorted(reached) and reached[-1] > 0.98
    from indexer.ivf.build import build_ivf, learn

    build_ivf(tmp_path / "index", gallery, learn(VECTORS, IvfRecipe(16, 32, 8), 3000))
    index = IvfSqIndex.open(tmp_path / "index")
    spared = coded_recall(ScalarQuantizer.fit(VECTORS, 32, 8), truth, SPARE)
    assert reached[1] < spared <= 1
    assert abs(measure(index, truth).recall - spared) < 0.03
    index.rerank = False
    assert abs(measure(index, truth).recall - reached[1]) < 0.03


def test_recipes_fit_the_memory_and_grow() -> None:
    recipes = cell_recipes(VECTORS, 1_000_000, 60e6)
    sizes = [cell_bytes(1_000_000, recipe) for recipe in recipes]
    assert recipes and max(sizes) <= 60e6 and sizes == sorted(sizes)
    assert all(recipe.components % 4 == 0 for recipe in recipes)
    assert cell_recipes(VECTORS, 1_000_000, 5e6) == []
    assert flat_bytes(10, 128) > 10 * 512
    counts = [cell_count(count) for count in (0, 1, 100, 10**4, 10**6, 10**8, 10**12)]
    assert counts == sorted(counts) and counts[4] == 2048 and counts[-1] == 65_536


def test_wilson() -> None:
    low, high = wilson(0.5, 100)
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)  # Wilson 1927's formula by hand
    assert wilson(1.0, 50)[1] == 1.0 and wilson(0.0, 50)[0] == 0.0
