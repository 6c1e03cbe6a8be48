"""The threshold of a gallery: the law that impostors follow, found without knowing who is who."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery
from cluster.impostor_threshold import (
    LEAST_VECTORS,
    ImpostorLaw,
    allowed_share,
    gallery_threshold,
    impostor_law,
)
from support.vectors import grouped_vectors, unit_vectors


@pytest.fixture(scope="module")
def made() -> MadeGallery:
    return MadeGallery(16_000, FaceModel.load(), seed=3)


@pytest.fixture(scope="module")
def faces(made: MadeGallery) -> np.ndarray:
    return np.concatenate([block.vectors for block in made.blocks()])


def test_the_law_is_that_of_pairs_whose_people_are_known(
    made: MadeGallery, faces: np.ndarray
) -> None:
    law = impostor_law(faces, 0.14)
    assert law is not None
    people = made.people(np.arange(len(made)))
    rows = np.arange(0, len(faces), 8)
    distances = 2 - 2 * faces[rows] @ faces.T
    impostors = distances[people[rows][:, None] != people]
    for distance in (0.12, 0.14, 0.18):
        true = float((impostors <= distance).mean())
        assert true / 2 < law.share_within(distance) < true * 2


def test_distance_and_share_are_inverse() -> None:
    law = ImpostorLaw(-1.1, 0.26)
    assert law.share_within(law.distance_of(1e-4)) == pytest.approx(1e-4)
    assert law.share_within(np.exp(-1.1)) == pytest.approx(0.5)


def test_more_vectors_are_allowed_less(faces: np.ndarray) -> None:
    shares = [allowed_share(count) for count in (2000, 20_000, 1_000_000)]
    assert shares[0] > shares[1] > shares[2] > 0
    few, many = gallery_threshold(faces[:4000], 0.14), gallery_threshold(faces, 0.14)
    assert few is not None and many is not None
    assert 0.1 < many < few <= 0.14


def test_nearer_impostors_give_a_stricter_threshold(faces: np.ndarray) -> None:
    centre = faces.mean(axis=0)
    alike = faces + 0.1 * centre
    alike = (alike / np.linalg.norm(alike, axis=1, keepdims=True)).astype(np.float32)
    nearer, usual = gallery_threshold(alike, 0.14), gallery_threshold(faces, 0.14)
    assert nearer is not None and usual is not None and nearer < usual


def test_it_is_never_looser_than_the_encoders() -> None:
    assert gallery_threshold(unit_vectors(3000, 64, seed=1), 0.14) == 0.14


def test_few_vectors_and_few_people_say_nothing() -> None:
    assert gallery_threshold(unit_vectors(LEAST_VECTORS - 1, 16, seed=0), 0.14) is None
    family, _ = grouped_vectors(10, 300, seed=2)
    assert gallery_threshold(family, 0.14) is None
    assert gallery_threshold(np.repeat(unit_vectors(1, 8, seed=0), 3000, axis=0), 0.14) is None
