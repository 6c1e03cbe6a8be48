"""Encoders by name, without importing torch before one is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from facesearch.encoders import DEFAULT_ENCODER, ENCODERS, encoder_spec, load_encoder
from facesearch.errors import InputError


def test_the_table_agrees_with_the_loaded_encoder() -> None:
    spec, encoder = encoder_spec(DEFAULT_ENCODER), load_encoder(threads=1)
    assert (spec.name, spec.dimension, spec.input_size) == (
        encoder.name,
        encoder.dimension,
        encoder.input_size,
    )
    assert len(encoder.weights_sha256) == 64


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_thresholds_are_squared_distances_stricter_for_identification(name: str) -> None:
    spec = encoder_spec(name)
    assert spec.name == name
    for each in (spec.flipped, spec.plain):
        assert 0 < each.identification <= each.verification < 4
        assert 0 < each.cluster <= each.verification
    # An average of two vectors varies less than one of them.
    assert spec.flipped.verification <= spec.plain.verification


def test_unknown_names_are_refused_naming_the_known() -> None:
    for call in (encoder_spec, load_encoder):
        with pytest.raises(InputError, match=rf"{DEFAULT_ENCODER}.*got 'facenet'"):
            call("facenet")


def test_asking_for_thresholds_imports_no_torch() -> None:
    code = (
        "import sys, facesearch.encoders as e; e.encoder_spec(e.DEFAULT_ENCODER);"
        "sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
