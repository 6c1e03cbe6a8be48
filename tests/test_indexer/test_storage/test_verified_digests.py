"""A file that was found whole is known again until anything of it changes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer.build import held_ids, open_index
from indexer.errors import StaleIndexError
from indexer.exact.int8_kernel import LANES
from indexer.index import files
from indexer.index.files import replace_index
from indexer.index.flat import FlatIndex
from indexer.index.manifest import IndexManifest
from indexer.ivf.build import build_ivf, learn
from indexer.ivf.index import IvfRecipe
from indexer.storage import verified_digests
from indexer.storage.verified_digests import identity, is_verified, note_verified, verified_path
from support.search import blocks
from support.vectors import unit_vectors

DIGEST = "a" * 64
VECTORS = unit_vectors(200, 16, seed=0)
IDS = np.arange(200)
SHARDS = {"00000000.h5": "a" * 64}
NEEDS_LANES = pytest.mark.skipif(not LANES, reason="needs AVX2")
TICK = 0.02  # seconds that file systems tell apart, at least


def noted(path: Path) -> Path:
    path.write_bytes(b"content")
    time.sleep(TICK)
    with path.open("rb") as file:
        note_verified(path, identity(file), DIGEST)
    return path


def known(path: Path, sha256: str = DIGEST) -> bool:
    with path.open("rb") as file:
        return is_verified(path, file, sha256)


def rewritten(path: Path) -> None:
    path.write_bytes(b"Content")


def exchanged(path: Path) -> None:
    """Another file of the same size and times."""
    times = path.stat()
    path.unlink()
    path.write_bytes(b"Content")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def backdated(path: Path) -> None:
    """The same file, changed and given its old times."""
    times = path.stat()
    path.write_bytes(b"Content")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def in_one_tick(path: Path) -> None:
    """Noted no later than the file changed."""
    changed = path.stat().st_ctime_ns
    os.utime(verified_path(path), ns=(changed, changed))


@pytest.mark.parametrize(
    "change",
    [
        rewritten,
        exchanged,
        backdated,
        in_one_tick,
        lambda path: path.write_bytes(b"conten"),
        lambda path: path.chmod(0o600),
        lambda path: verified_path(path).unlink(),
        lambda path: verified_path(path).write_text("{"),
        lambda path: verified_path(path).write_text("[" * 4000),
        lambda path: verified_path(path).write_text(json.dumps({"sha256": DIGEST})),
    ],
)
def test_any_change_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    path = noted(tmp_path / "file")
    assert known(path) and not known(path, "b" * 64)
    change(path)
    assert not known(path)


def test_a_copy_is_read(tmp_path: Path) -> None:
    noted(tmp_path / "file")
    for name in ("file", "file.verified"):
        shutil.copy2(tmp_path / name, tmp_path / f"other-{name}")
    assert not known(tmp_path / "other-file")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The index files that were read whole."""
    names: list[str] = []
    whole = files.sha256_of_stream

    def reading(file: object) -> str:
        names.append(Path(file.name).name)  # type: ignore[attr-defined]
        return whole(file)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "sha256_of_stream", reading)
    return names


def saved(folder: Path, seed: int = 0) -> Path:
    """An index by cells; its file."""
    vectors = unit_vectors(200, 16, seed=seed)

    def write(path: Path) -> IndexManifest:
        learnt = learn(vectors, IvfRecipe(4, 8, 8), 200)
        build_ivf(path, lambda: blocks(IDS, vectors, 70), learnt)
        return IndexManifest(200, 16, "", SHARDS, "", recipe="Cells")

    return folder / replace_index(folder, write).file_name


@NEEDS_LANES
def test_an_index_by_cells_is_read_once(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = files.sync_folder

    def slowly(folder: Path) -> None:
        synced(folder)
        time.sleep(TICK)  # renamed in one tick, noted in a later one

    monkeypatch.setattr(files, "sync_folder", slowly)
    path = saved(tmp_path)
    for _ in range(2):
        open_index(tmp_path, SHARDS)
    assert read == []
    open_index(tmp_path, SHARDS, verify=True)
    assert read == [path.name]
    os.utime(path)
    time.sleep(TICK)
    open_index(tmp_path, SHARDS)
    open_index(tmp_path, SHARDS)
    assert read == [path.name] * 2
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StaleIndexError, match="damaged: rebuild it"):
            open_index(tmp_path, SHARDS)


@pytest.mark.parametrize("recipe", [pytest.param("Cells", marks=NEEDS_LANES), "Flat"])
def test_damage_that_was_found_stays_found(tmp_path: Path, recipe: str) -> None:
    if recipe == "Cells":
        saved(tmp_path)
    else:
        FlatIndex.build(blocks(IDS, VECTORS, 70), 16).save(tmp_path, SHARDS)
    description = IndexManifest.read(tmp_path)
    path = tmp_path / description.file_name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    time.sleep(TICK)
    with path.open("rb") as file:  # as if the file system knew of no change
        note_verified(path, identity(file), description.sha256)
    assert held_ids(tmp_path, SHARDS, description).count == 200
    with pytest.raises(StaleIndexError, match="damaged: rebuild it"):
        open_index(tmp_path, SHARDS, verify=True)
    for read in (open_index, held_ids):
        with pytest.raises(StaleIndexError, match="damaged: rebuild it"):
            read(tmp_path, SHARDS, description)


@NEEDS_LANES
def test_where_nothing_can_be_noted_it_is_read(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *content: object, **named: object) -> None:
        raise PermissionError(path)

    path = saved(tmp_path)
    verified_path(path).unlink()
    monkeypatch.setattr(verified_digests, "overwrite", refuse)
    for _ in range(2):
        assert len(open_index(tmp_path, SHARDS)) == 200
    assert read == [path.name] * 2


@NEEDS_LANES
def test_a_full_disk_at_the_note_does_not_fail_the_build(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = saved(tmp_path, seed=1)

    def full(path: Path, *content: object, **named: object) -> None:
        path.write_bytes(b"")  # as much as there was room for
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(verified_digests, "overwrite", full)
    path = saved(tmp_path)
    assert path != old and not old.exists() and not verified_path(old).exists()
    assert len(open_index(tmp_path, SHARDS)) == 200 and read == [path.name]


def test_what_faiss_reads_is_always_read_first(tmp_path: Path, read: list[str]) -> None:
    FlatIndex.build(blocks(IDS, VECTORS, 70), 16).save(tmp_path, SHARDS)
    time.sleep(TICK)
    open_index(tmp_path, SHARDS)
    open_index(tmp_path, SHARDS)
    FlatIndex.load(tmp_path, SHARDS)
    assert len(read) == 3
