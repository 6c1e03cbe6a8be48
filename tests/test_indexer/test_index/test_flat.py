"""The flat index: equal to exact search, saved whole, and refused when it is not the gallery's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.build import held_ids
from indexer.errors import DeviceError, InvalidVectorsError, MissingFaissError, StaleIndexError
from indexer.exact import torch_search
from indexer.exact.brute_force import exact_search
from indexer.exact.int8_kernel import LANES
from indexer.exact.int8_search import CertifiedSearch
from indexer.exact.torch_search import TorchSearch
from indexer.index import files
from indexer.index import flat as index_module
from indexer.index.flat import FlatIndex
from indexer.index.manifest import IndexManifest
from indexer.runtime import devices
from indexer.storage.faiss_files import import_faiss
from indexer.types import MAX_NEIGHBOURS, Block
from support.search import Search, blocks, nearest_by_loops, require_equal, searches
from support.vectors import unit_vectors

SHARDS = {"00000000.h5": "a" * 64, "00000001.h5": "b" * 64}
VECTORS = unit_vectors(300, 8, seed=0)
IDS = np.random.default_rng(0).permutation(300).astype(np.int64) + 2**33


def built() -> FlatIndex:
    return FlatIndex.build(blocks(IDS, VECTORS, 70), 8)


@given(search=searches())
@settings(max_examples=150, deadline=None)
def test_equals_plain_loops(search: Search) -> None:
    index = FlatIndex.build(blocks(search.ids, search.vectors, 9), search.queries.shape[1])
    assert len(index) == len(search.ids)
    require_equal(index.search(search.queries, search.k), nearest_by_loops(search))


def test_many_equal_vectors_come_by_id() -> None:
    vectors = np.concatenate([np.repeat(VECTORS[:1], 500, axis=0), VECTORS])
    ids = np.random.default_rng(1).permutation(800)
    queries = VECTORS[[0, 5]]
    index = FlatIndex.build(blocks(ids, vectors, 1000), 8)
    require_equal(index.search(queries, 20), exact_search(blocks(ids, vectors, 1000), queries, 20))
    assert index.search(queries, 20).ids[0].tolist() == sorted([*ids[:500], ids[500]])[:20]


@given(search=searches())
@settings(max_examples=60, deadline=None)
def test_codes_answer_the_same(search: Search) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "_MANY_VECTORS", 1)
        patch.setattr(index_module, "_WORTH_CODES", 0)
        index = FlatIndex.build(blocks(search.ids, search.vectors, 9), search.queries.shape[1])
        require_equal(index.search(search.queries, search.k), nearest_by_loops(search))


@pytest.mark.skipif(not LANES, reason="the processor multiplies no bytes (AVX2)")
@pytest.mark.parametrize(
    ("batches", "made"), [([512], True), ([511], False), ([1] * 32, True), ([1] * 31, False)]
)
def test_codes_are_made_when_they_pay(
    batches: list[int], made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(index_module, "_MANY_VECTORS", 300)
    monkeypatch.setattr(
        index_module, "CertifiedSearch", lambda *a: asked.append(a) or CertifiedSearch(*a)
    )
    index = built()
    for batch in batches:
        queries = np.repeat(VECTORS[:1], batch, axis=0)
        assert index.search(queries, 1).ids.tolist() == [[IDS[0]]] * batch
    assert bool(asked) == made
    index.search(VECTORS[:200], 1)
    index.search(VECTORS[:200], 1)
    index.search(VECTORS[:200], 1)
    assert len(asked) == 1
    monkeypatch.setattr(index_module, "is_available", lambda dimension: False)
    without = built()
    without.search(np.repeat(VECTORS, 2, axis=0), 1)
    assert len(asked) == 1


def test_saved_index_answers_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    built().save(folder, SHARDS, "state")
    loaded = FlatIndex.load(folder, SHARDS)
    assert (len(loaded), loaded.dimension) == (300, 8)
    require_equal(loaded.search(VECTORS[:9], 7), built().search(VECTORS[:9], 7))


def test_empty_index(tmp_path: Path) -> None:
    FlatIndex.build([], 8).save(tmp_path, {})
    found = FlatIndex.load(tmp_path, {}).search(VECTORS[:2], 3)
    assert found.ids.tolist() == [[-1] * 3] * 2


def test_new_index_replaces_the_old_one(tmp_path: Path) -> None:
    built().save(tmp_path, SHARDS)
    FlatIndex.build([Block(IDS[:5], VECTORS[:5])], 8).save(tmp_path, SHARDS, "later")
    assert len(list(tmp_path.iterdir())) == 3
    assert len(FlatIndex.load(tmp_path, SHARDS)) == 5


def test_crash_while_saving_leaves_the_old_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built().save(tmp_path, SHARDS)
    for name in ("sync_file", "sync_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, crash)
            with pytest.raises(InterruptedError):
                FlatIndex.build([Block(IDS[:5], VECTORS[:5])], 8).save(tmp_path, SHARDS, "later")
        assert len(FlatIndex.load(tmp_path, SHARDS)) == 300
    built().save(tmp_path, SHARDS)
    assert len(list(tmp_path.iterdir())) == 3


def crash(path: Path) -> None:
    raise InterruptedError(path)


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ({"00000000.h5": "a" * 64}, r"00000001\.h5 are gone"),
        ({**SHARDS, "00000001.h5": "c"}, r"stale: 00000001\.h5 changed"),
        ({}, r"00000000\.h5, 00000001\.h5 are gone"),
    ],
)
def test_stale_index_names_what_differs(
    tmp_path: Path, shards: dict[str, str], message: str
) -> None:
    built().save(tmp_path, SHARDS, "s")
    with pytest.raises(StaleIndexError, match=message):
        FlatIndex.load(tmp_path, shards)


def test_shards_beside_those_covered_do_not_matter(tmp_path: Path) -> None:
    built().save(tmp_path, SHARDS, "s")
    more = {**SHARDS, "00000002.h5": "c"}
    assert len(FlatIndex.load(tmp_path, more)) == 300


@given(search=searches(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_hidden_vectors_were_never_there(search: Search, data: st.DataObject) -> None:
    index = FlatIndex.build(blocks(search.ids, search.vectors, 9), search.queries.shape[1])
    left = np.ones(len(search.ids), bool)
    for _ in range(2):
        hidden = data.draw(st.lists(st.sampled_from([*search.ids.tolist(), -1, 2**62]), max_size=9))
        index.hide(np.array(hidden, np.int64))
        left &= ~np.isin(search.ids, hidden)
        assert index.ids.all().tolist() == sorted(search.ids[left].tolist())
        assert len(index) == left.sum()
        rest = Search(search.ids[left], search.vectors[left], search.queries, search.k)
        require_equal(index.search(search.queries, search.k), nearest_by_loops(rest))


@pytest.mark.skipif(not LANES, reason="the processor multiplies no bytes (AVX2)")
def test_codes_forget_hidden_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_MANY_VECTORS", 1)
    monkeypatch.setattr(index_module, "_WORTH_CODES", 0)
    index = built()
    assert index.search(VECTORS, 1).ids[:, 0].tolist() == IDS.tolist()
    index.hide(IDS[::2])
    left = blocks(IDS[1::2], VECTORS[1::2], 70)
    require_equal(index.search(VECTORS, 9), exact_search(left, VECTORS, 9))


def test_an_index_less_hidden_vectors_is_saved_so(tmp_path: Path) -> None:
    index = built()
    index.hide(IDS[:250])
    index.save(tmp_path, SHARDS)
    loaded = FlatIndex.load(tmp_path, SHARDS)
    assert loaded.ids.all().tolist() == sorted(IDS[250:].tolist())


def test_ids_are_read_without_the_vectors(tmp_path: Path) -> None:
    index = built()
    index.hide(IDS[::3])
    index.save(tmp_path, SHARDS)
    description = IndexManifest.read(tmp_path)
    found = held_ids(tmp_path, SHARDS, description)
    np.testing.assert_array_equal(found.all(), index.ids.all())
    with pytest.raises(StaleIndexError, match=r"00000001\.h5 are gone"):
        held_ids(tmp_path, {"00000000.h5": "a" * 64}, description)
    FlatIndex.build([], 8).save(tmp_path, SHARDS)
    assert not held_ids(tmp_path, SHARDS, IndexManifest.read(tmp_path)).count


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        ([1, 2, 1], VECTORS[:3], "id 1 twice"),
        ([1, -1, 2], VECTORS[:3], "got id -1"),
        ([1], unit_vectors(1, 9, seed=0), "8 components, got 9"),
    ],
)
def test_refused_blocks(ids: list[int], vectors: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidVectorsError, match=message):
        FlatIndex.build([Block(np.array(ids), vectors)], 8)


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (VECTORS.astype(np.float64), 1, "float32"),
        (VECTORS[:, :7] / 0.9, 1, "unit length"),
        (unit_vectors(1, 7, seed=0), 1, "8 components"),
        (np.full((1, 8), np.nan, np.float32), 1, "unit length"),
        (VECTORS, 0, "k of 1 or more"),
        (VECTORS, MAX_NEIGHBOURS + 1, "k of at most 65536"),
    ],
)
def test_refused_queries(queries: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built().search(queries, k)


def test_dimension_must_be_positive() -> None:
    with pytest.raises(ValueError, match="dimension of 1 or more"):
        FlatIndex.build([], 0)


def test_missing_faiss_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingFaissError, match=r"pip install 'facesearch\[cpu\]'"):
        import_faiss()


@pytest.mark.parametrize(("device", "expected"), [("auto", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_gpu_answers_once_it_pays_or_is_named(
    device: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def on_the_cpu(ids: Any, vectors: Any, where: str) -> TorchSearch:
        made.append(where)
        return TorchSearch(ids, vectors, "cpu")

    monkeypatch.setattr(devices, "torch_gpus", lambda: 2)
    monkeypatch.setattr(torch_search, "TorchSearch", on_the_cpu)
    monkeypatch.setattr(index_module, "_MANY_VECTORS", 300)
    index = built()
    index.place(device)
    expected_answers = exact_search(blocks(IDS, VECTORS, 300), VECTORS, 3)
    assert index.search(VECTORS[:1], 3).ids.tolist() == expected_answers.ids[:1].tolist()
    assert made == ([] if device == "auto" else [expected])
    for _ in range(2):
        require_equal(index.search(VECTORS, 3), expected_answers)
    assert made == [expected]
    index.place("cpu")
    require_equal(index.search(VECTORS, 3), expected_answers)
    assert made == [expected]


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "torch_gpus", lambda: 0)
    for device in ("cuda", "cuda:1", "gpu"):
        with pytest.raises(DeviceError, match="expected a device"):
            built().place(device)


@pytest.mark.gpu
@pytest.mark.skipif(not devices.torch_gpus(), reason="torch finds no GPU")
def test_a_gpu_that_is_there_gives_the_same() -> None:
    index = built()
    index.place("cuda")
    require_equal(index.search(VECTORS, 7), exact_search(blocks(IDS, VECTORS, 300), VECTORS, 7))
