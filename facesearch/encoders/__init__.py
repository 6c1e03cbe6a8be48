"""Encoders: networks that turn face chips into unit vectors. Imports no torch."""

from facesearch.encoders.registry import (
    DEFAULT_ENCODER,
    ENCODERS,
    EncoderSpec,
    Thresholds,
    encoder_spec,
    load_encoder,
    thresholds_of,
)

__all__ = [
    "DEFAULT_ENCODER",
    "ENCODERS",
    "EncoderSpec",
    "Thresholds",
    "encoder_spec",
    "load_encoder",
    "thresholds_of",
]
