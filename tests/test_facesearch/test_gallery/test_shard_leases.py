"""Leases of shard numbers: never twice, and whoever lost one can seal nothing."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shards import leases
from facesearch.gallery.shards.leases import LEASES, ShardAttempt, ShardLeases, end_leases
from indexer.errors import ShardError, StorageError
from indexer.storage.shards import ShardContent, list_shards, write_shard
from support.fake_engine import DIMENSION, FakeEngine


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)


def content(number: int) -> ShardContent:
    vectors = np.eye(DIMENSION, dtype=np.float32)[:1]
    return ShardContent(number, vectors, {}, {})


def seal(attempt: ShardAttempt) -> None:
    write_shard(attempt.path, content(attempt.number), through=attempt.folder)


def test_numbers_are_given_out_once(gallery: Gallery) -> None:
    with gallery.writing():
        given = ShardLeases(gallery.folder, gallery.shards_folder, 3)
        attempts = [given.attempt() for _ in range(5)]
        assert [each.number for each in attempts] == [0, 1, 2, 3, 4]
        assert {path.name for path in (gallery.folder / LEASES).iterdir()} == {"0-3", "3-6"}
        seal(attempts[1])
    # Numbers that were leased and not used are not used again either.
    with gallery.writing():
        assert not (gallery.folder / LEASES).exists()
        fresh = ShardLeases(gallery.folder, gallery.shards_folder, 3).attempt()
        assert fresh.number == 6


def test_shards_are_listed_for_the_first_range_only(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Path] = []

    def list_and_count(folder: Path) -> list[Path]:
        listed.append(folder)
        return list_shards(folder)

    with gallery.writing():
        seal(ShardAttempt(7, gallery.shards_folder, gallery.folder))
        monkeypatch.setattr(leases, "list_shards", list_and_count)
        given = ShardLeases(gallery.folder, gallery.shards_folder, 2)
        assert [given.attempt().number for _ in range(4)] == [8, 9, 10, 11]
        leases.note_number(gallery.folder, 20)
        assert [given.attempt().number for _ in range(3)] == [20, 21, 22]
    assert len(listed) == 1


def test_an_ended_attempt_seals_nothing(gallery: Gallery) -> None:
    with gallery.writing():
        given = ShardLeases(gallery.folder, gallery.shards_folder, 2)
        first = given.attempt()
        assert first.end() is False
        with pytest.raises(StorageError):
            seal(first)
        second = given.attempt(first.number)
        seal(second)
        assert second.end() is True
        assert list_shards(gallery.shards_folder) == [second.path]
        third = given.attempt(first.number)
        with pytest.raises(ShardError, match="exists"):
            seal(third)


def test_the_next_writer_ends_all_leases(gallery: Gallery) -> None:
    with gallery.writing():
        attempt = ShardLeases(gallery.folder, gallery.shards_folder, 2).attempt()
        (attempt.folder / "rest").write_bytes(b"half a shard")
    with gallery.writing():
        with pytest.raises(StorageError):
            seal(attempt)
        assert not attempt.folder.exists()
        assert list_shards(gallery.shards_folder) == []
    end_leases(gallery.folder)  # nothing is left to do


def _seal_again_and_again(attempt: ShardAttempt, ready: object) -> None:
    ready.set()  # type: ignore[attr-defined]
    try:
        seal(attempt)
    except (StorageError, FileNotFoundError):
        return


def test_a_writer_elsewhere_seals_before_its_lease_ends_or_never(gallery: Gallery) -> None:
    context = multiprocessing.get_context("fork")
    with gallery.writing():
        given = ShardLeases(gallery.folder, gallery.shards_folder, 64)
        for _ in range(10):
            attempt, ready = given.attempt(), context.Event()
            process = context.Process(target=_seal_again_and_again, args=(attempt, ready))
            process.start()
            ready.wait()
            sealed = attempt.end()
            process.join()
            assert attempt.path.exists() == sealed
