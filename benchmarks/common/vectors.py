"""Synthetic unit vectors that lie as face vectors do: in bunches, one for each person."""

from __future__ import annotations

import numpy as np

from indexer.types import Vectors

# Squared distances between vectors of a bunch are then about 0.3, as between two photos of one
# person in dlib's space, where different people are mostly beyond 0.5.
SPREAD = 0.42
BUNCH = 20


def bunches(count: int, dimension: int, seed: int, spread: float = SPREAD) -> Vectors:
    """``count`` unit vectors float32 (n, d), in random order, some 20 a bunch."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((max(1, count // BUNCH), dimension), np.float32))
    vectors = centres[random.integers(0, len(centres), count)]
    offsets = unit(random.standard_normal(vectors.shape, np.float32))
    return unit(vectors + np.float32(spread) * offsets)


def unit(vectors: Vectors) -> Vectors:
    """``vectors`` scaled to unit length."""
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
