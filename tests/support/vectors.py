"""Random unit vectors for tests of clustering."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray


def unit_vectors(count: int, dimension: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors (count, dimension) in directions drawn evenly."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def grouped_vectors(
    people: int, each: int, seed: int, spread: float = 0.3
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """``people`` tight bunches of ``each`` unit vectors in 64 dimensions, and whose each is."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(people), each)
    vectors = unit_vectors(people, 64, seed)[truth]
    vectors = vectors + spread * rng.standard_normal(vectors.shape) / 8
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), truth


@st.composite
def vector_sets(draw: st.DrawFn, least: int = 0, most: int = 60) -> NDArray[np.float32]:
    """Unit vectors (n, d), some of them perhaps in bunches."""
    count = draw(st.integers(least, most))
    dimension = draw(st.integers(2, 12))
    seed = draw(st.integers(0, 2**32 - 1))
    centres = draw(st.integers(1, max(count, 1)))
    spread = draw(st.sampled_from([0.1, 0.5, 2.0]))
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((centres, dimension))[rng.integers(0, centres, count)]
    vectors = vectors + spread * rng.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
