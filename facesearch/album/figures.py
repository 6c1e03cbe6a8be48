"""Figures of an album for its plots: how far faces of one person and of two are apart, and the
trees of the largest people. Values only; ``facesearch/report/plots.py`` draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.linkage.average_linkage import average_linkage
from facesearch.album.advice import PersonFaces

PAIRS = 100_000  # drawn for each histogram
BINS = 60
TREES = 4  # people
TREE_FACES = 60  # of one person at most, else spread evenly over theirs
_SEED = 0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """Squared distances: ``edges`` (b + 1,), and the share of pairs in each bin, of faces
    ``within`` one person and ``between`` two (b,), which sum to 1 (or are 0 without any pair)."""

    edges: Floats
    within: Floats
    between: Floats


@dataclass(frozen=True)
class Tree:
    """The dendrogram of a person's faces as scipy writes it, float64 (m, 4), of ``count`` faces;
    ``of`` is how many the person has."""

    key: str
    linkage: Floats
    count: int
    of: int


@dataclass(frozen=True)
class AlbumFigures:
    """What the plots show beyond the album itself."""

    distances: Histogram
    trees: tuple[Tree, ...]


def figures_of(people: Sequence[PersonFaces], vectors: NDArray[np.float32]) -> AlbumFigures:
    """Figures of ``people`` whose faces are rows of unit ``vectors`` (n, d); the largest first."""
    trees = [_tree(person, vectors) for person in _largest(people) if len(person.rows) > 2]
    return AlbumFigures(_histogram(people, vectors), tuple(trees))


def _largest(people: Sequence[PersonFaces]) -> list[PersonFaces]:
    return sorted(people, key=lambda person: -len(person.rows))[:TREES]


def _tree(person: PersonFaces, vectors: NDArray[np.float32]) -> Tree:
    count = min(len(person.rows), TREE_FACES)
    rows = person.rows[np.linspace(0, len(person.rows) - 1, count).astype(np.int64)]
    return Tree(person.key, average_linkage(vectors[rows]), count, len(person.rows))


def _histogram(people: Sequence[PersonFaces], vectors: NDArray[np.float32]) -> Histogram:
    """Of pairs drawn at random: any two faces of one person, and any two of two people."""
    rng = np.random.default_rng(_SEED)
    rows = np.concatenate([np.zeros(0, np.int64), *(person.rows for person in people)])
    sizes = np.array([len(person.rows) for person in people], np.int64)
    whose = np.repeat(np.arange(len(people)), sizes)
    within, between = np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64)
    if (sizes > 1).any():
        weights = sizes * (sizes - 1.0)
        drawn = rng.choice(len(people), PAIRS, p=weights / weights.sum())
        starts = np.cumsum(sizes) - sizes
        first = rng.integers(0, sizes[drawn])
        other = (first + rng.integers(1, np.maximum(sizes[drawn], 2))) % sizes[drawn]
        within = rows[np.stack([starts[drawn] + first, starts[drawn] + other], axis=1)]
    if len(people) > 1:
        places = rng.integers(0, len(rows), (PAIRS, 2))
        between = rows[places[whose[places[:, 0]] != whose[places[:, 1]]]]
    apart = [_distances(vectors, pairs) for pairs in (within, between)]
    farthest = max(float(each.max(initial=0)) for each in apart)
    edges = np.linspace(0, farthest or 1.0, BINS + 1)
    shares = [np.histogram(each, edges)[0] / max(len(each), 1) for each in apart]
    return Histogram(edges, shares[0], shares[1])


def _distances(vectors: NDArray[np.float32], pairs: NDArray[np.int64]) -> Floats:
    difference = vectors[pairs[:, 0]] - vectors[pairs[:, 1]]
    distances: Floats = np.einsum("ij,ij->i", difference, difference).astype(np.float64)
    return distances
