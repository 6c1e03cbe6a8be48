"""The law that impostors follow, found without knowing who is who."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery
from cluster.adaptive.impostor_law import (
    LEAST_VECTORS,
    ImpostorLaw,
    impostor_law,
    size_factor,
    tail_law,
)
from support.vectors import grouped_vectors, unit_vectors


@pytest.fixture(scope="module")
def made() -> MadeGallery:
    return MadeGallery(16_000, FaceModel.load(), seed=3)


@pytest.fixture(scope="module")
def faces(made: MadeGallery) -> np.ndarray:
    return np.concatenate([block.vectors for block in made.blocks()])


@pytest.fixture(scope="module")
def impostors(made: MadeGallery, faces: np.ndarray) -> np.ndarray:
    people = made.people(np.arange(len(made)))
    rows = np.arange(0, len(faces), 8)
    distances = 2 - 2 * faces[rows] @ faces.T
    return distances[people[rows][:, None] != people]


def test_the_law_is_that_of_pairs_whose_people_are_known(
    faces: np.ndarray, impostors: np.ndarray
) -> None:
    law = impostor_law(faces, 0.14)
    assert law is not None
    for distance in (0.12, 0.14, 0.18):
        true = float((impostors <= distance).mean())
        assert true / 2 < law.share_within(distance) < true * 2


def test_the_tail_is_that_of_pairs_of_two_people(
    made: MadeGallery, faces: np.ndarray, impostors: np.ndarray
) -> None:
    people = made.people(np.arange(len(made)))
    law = tail_law(faces, np.ones(len(faces)), people, 0.11)
    assert law is not None
    for distance in (0.11, 0.13, 0.16):
        true = float((impostors <= distance).mean())
        assert true / 1.4 < law.share_within(distance) < true * 1.4


def test_a_heavier_tail_is_seen_where_the_bulk_does_not_show_it() -> None:
    rng = np.random.default_rng(0)
    vectors = unit_vectors(4000, 256, seed=1)
    common = unit_vectors(1, 256, seed=9)  # which some have much of
    vectors += (0.3 * rng.exponential(1, 4000)[:, None] * common).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 2 - 2 * vectors @ vectors.T
    distance = float(np.quantile(distances[np.triu_indices(4000, 1)], 3e-4))
    bulk = impostor_law(vectors, 0.3)
    tail = tail_law(vectors, np.ones(4000), np.arange(4000), distance)
    assert bulk is not None and tail is not None
    assert bulk.share_within(distance) < 3e-5
    assert 1.5e-4 < tail.share_within(distance) < 6e-4


def test_distance_and_share_are_inverse() -> None:
    law = ImpostorLaw(-1.1, 0.26)
    assert law.share_within(law.distance_of(1e-4)) == pytest.approx(1e-4)
    assert law.share_within(np.exp(-1.1)) == pytest.approx(0.5)


def test_few_vectors_and_few_people_say_nothing() -> None:
    assert impostor_law(unit_vectors(LEAST_VECTORS - 1, 16, seed=0), 0.14) is None
    family, _ = grouped_vectors(3, 300, seed=2)
    assert impostor_law(family, 0.5) is None
    one = np.repeat(unit_vectors(1, 8, seed=0), 3000, axis=0)
    assert impostor_law(one, 0.14) is None
    assert tail_law(one, np.ones(3000), np.zeros(3000, np.int32), 0.1) is None


def test_weights_scale_distances(faces: np.ndarray) -> None:
    plain, scaled = impostor_law(faces, 0.14), impostor_law(faces, 0.14, np.full(len(faces), 1.1))
    assert plain is not None and scaled is not None
    assert scaled.mean == pytest.approx(plain.mean + 2 * math.log(1.1), abs=0.02)
    assert scaled.deviation == pytest.approx(plain.deviation, rel=0.05)


def test_larger_groups_vary_less_and_single_ones_as_the_law_says() -> None:
    assert size_factor(1, 1) == pytest.approx(1)
    sizes = np.array([1.0, 2, 8, 48])
    factors = size_factor(sizes, sizes)
    assert (np.diff(factors) < 0).all()
    assert size_factor(3, 20) == pytest.approx(size_factor(20, 3))
