"""Galleries of real and made faces, of many kinds: people of few photos, of many, and strangers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import Labels
from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery

Vectors = NDArray[np.float32]
Labelled = tuple[Vectors, Labels]

SEED = 0
_MADE_SEED = 77
_PHOTOS_OF_SOME = 30  # of the few people who have many


def part(faces: Labelled, rows: NDArray[np.integer]) -> Labelled:
    """The faces of ``rows``, people numbered without gaps."""
    vectors, truth = faces
    return vectors[rows], np.unique(truth[rows], return_inverse=True)[1]


def joined(*sets: Labelled) -> Labelled:
    """Sets of different people as one."""
    truth, above = [], 0
    for _, labels in sets:
        truth.append(labels + above)
        above += int(labels.max()) + 1
    return np.concatenate([vectors for vectors, _ in sets]), np.concatenate(truth)


def halves(faces: Labelled) -> tuple[Labelled, Labelled]:
    """All faces of each half of the people, drawn at random."""
    first = np.random.default_rng(SEED).random(int(faces[1].max()) + 1) < 0.5
    return part(faces, np.flatnonzero(first[faces[1]])), part(
        faces, np.flatnonzero(~first[faces[1]])
    )


def singles(faces: Labelled, count: int, seed: int = SEED) -> Labelled:
    """One photo each of ``count`` people."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(faces[1]))
    _, first = np.unique(faces[1][order], return_index=True)
    return part(faces, np.sort(order[rng.permutation(first)[:count]]))


def few_among_strangers(faces: Labelled, people: int, strangers: int) -> Labelled:
    """Up to 30 photos each of ``people`` of many, and one each of ``strangers``."""
    rng = np.random.default_rng(SEED)
    sizes = np.bincount(faces[1])
    many = rng.permutation(np.flatnonzero(sizes >= _PHOTOS_OF_SOME // 2))[:people]
    others = rng.permutation(np.setdiff1d(np.arange(len(sizes)), many))[:strangers]
    rows = [np.flatnonzero(faces[1] == person)[:_PHOTOS_OF_SOME] for person in many]
    rows += [rng.choice(np.flatnonzero(faces[1] == person), 1) for person in others]
    return part(faces, np.sort(np.concatenate(rows)))


def made_faces(count: int, seed: int = _MADE_SEED) -> Labelled:
    """A made gallery (``benchmarks/common/made_galleries.py``)."""
    gallery = MadeGallery(count, FaceModel.load(), seed=seed)
    vectors = np.concatenate([block.vectors for block in gallery.blocks()])
    return vectors, gallery.people(np.arange(count))


def real_galleries(
    lfw: Labelled, album: Labelled, many: Labelled
) -> Iterator[tuple[str, Labelled]]:
    """What there is of real faces, and mixtures of it, the smaller first."""
    yield "10 people among 490 strangers", few_among_strangers(lfw, 10, 490)
    yield "album", album
    yield "many", many
    yield "album and many", joined(album, many)
    yield "album among 2,000 strangers", joined(album, singles(lfw, 2000))
    yield "30 people among 3,000 strangers", few_among_strangers(lfw, 30, 3000)
    one, two = halves(lfw)
    yield "LFW, a half", one
    yield "LFW, the other half", two
    yield "LFW", lfw
    yield "LFW, album and many", joined(lfw, album, many)
