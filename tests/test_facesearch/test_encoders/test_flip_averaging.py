"""Flip averaging: what it must do with any encoder, and that the real one's mirror differs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesearch.encoders.flip_averaging import FlipAveraged
from facesearch.errors import InputError
from support.oracles.projecting_encoder import ProjectingEncoder, random_chips

SIDE, DIMENSION = 6, 5


def plain_encoder() -> ProjectingEncoder:
    return ProjectingEncoder(SIDE, DIMENSION)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 7), seed=st.integers(0, 2**32 - 1))
def test_a_chip_and_its_mirror_image_get_the_same_unit_vector(count: int, seed: int) -> None:
    chips = random_chips(count, SIDE, seed)
    encoder = FlipAveraged(plain_encoder())
    straight = encoder.embed(chips)
    mirrored = encoder.embed(np.ascontiguousarray(chips[:, :, ::-1]))
    np.testing.assert_allclose(mirrored.vectors, straight.vectors, atol=1e-6)
    np.testing.assert_allclose(mirrored.norms, straight.norms, rtol=1e-6)
    assert straight.vectors.shape == (count, DIMENSION)
    assert straight.vectors.dtype == straight.norms.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(straight.vectors, axis=1), 1, atol=1e-6)


def test_vectors_are_as_far_from_the_chip_as_from_its_mirror_image() -> None:
    chips, plain = random_chips(20, SIDE), plain_encoder()
    average = FlipAveraged(plain).embed(chips)
    for row, (chip, vector, norm) in enumerate(
        zip(chips, average.vectors, average.norms, strict=True)
    ):
        two = [plain.embed(each[None]) for each in (chip, chip[:, ::-1].copy())]
        first, second = (each.vectors[0] for each in two)
        assert not np.allclose(first, second, atol=1e-3)
        expected = (first.astype(np.float64) + second) / np.linalg.norm(first + second)
        np.testing.assert_allclose(vector, expected, atol=1e-5, err_msg=f"chip {row}")
        assert norm == pytest.approx((two[0].norms[0] + two[1].norms[0]) / 2)


def test_a_symmetric_chip_keeps_its_vector() -> None:
    chips = random_chips(4, SIDE)
    chips[:, :, SIDE // 2 :] = chips[:, :, : SIDE // 2][:, :, ::-1]
    plain = plain_encoder()
    np.testing.assert_allclose(
        FlipAveraged(plain).embed(chips).vectors, plain.embed(chips).vectors, atol=1e-6
    )


def test_a_chip_that_excites_nothing_stays_zero() -> None:
    black = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    embedded = FlipAveraged(plain_encoder()).embed(black)
    assert not embedded.vectors.any()
    assert not embedded.norms.any()


def test_it_is_the_encoder_in_everything_else_and_leaves_the_chips_alone() -> None:
    plain, chips = plain_encoder(), random_chips(3, SIDE)
    encoder, before = FlipAveraged(plain), chips.copy()
    encoder.embed(chips)
    np.testing.assert_array_equal(chips, before)
    for field in ("name", "weights_sha256", "dimension", "input_size", "numerics"):
        assert getattr(encoder, field) == getattr(plain, field)


def test_chips_that_the_encoder_refuses_are_refused() -> None:
    with pytest.raises(InputError, match="expected chips of side"):
        FlipAveraged(plain_encoder()).embed(np.zeros((1, SIDE, SIDE + 1, 3), np.uint8))


def test_photos_of_one_person_get_nearer_with_the_real_encoder() -> None:
    root = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw" / "images"
    folders = sorted(folder for folder in root.glob("*") if len(list(folder.iterdir())) >= 4)[:5]
    if not folders:
        pytest.skip(f"no photos of LFW at {root}; set FACESEARCH_TEST_DATA")
    import cv2

    from facesearch.encoders import load_encoder

    # The middle of an LFW photo is a face, roughly placed: enough for this.
    chips = np.stack(
        [
            cv2.resize(cv2.imread(str(photo))[55:195, 55:195, ::-1], (150, 150))
            for folder in folders
            for photo in sorted(folder.iterdir())[:4]
        ]
    )
    plain = load_encoder("dlib-resnet-v1", threads=1)
    average = FlipAveraged(plain)

    def mean_distance_within(vectors: NDArray[np.float32]) -> float:
        people = vectors.reshape(len(folders), 4, -1)
        return float(np.mean(2 - 2 * np.einsum("pid,pjd->pij", people, people)))

    before, after = (mean_distance_within(each.embed(chips).vectors) for each in (plain, average))
    assert after < before
