"""Searches of several threads are done together, and each gets its answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from facesearch.search.gallery_index import GallerySearch
from facesearch.search.gathered import MOST_TOGETHER, GatheredSearcher
from indexer.errors import InvalidVectorsError
from indexer.exact.brute_force import exact_search
from indexer.types import Block, Neighbours, Vectors
from support.vectors import unit_vectors

DIMENSION = 8


class HeldSearcher:
    """Exact search that waits at its first search until it is let go, and notes what is asked."""

    def __init__(self, vectors: Vectors) -> None:
        self.blocks = [Block(np.arange(len(vectors)), vectors)]
        self.asked: list[tuple[int, int]] = []
        self.began, self.let_go = threading.Event(), threading.Event()

    def search(self, queries: Vectors, k: int) -> Neighbours:
        self.asked.append((len(queries), k))
        self.began.set()
        assert self.let_go.wait(20)
        if not np.isfinite(queries).all():
            raise InvalidVectorsError("expected finite vectors")
        return exact_search(self.blocks, queries, k)


def asked_at_once(
    searcher: HeldSearcher, searches: Sequence[tuple[Vectors, int]]
) -> list[Future[Neighbours]]:
    """The first of ``searches`` runs, then all others are asked for, then it ends."""
    gathered = GatheredSearcher(GallerySearch(searcher))
    with ThreadPoolExecutor(len(searches)) as pool:
        first = pool.submit(gathered.search, *searches[0])
        assert searcher.began.wait(20)
        others = [pool.submit(gathered.search, *each) for each in searches[1:]]
        while len(gathered._waiting) < len(others):
            time.sleep(0.001)
        searcher.let_go.set()
    return [first, *others]


def test_what_is_asked_meanwhile_is_searched_together() -> None:
    searcher = HeldSearcher(unit_vectors(200, DIMENSION, 0))
    sizes = [1, 1, 3, 0, 2]
    searches = [(unit_vectors(size, DIMENSION, 1 + at), 5) for at, size in enumerate(sizes)]
    answers = asked_at_once(searcher, searches)
    assert searcher.asked == [(1, 5), (6, 5)]
    for (queries, k), answer in zip(searches, answers, strict=True):
        expected = exact_search(searcher.blocks, queries, k)
        np.testing.assert_array_equal(answer.result().ids, expected.ids)
        np.testing.assert_array_equal(answer.result().distances, expected.distances)


def test_only_like_searches_go_together() -> None:
    searcher = HeldSearcher(unit_vectors(50, DIMENSION, 0))
    searches = [(unit_vectors(1, DIMENSION, at), k) for at, k in enumerate([3, 3, 7, 3, 7])]
    answers = asked_at_once(searcher, searches)
    assert sorted(searcher.asked) == [(1, 3), (2, 3), (2, 7)]
    assert [answer.result().ids.shape for answer in answers] == [(1, k) for _, k in searches]


def test_no_search_grows_without_end() -> None:
    searcher = HeldSearcher(unit_vectors(20, DIMENSION, 0))
    many = unit_vectors(MOST_TOGETHER, DIMENSION, 1)
    answers = asked_at_once(searcher, [(many[:1], 2), (many, 2), (many[:1], 2)])
    assert sorted(searcher.asked) == [(1, 2), (1, 2), (MOST_TOGETHER, 2)]
    assert [len(answer.result().ids) for answer in answers] == [1, MOST_TOGETHER, 1]


def test_a_wrong_question_spoils_no_other() -> None:
    searcher = HeldSearcher(unit_vectors(50, DIMENSION, 0))
    good = unit_vectors(2, DIMENSION, 1)
    wrong = np.full((1, DIMENSION), np.nan, np.float32)
    first, one, bad, other = asked_at_once(searcher, [(q, 4) for q in (good, good, wrong, good)])
    with pytest.raises(InvalidVectorsError, match="finite"):
        bad.result()
    for answer in (first, one, other):
        np.testing.assert_array_equal(
            answer.result().ids, exact_search(searcher.blocks, good, 4).ids
        )


def test_threads_that_go_on_asking_get_their_answers() -> None:
    vectors = unit_vectors(300, DIMENSION, 0)
    searcher = HeldSearcher(vectors)
    searcher.let_go.set()
    gathered = GatheredSearcher(GallerySearch(searcher))

    def ask(face: int) -> int:
        return int(gathered.search(vectors[face : face + 1], 1).ids[0, 0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(300))) == list(range(300))
    assert sum(count for count, _ in searcher.asked) == 300
