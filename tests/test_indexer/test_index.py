"""The flat index: equal to exact search, saved whole, and refused when it is not the gallery's."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings

from indexer import devices, torch_search
from indexer import index as index_module
from indexer.certified import CertifiedSearch
from indexer.errors import DeviceError, InvalidVectorsError, MissingFaissError, StaleIndexError
from indexer.exact import exact_search
from indexer.files import sha256_of
from indexer.index import FlatIndex, import_faiss
from indexer.int8_kernel import LANES
from indexer.torch_search import TorchSearch
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


@pytest.mark.skipif(not LANES, reason="the processor multiplies no bytes (VNNI)")
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
    loaded = FlatIndex.load(folder, SHARDS, "state")
    assert (len(loaded), loaded.dimension) == (300, 8)
    require_equal(loaded.search(VECTORS[:9], 7), built().search(VECTORS[:9], 7))


def test_empty_index(tmp_path: Path) -> None:
    FlatIndex.build([], 8).save(tmp_path, {})
    found = FlatIndex.load(tmp_path, {}).search(VECTORS[:2], 3)
    assert found.ids.tolist() == [[-1] * 3] * 2


def test_new_index_replaces_the_old_one(tmp_path: Path) -> None:
    built().save(tmp_path, SHARDS)
    FlatIndex.build([Block(IDS[:5], VECTORS[:5])], 8).save(tmp_path, SHARDS, "later")
    assert len(list(tmp_path.iterdir())) == 2
    assert len(FlatIndex.load(tmp_path, SHARDS, "later")) == 5


def test_crash_while_saving_leaves_the_old_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built().save(tmp_path, SHARDS)
    for name in ("sync_file", "sync_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(index_module, name, crash)
            with pytest.raises(InterruptedError):
                FlatIndex.build([Block(IDS[:5], VECTORS[:5])], 8).save(tmp_path, SHARDS, "later")
        assert len(FlatIndex.load(tmp_path, SHARDS)) == 300
    built().save(tmp_path, SHARDS)
    assert len(list(tmp_path.iterdir())) == 2


def crash(path: Path) -> None:
    raise InterruptedError(path)


@pytest.mark.parametrize(
    ("shards", "state", "message"),
    [
        ({**SHARDS, "00000002.h5": "c"}, "s", r"00000002\.h5 are missing"),
        ({"00000000.h5": "a" * 64}, "s", r"00000001\.h5 are gone"),
        ({**SHARDS, "00000001.h5": "c"}, "s", r"00000001\.h5 changed"),
        ({f"{n:08d}.h5": "c" for n in range(2, 40)}, "s", "and 33 more are missing"),
        (SHARDS, "t", "added to the gallery or taken out"),
    ],
)
def test_stale_index_names_what_differs(
    tmp_path: Path, shards: dict[str, str], state: str, message: str
) -> None:
    built().save(tmp_path, SHARDS, "s")
    with pytest.raises(StaleIndexError, match=message):
        FlatIndex.load(tmp_path, shards, state)


def described(key: str, value: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "index.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))

    return apply


def index_file(folder: Path) -> Path:
    (path,) = folder.glob("flat-*.faiss")
    return path


def flip_a_bit(folder: Path) -> None:
    content = bytearray(index_file(folder).read_bytes())
    content[len(content) // 2] ^= 1
    index_file(folder).write_bytes(content)


def exchange(content: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Another index file with the right digest, as someone who means harm would leave it."""

    def apply(folder: Path) -> None:
        path = index_file(folder)
        content(path)
        digest = sha256_of(path)
        path.rename(folder / f"flat-{digest[:16]}.faiss")
        described("sha256", digest)(folder)

    return apply


def tree(path: Path) -> None:
    faiss.write_index(faiss.IndexHNSWFlat(8, 4), str(path))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "index.json").unlink(), "there is no index"),
        (lambda folder: (folder / "index.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "index.json").write_text("[" * 99_999), "cannot be read"),
        (lambda folder: (folder / "index.json").write_text("[]"), "expected an object"),
        (described("version", 2), "'version': 2"),
        (described("metric", "cosine"), "cosine"),
        (described("count", -1), "expected count"),
        (described("count", True), "expected count"),
        (described("sha256", "../../x"), "expected count"),
        (described("sha256", 7), "expected count"),
        (described("shards", ["x"]), "expected count"),
        (described("state", None), "expected count"),
        (described("count", 299), "flat index of 299"),
        (lambda folder: index_file(folder).unlink(), "No such file"),
        (flip_a_bit, "damaged"),
        (exchange(lambda path: path.write_bytes(b"not an index")), "is not an index"),
        (exchange(tree), "expected a flat index"),
    ],
)
def test_damaged_index_is_explained(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    built().save(tmp_path, SHARDS)
    damage(tmp_path)
    with pytest.raises(StaleIndexError, match=message):
        FlatIndex.load(tmp_path, SHARDS)


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
