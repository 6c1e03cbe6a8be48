"""Encoders: networks that turn face chips into unit vectors. Imports no torch."""

from facesearch.encoders.catalogue.added import (
    EncoderSettings,
    add_encoder,
    add_ensemble,
    remove_encoder,
)
from facesearch.encoders.catalogue.known import ENCODERS
from facesearch.encoders.catalogue.spec import EncoderSpec, PixelFormat, Thresholds
from facesearch.encoders.catalogue.templates import Template
from facesearch.encoders.registry import (
    DEFAULT_ENCODER,
    better_encoder,
    default_encoder,
    encoder_names,
    encoder_spec,
    load_encoder,
    thresholds_in_use,
    thresholds_of,
)

__all__ = [
    "DEFAULT_ENCODER",
    "ENCODERS",
    "EncoderSettings",
    "EncoderSpec",
    "PixelFormat",
    "Template",
    "Thresholds",
    "add_encoder",
    "add_ensemble",
    "better_encoder",
    "default_encoder",
    "encoder_names",
    "encoder_spec",
    "load_encoder",
    "remove_encoder",
    "thresholds_in_use",
    "thresholds_of",
]
