"""Scatter search: equal to one exact index, and honest about parts that do not answer."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.distributed.search.parts import GalleryPart, PartIndex, ShardRange, cut_ranges
from facesearch.distributed.search.replicas import PartReplica, ProcessReplica, ThreadReplica
from facesearch.distributed.search.scatter import (
    PartialSearchError,
    ScatterSearch,
    SearchPart,
)
from indexer.exact.brute_force import exact_search
from indexer.index.flat import FlatIndex
from indexer.types import Block, Ids, Neighbours, Vectors, make_ids
from support.galleries import small_gallery

DIMENSION = 4


def unit(count: int, seed: int) -> Vectors:
    """Few directions, so that there are ties."""
    grid = np.random.default_rng(seed).integers(-1, 2, (count, DIMENSION)) + 0.25
    return (grid / np.linalg.norm(grid, axis=1, keepdims=True)).astype(np.float32)


def block(shards: ShardRange, rows: int, seed: int) -> Block:
    ids = [make_ids(number, np.arange(rows)) for number in range(shards.first, shards.end)]
    joined = np.concatenate([np.zeros(0, np.int64), *ids])
    return Block(joined, unit(len(joined), seed))


@dataclass(frozen=True)
class OpenBlock:
    """Opens an index of the vectors that it carries, here or in another process."""

    ids: Ids
    vectors: Vectors

    def __call__(self) -> PartIndex:
        return PartIndex(FlatIndex.build([Block(self.ids, self.vectors)], DIMENSION))


def part(of: Block, shards: ShardRange, replicas: int = 1) -> SearchPart:
    opened = OpenBlock(of.ids, of.vectors)
    return SearchPart(shards, tuple(ThreadReplica(opened) for _ in range(replicas)))


def assert_equal(found: Neighbours, expected: Neighbours) -> None:
    assert np.array_equal(found.ids, expected.ids)
    assert np.array_equal(found.distances, expected.distances)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=5),
    st.integers(1, 12),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_equal_to_one_exact_index(
    shapes: list[tuple[int, int]], k: int, queries: int, random: np.random.Generator
) -> None:
    """Parts with shards and rows of any number, none too; k beyond them; faces left out."""
    first, blocks, ranges = 0, [], []
    for seed, (shards, rows) in enumerate(shapes):
        ranges.append(ShardRange(first, first + shards))
        blocks.append(block(ranges[-1], rows, seed))
        first += shards
    search = ScatterSearch([part(*each) for each in zip(blocks, ranges, strict=True)])
    asked = unit(queries, 99)
    assert_equal(search.search(asked, k), exact_search(blocks, asked, k))
    every = np.concatenate([np.zeros(0, np.int64), *(each.ids for each in blocks)])
    hidden = np.array([each for each in every.tolist() if random.random() < 0.3], np.int64)
    assert search.hide(hidden) == ()
    left = [
        Block(each.ids[kept], each.vectors[kept])
        for each in blocks
        if (kept := ~np.isin(each.ids, hidden)).any()
    ]
    assert_equal(search.search(asked, k), exact_search(left, asked, k))
    search.close()


class FaultyReplica:
    """Answers as ``inner``, unless it is told to fail or to wait until it is let go."""

    def __init__(self, inner: PartReplica) -> None:
        self.inner = inner
        self.dead = False
        self.waits: threading.Event | None = None
        self.asked = 0
        self.closed = False

    def search(self, queries: Vectors, k: int) -> Future[Neighbours]:
        self.asked += 1
        return self._answer(lambda: self.inner.search(queries, k))

    def hide(self, ids: Ids) -> Future[int]:
        return self._answer(lambda: self.inner.hide(ids))

    def close(self) -> None:
        self.closed = True

    def _answer(self, ask: Callable[[], Future]) -> Future:
        if self.dead:
            failed: Future = Future()
            failed.set_exception(RuntimeError("the machine is gone"))
            return failed
        return Future() if self.waits is not None and not self.waits.is_set() else ask()


@pytest.fixture
def scattered() -> tuple[list[Block], list[list[FaultyReplica]], ScatterSearch]:
    """Three parts of two replicas each."""
    ranges = [ShardRange(0, 2), ShardRange(2, 3), ShardRange(3, 6)]
    blocks = [block(each, 5, seed) for seed, each in enumerate(ranges)]
    replicas = [
        [FaultyReplica(ThreadReplica(OpenBlock(each.ids, each.vectors))) for _ in range(2)]
        for each in blocks
    ]
    parts = [SearchPart(each, tuple(two)) for each, two in zip(ranges, replicas, strict=True)]
    return blocks, replicas, ScatterSearch(parts, patience=0.02, seconds=1.0)


def test_a_dead_replica_is_answered_for(scattered) -> None:  # type: ignore[no-untyped-def]
    blocks, replicas, search = scattered
    replicas[1][0].dead = replicas[2][1].dead = True
    for seed in range(6):
        queries = unit(3, seed)
        assert_equal(search.search(queries, 7), exact_search(blocks, queries, 7))
    assert replicas[1][0].asked <= 2  # then the other one is asked first


def test_a_slow_replica_is_raced(scattered) -> None:  # type: ignore[no-untyped-def]
    blocks, replicas, search = scattered
    replicas[0][0].waits = replicas[0][1].waits = threading.Event()
    result = search.search_parts(unit(2, 1), 4)
    assert result.missing == (ShardRange(0, 2),)
    replicas[0][1].waits = None
    for seed in range(4):
        queries = unit(2, seed)
        assert_equal(search.search(queries, 4), exact_search(blocks, queries, 4))


def test_a_part_that_is_gone_is_named(scattered) -> None:  # type: ignore[no-untyped-def]
    blocks, replicas, search = scattered
    for each in replicas[1]:
        each.dead = True
    queries = unit(3, 5)
    result = search.search_parts(queries, 6)
    assert not result.complete
    assert result.missing == (ShardRange(2, 3),)
    assert_equal(result.neighbours, exact_search([blocks[0], blocks[2]], queries, 6))
    with pytest.raises(PartialSearchError, match="shards 2 to 2"):
        search.search(queries, 6)


def test_who_does_not_confirm_a_deletion_answers_no_more(scattered) -> None:  # type: ignore[no-untyped-def]
    blocks, replicas, search = scattered
    replicas[0][0].dead = True
    for each in replicas[1]:
        each.waits = threading.Event()
    forgotten = np.array([blocks[0].ids[0], blocks[1].ids[0]])
    assert search.hide(forgotten) == (ShardRange(2, 3),)
    replicas[0][0].dead = False
    for each in replicas[1]:
        each.waits = None
    assert replicas[0][0].closed
    for seed in range(4):
        result = search.search_parts(unit(3, seed), 40)
        assert result.missing == (ShardRange(2, 3),)
        assert not np.isin(result.neighbours.ids, forgotten).any()


def test_a_rolling_rebuild_has_no_gap(scattered) -> None:  # type: ignore[no-untyped-def]
    blocks, replicas, search = scattered
    ranges = [ShardRange(0, 2), ShardRange(2, 3), ShardRange(3, 8)]
    longer = block(ranges[2], 5, 7)
    fresh = [*blocks[:2], longer]
    queries = unit(4, 3)
    old, new = exact_search(blocks, queries, 9), exact_search(fresh, queries, 9)
    made = []

    def make(shards: ShardRange) -> PartReplica:
        found = search.search_parts(queries, 9)
        assert found.complete
        assert any(np.array_equal(found.neighbours.ids, each.ids) for each in (old, new))
        of = fresh[ranges.index(shards)]
        made.append(shards)
        return ThreadReplica(OpenBlock(of.ids, of.vectors))

    search.rebuild(ranges, make)
    assert made == [each for each in ranges for _ in range(2)]
    assert all(each.closed for two in replicas for each in two)
    for _ in range(2):
        assert_equal(search.search(queries, 9), new)
    with pytest.raises(ValueError, match="expected the ranges of the parts"):
        search.rebuild(ranges[:2], make)


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 6))
def test_ranges_cover_all_shards_once(counts: list[int], parts: int) -> None:
    live = {2 * number: np.arange(count) for number, count in enumerate(counts)}
    ranges = cut_ranges(live, parts)
    assert len(ranges) == parts
    assert ranges[0].first == 0
    assert all(one.end == two.first for one, two in pairwise(ranges))
    assert ranges[-1].end == (max(live) + 1 if live else 0)
    most = max(counts, default=0)
    sizes = [sum(counts[n // 2] for n in live if r.first <= n < r.end) for r in ranges]
    assert max(sizes) <= sum(counts) / parts + most


def test_overlapping_parts_are_refused() -> None:
    of = block(ShardRange(0, 2), 1, 0)
    with pytest.raises(ValueError, match="parts apart"):
        ScatterSearch([part(of, ShardRange(0, 2)), part(of, ShardRange(1, 2))])


def test_parts_of_a_gallery_and_a_process_that_is_killed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    gallery = small_gallery(tmp_path)
    state = gallery.state()
    ranges = cut_ranges(state.live, 2)
    sources = [GalleryPart.of(gallery, state, each) for each in ranges]
    lost = ProcessReplica(sources[0].open)
    search = ScatterSearch(
        [
            SearchPart(ranges[0], (lost,)),
            SearchPart(ranges[1], (ThreadReplica(sources[1].open),)),
        ],
        seconds=60,
    )
    queries = gallery.vectors(state.live_ids()[:3])
    expected = exact_search(gallery.blocks(state), queries, 5)
    assert_equal(search.search(queries, 5), expected)
    os.kill(lost.pid, signal.SIGKILL)
    assert search.search_parts(queries, 5).missing == (ranges[0],)
    search.rebuild(ranges, lambda shards: ThreadReplica(sources[ranges.index(shards)].open))
    assert_equal(search.search(queries, 5), expected)
    search.close()
