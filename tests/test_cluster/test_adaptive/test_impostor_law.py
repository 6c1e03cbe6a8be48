"""The law that impostors follow, found without knowing who is who."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery
from cluster.adaptive.impostor_law import (
    FULL_GROUP,
    LEAST_VECTORS,
    ImpostorLaw,
    impostor_law,
    size_factor,
    tail_law,
    with_resemblance,
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


def test_impostors_that_merged_count_as_if_they_had_not() -> None:
    vectors = unit_vectors(4000, 256, seed=1)
    distances = 2 - 2 * vectors @ vectors.T
    np.fill_diagonal(distances, 4)
    for share in (1e-5, 5e-5, 2e-4):
        cut = float(np.quantile(distances, share))
        _, groups = connected_components(csr_matrix(distances <= cut), directed=False)
        apart, merged = (
            tail_law(vectors, np.ones(4000), each, cut) for each in (np.arange(4000), groups)
        )
        assert apart is not None and merged is not None
        for law in (apart, merged):
            assert share / 1.4 < law.share_within(cut) < share * 1.4


def test_distance_and_share_are_inverse() -> None:
    law = ImpostorLaw(-1.1, 0.26)
    assert law.share_within(law.distance_of(1e-4)) == pytest.approx(1e-4)
    assert law.share_within(np.exp(-1.1)) == pytest.approx(0.5)


@given(st.floats(-6, 2), st.floats(-2, 0), st.sampled_from([1, 2, 3, 4, 50]), st.integers(1, 100))
def test_distance_and_z_are_inverse_and_resemblance_is_of_full_groups(
    z: float, resemblance: float, one: int, two: int
) -> None:
    law = ImpostorLaw(-1.1, 0.26, resemblance)
    assert law.z(law.distance(z, one, two), one, two) == pytest.approx(z)
    plain = ImpostorLaw(-1.1, 0.26).distance(z, one, two)
    if min(one, two) == 1:
        assert law.distance(z, one, two) == pytest.approx(plain)
    elif min(one, two) >= FULL_GROUP:
        wanted = plain * math.exp(0.26 * float(size_factor(one, two)) * resemblance)
        assert law.distance(z, one, two) == pytest.approx(wanted)
    else:
        assert law.distance(z, one, two) <= plain


def family_among_strangers(alike: float) -> tuple[np.ndarray, np.ndarray]:
    """40 people of 8 faces, so much more ``alike`` than 2,000 strangers, and their groups."""
    people, labels = grouped_vectors(40, 8, seed=3)
    people[:, 0] += np.float32(alike)
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    strangers = unit_vectors(2000, people.shape[1], seed=4)
    return np.concatenate([people, strangers]), np.concatenate([labels, 40 + np.arange(2000)])


def test_people_who_resemble_each_other_are_seen_among_strangers() -> None:
    found = []
    for alike in (0.0, 0.3, 0.6):
        vectors, labels = family_among_strangers(alike)
        law = impostor_law(vectors, 0.5)
        assert law is not None
        learnt = with_resemblance(law, vectors, np.ones(len(vectors)), labels, labels)
        assert (learnt.mean, learnt.deviation) == (law.mean, law.deviation)
        assert learnt.resemblance <= 0
        found.append(learnt.resemblance)
        if not alike:
            continue
        # By the law of full groups, as many of their pairs are near as the normal law says.
        means = np.stack([vectors[labels == person].mean(axis=0) for person in range(40)])
        distances = 2 - 2 * (means @ means.T)[np.triu_indices(40, 1)]
        share = float((learnt.z(distances, 8, 8) < -1.6).mean())
        assert 0.02 < share < 0.12
    assert found[0] > found[1] > found[2]


def test_sure_parts_of_one_person_do_not_count_as_two_people() -> None:
    vectors, labels = family_among_strangers(0.3)
    law = impostor_law(vectors, 0.5)
    assert law is not None
    halves = np.where(labels < 40, 2 * labels + np.arange(len(labels)) % 2, labels + 40)
    whole, parts = (
        with_resemblance(law, vectors, np.ones(len(vectors)), sure, labels)
        for sure in (labels, halves)
    )
    assert parts.resemblance == pytest.approx(whole.resemblance, abs=0.4)


def test_without_full_groups_there_is_no_resemblance() -> None:
    vectors = unit_vectors(300, 32, seed=5)
    law = ImpostorLaw(0.6, 0.2, -1.0)
    for groups in (np.arange(300), np.zeros(300, np.int64)):
        assert with_resemblance(law, vectors, np.ones(300), groups, groups).resemblance == 0


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
