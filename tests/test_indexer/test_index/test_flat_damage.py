"""Damaged, exchanged and mutated files of the exact index: refused with a reason, or harmless."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.build import held_ids
from indexer.errors import StaleIndexError
from indexer.index import manifest
from indexer.index.flat import FlatIndex
from indexer.index.manifest import IndexManifest
from indexer.storage.atomic_files import sha256_of
from indexer.types import Block
from support.search import blocks, require_equal
from support.vectors import unit_vectors

SHARDS = {"00000000.h5": "a" * 64, "00000001.h5": "b" * 64}
VECTORS = unit_vectors(300, 8, seed=0)
IDS = np.random.default_rng(0).permutation(300).astype(np.int64) + 2**33


def built() -> FlatIndex:
    return FlatIndex.build(blocks(IDS, VECTORS, 70), 8)


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


def test_a_description_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built().save(tmp_path, SHARDS)
    monkeypatch.setattr(manifest, "_MOST_BYTES", 100)
    with pytest.raises(
        StaleIndexError, match=r"index\.json cannot be read: .*expected at most 100"
    ):
        FlatIndex.load(tmp_path, SHARDS)


def padded_tree(path: Path) -> None:
    """As long as the index that is expected, which FAISS does not mind."""
    length = path.stat().st_size
    faiss.write_index(faiss.IndexHNSWFlat(8, 4), str(path))
    path.write_bytes(path.read_bytes().ljust(length, b"\0"))


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
        (described("count", 30), "expected 30 vectors"),
        (described("count", 2**62), "expected count"),
        (described("dimension", 2**40), "expected count"),
        (described("dimension", 9), "9 components"),
        (lambda folder: index_file(folder).unlink(), "No such file"),
        (flip_a_bit, "damaged"),
        (exchange(lambda path: path.write_bytes(b"not an index")), "got 12 bytes"),
        (exchange(lambda path: path.write_bytes(b"no index" * 1500)), "is not an index"),
        (exchange(tree), "bytes and headers, got"),
        (exchange(padded_tree), "expected a flat index"),
    ],
)
def test_damaged_index_is_explained(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    built().save(tmp_path, SHARDS)
    damage(tmp_path)
    with pytest.raises(StaleIndexError, match=message):
        FlatIndex.load(tmp_path, SHARDS)


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_mutated_files_are_refused_or_harmless(data: st.DataObject) -> None:
    """Whatever lies in the folder: StaleIndexError that names the place, or the very answers."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        built().save(folder, SHARDS, "s")
        path = data.draw(st.sampled_from([folder / "index.json", index_file(folder)]), "file")
        path.write_bytes(mutated(path.read_bytes(), data))
        try:
            loaded = FlatIndex.load(folder, SHARDS)
        except StaleIndexError as error:
            # What was mutated into another digest or set of shards is named by these.
            named = (str(folder), "the index is stale")
            assert any(each in str(error) for each in named)
        else:
            require_equal(loaded.search(VECTORS[:9], 7), built().search(VECTORS[:9], 7))


def test_an_index_of_another_metric_is_refused(tmp_path: Path) -> None:
    built().save(tmp_path, SHARDS, "s")
    metric = index_file(tmp_path).read_bytes()[70:74]
    assert metric == struct.pack("<i", 1)
    exchange(
        lambda path: path.write_bytes(path.read_bytes()[:70] + bytes(4) + path.read_bytes()[74:])
    )(tmp_path)
    with pytest.raises(StaleIndexError, match="expected a flat index"):
        FlatIndex.load(tmp_path, SHARDS)


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_mutated_files_of_the_right_digest_are_refused_or_are_indices(data: st.DataObject) -> None:
    """As someone leaves them who means harm: other unit vectors or ids pass, nothing else."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        built().save(folder, SHARDS, "s")
        exchange(lambda path: path.write_bytes(mutated(path.read_bytes(), data)))(folder)
        try:
            loaded = FlatIndex.load(folder, SHARDS)
        except StaleIndexError as error:
            assert str(folder) in str(error)
        else:
            assert len(np.unique(loaded.ids.all())) == 300
            found = loaded.search(VECTORS[:9], 7)
            assert np.isfinite(found.distances).all() and np.isin(found.ids, loaded.ids.all()).all()


def mutated(before: bytes, data: st.DataObject) -> bytes:
    """Bits flipped, the end cut off, an absurd number written, or bytes put in."""
    how = data.draw(st.sampled_from(["flip", "cut", "number", "insert", "repeat"]), "how")
    # Headers are at the ends of the file and of its vectors, and few.
    ends = st.integers(0, 200) | st.integers(max(0, len(before) - 2600), len(before) - 1)
    at = data.draw((ends | st.integers(0, len(before) - 1)).map(lambda n: min(n, len(before) - 1)))
    if how == "flip":
        flipped = bytearray(before)
        flipped[at] ^= 1 << data.draw(st.integers(0, 7))
        return bytes(flipped)
    if how == "cut":
        return before[:at]
    if how == "repeat":
        return before + before[:at]
    piece = data.draw(
        st.sampled_from([b"\xff" * 8, b"\x7f" * 8, (2**39).to_bytes(8, "little"), b"\0" * 8])
    )
    return before[:at] + piece + before[at + (8 if how == "number" else 0) :]


def test_swapped_files_are_refused(tmp_path: Path) -> None:
    built().save(tmp_path / "one", SHARDS)
    FlatIndex.build(blocks(IDS, VECTORS[::-1].copy(), 70), 8).save(tmp_path / "two", SHARDS)
    one, two = index_file(tmp_path / "one"), index_file(tmp_path / "two")
    one.write_bytes(two.read_bytes())
    with pytest.raises(StaleIndexError, match=f"{one.name}.*damaged"):
        FlatIndex.load(tmp_path / "one", SHARDS)


@pytest.mark.parametrize("ids", [[1, 1, 2], [-1, 1, 2]])
def test_ids_that_are_none_are_refused(tmp_path: Path, ids: list[int]) -> None:
    FlatIndex.build([Block(np.arange(3), VECTORS[:3])], 8).save(tmp_path, SHARDS)
    exchange(
        lambda path: path.write_bytes(path.read_bytes()[:-24] + np.array(ids, "<i8").tobytes())
    )(tmp_path)
    with pytest.raises(StaleIndexError, match=r"ascend, each once.*rebuild it"):
        held_ids(tmp_path, SHARDS, IndexManifest.read(tmp_path))
    exchange(lambda path: path.write_bytes(path.read_bytes()[:-32] + bytes(32)))(tmp_path)
    with pytest.raises(StaleIndexError, match="expected 3 ids, got 0"):
        held_ids(tmp_path, SHARDS, IndexManifest.read(tmp_path))
