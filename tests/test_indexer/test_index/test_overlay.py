"""A living index: exact over the live vectors, and rebuilt when the rule says so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.exact.brute_force import exact_search
from indexer.id_ranges import IdRanges
from indexer.index import flat as index_module
from indexer.index.flat import FlatIndex
from indexer.index.overlay import KEPT_FRESH, Coverage, OverlayIndex
from indexer.protocols import Searcher
from indexer.types import Ids, Neighbours, Vectors
from support.search import Search, blocks, require_equal, searches


def searcher_of(search: Search) -> Callable[[Ids], Searcher]:
    """Makes flat indices of some of the vectors."""

    def searcher(ids: Ids) -> Searcher:
        rows = np.isin(search.ids, ids)
        return FlatIndex.build(
            blocks(search.ids[rows], search.vectors[rows], 7), search.queries.shape[1]
        )

    return searcher


def runs(ids: Ids) -> IdRanges:
    return IdRanges.of(np.sort(ids))


@given(search=searches(), data=st.data(), codes=st.booleans())
@settings(max_examples=150, deadline=None)
def test_equals_exact_search_of_what_is_live(
    search: Search, data: st.DataObject, codes: bool
) -> None:
    count = len(search.ids)
    held = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
    live = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
    with pytest.MonkeyPatch.context() as patch:
        if codes:
            patch.setattr(index_module, "_MANY_VECTORS", 1)
            patch.setattr(index_module, "_WORTH_CODES", 0)
        base = searcher_of(search)(search.ids[held])
        base.search(search.queries, search.k)  # with its codes made before vectors are hidden
        index = OverlayIndex(base, runs(search.ids[live]), searcher_of(search))
        found = index.search(search.queries, search.k)
    expected = exact_search(
        blocks(search.ids[live], search.vectors[live], 11), search.queries, search.k
    )
    require_equal(found, expected)
    assert len(index) == live.sum()
    assert index.coverage == Coverage(
        int((held & live).sum()), int((held & ~live).sum()), int((live & ~held).sum())
    )


def test_a_base_without_changes_is_asked_alone() -> None:
    class Base:
        dimension = 3
        ids = IdRanges.of(np.array([3, 5]))

        def __len__(self) -> int:
            return 2

        def hide(self, ids: Ids) -> None:
            raise AssertionError(ids)

        def search(self, queries: Vectors, k: int) -> Neighbours:
            return Neighbours(np.array([[3]]), np.zeros((1, 1), np.float32))

    def searcher(ids: Ids) -> Searcher:
        raise AssertionError(ids)

    index = OverlayIndex(Base(), IdRanges.of(np.array([3, 5])), searcher)
    assert index.search(np.eye(3, dtype=np.float32)[:1], 1).ids.tolist() == [[3]]


@pytest.mark.parametrize(
    ("coverage", "worth"),
    [
        (Coverage(0, 0, 0), False),
        (Coverage(100, 0, 0), False),
        (Coverage(95, 0, 5), False),
        (Coverage(95, 1, 5), True),
        (Coverage(100, 5, 0), False),
        (Coverage(100, 6, 0), True),
        (Coverage(0, 1, 0), True),
        (Coverage(0, 0, 1), True),
        (Coverage(10**8, 0, KEPT_FRESH), False),
        (Coverage(10**8, 0, KEPT_FRESH + 1), True),
        (Coverage(10**8, KEPT_FRESH + 1, 0), False),
    ],
)
def test_rule_of_rebuilding(coverage: Coverage, worth: bool) -> None:
    assert coverage.worth_rebuilding() == worth


def test_share_is_of_the_live() -> None:
    assert Coverage(3, 90, 1).share == 0.75
    assert Coverage(0, 2, 0).share == 1.0
