"""Blocks for tests of search, and the plain answer that every search is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.search.gallery_index import open_search
from indexer.types import Block, Neighbours, Vectors
from support.vectors import unit_vectors


@dataclass(frozen=True)
class Search:
    """A gallery, queries, and how many neighbours are asked for."""

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    queries: NDArray[np.float32]
    k: int


@st.composite
def searches(draw: st.DrawFn) -> Search:
    """Any search; many vectors are equal or nearly so, and queries are often gallery vectors."""
    count, dimension = draw(st.integers(0, 60)), draw(st.integers(1, 20))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    distinct = draw(st.integers(1, 60))
    vectors = unit_vectors(distinct, dimension, seed)[random.integers(0, distinct, count)]
    vectors += np.float32(draw(st.sampled_from([0, 1e-7, 1e-5]))) * random.standard_normal(
        vectors.shape, np.float32
    )
    queries = unit_vectors(draw(st.integers(0, 12)), dimension, seed + 1)
    for query in range(0, len(queries) if count else 0, 2):
        queries[query] = vectors[random.integers(count)]
    ids = random.permutation(np.arange(count) * 3 + draw(st.sampled_from([0, 2**40])))
    return Search(ids, vectors, queries, draw(st.integers(1, 70)))


def blocks(ids: NDArray[np.int64], vectors: NDArray[np.float32], rows: int) -> list[Block]:
    """The gallery in blocks of at most ``rows``."""
    return [
        Block(ids[start : start + rows], vectors[start : start + rows])
        for start in range(0, len(ids), rows)
    ]


def nearest_by_loops(search: Search) -> Neighbours:
    """Each distance as an exactly rounded sum, each row sorted by distance, then id."""
    ids = np.full((len(search.queries), search.k), -1, np.int64)
    distances = np.full(ids.shape, np.inf, np.float32)
    for row, query in enumerate(search.queries):
        found = sorted(
            (_squared_distance(query, vector), int(vector_id))
            for vector_id, vector in zip(search.ids, search.vectors, strict=True)
        )
        for column, (distance, vector_id) in enumerate(found[: search.k]):
            ids[row, column], distances[row, column] = vector_id, distance
    return Neighbours(ids, distances)


def _squared_distance(left: NDArray[np.float32], right: NDArray[np.float32]) -> np.float32:
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    return np.float32(math.fsum((one - other) ** 2 for one, other in pairs))


def require_equal(found: Neighbours, expected: Neighbours) -> None:
    """The same ids and, to the last bit, distances."""
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.distances, expected.distances)


def search_gallery(gallery: Gallery, state: GalleryState, queries: Vectors, k: int) -> Neighbours:
    """The ``k`` nearest live faces of ``queries`` float32 (q, d), or all of them."""
    return open_search(gallery, state).search(queries, max(1, min(k, state.face_count)))
