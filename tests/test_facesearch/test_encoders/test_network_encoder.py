"""Vectors are of unit length or there is an error, whatever numbers a network gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesearch.encoders.backends import Loaded
from facesearch.encoders.network_encoder import NetworkEncoder
from facesearch.errors import WeightsError

CHIPS = np.zeros((1, 8, 8, 3), np.uint8)


@dataclass(frozen=True)
class SmallNetwork:
    """Facts of a network that is not there."""

    side: int = 8
    dimension: int = 4


def encoder_giving(row: list[float]) -> NetworkEncoder:
    def backend(chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.array(row, np.float32), (len(chips), 1))

    return NetworkEncoder("made", "ab" * 32, SmallNetwork(), Loaded(backend, "fp32", 2))


@given(st.lists(st.floats(-(2.0**126), 2.0**126, width=32), min_size=4, max_size=4))
def test_vectors_are_of_unit_length(row: list[float]) -> None:
    made = encoder_giving(row).embed(CHIPS)
    length = np.linalg.norm(np.array(row, np.float32).astype(np.float64))
    if length > 1e-15:  # squares that are not zero in float32
        np.testing.assert_allclose(np.linalg.norm(made.vectors[0].astype(float)), 1, atol=1e-3)
        np.testing.assert_allclose(made.norms[0], length, rtol=1e-3)
    assert np.isfinite(made.vectors).all() and np.isfinite(made.norms).all()
    assert made.vectors.dtype == made.norms.dtype == np.float32


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_the_weights_fault(number: float) -> None:
    with pytest.raises(WeightsError, match=r"made gives numbers .* use another file"):
        encoder_giving([1.0, 2.0, number, 0.0]).embed(CHIPS)
