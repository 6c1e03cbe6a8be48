"""Encoders by name, without importing torch before one is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from facesearch.encoders import DEFAULT_ENCODER, ENCODERS, encoder_spec, load_encoder
from facesearch.errors import InputError


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_the_table_agrees_with_the_loaded_encoder(name: str) -> None:
    spec, encoder = encoder_spec(name), load_encoder(name, threads=1)
    assert (spec.name, spec.dimension, spec.input_size) == (
        encoder.name,
        encoder.dimension,
        encoder.input_size,
    )
    assert 0 < spec.identification_threshold <= spec.verification_threshold < 4
    assert len(encoder.weights_sha256) == 64


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
