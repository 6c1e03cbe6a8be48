"""What an encoder is to the rest of the engine, and the contract its vectors carry."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections, Pixels

# Ends the name of the preprocessing where chips are averaged with their mirror images.
FLIP = "+flip"


@dataclass(frozen=True)
class EncoderContract:
    """Everything that two vectors must share for their distance to mean something.

    ``input_size`` is the side of the square chip in pixels; ``preprocessing`` names alignment and
    whether chips are averaged with their mirror images; ``detector`` names the detector whose boxes
    the alignment was fitted to; ``numerics`` are those of the inference: "fp32", "bf16", "fp16" or
    "int8-" and the digest of its ranges; those of an ensemble's two encoders with "+" between them
    where they differ. Contracts from before there was a choice have none: fp32.
    """

    name: str
    weights_sha256: str
    dimension: int
    input_size: int
    preprocessing: str
    detector: str
    numerics: str = "fp32"

    @property
    def flip(self) -> bool:
        """Whether vectors are means of a chip's and its mirror image's."""
        return self.preprocessing.endswith(FLIP)

    def check(self) -> None:
        """Raise ValueError unless every field has its type (a contract may come from a file)."""
        for field in dataclasses.fields(self):
            value, expected = getattr(self, field.name), {"str": str, "int": int}[str(field.type)]
            if type(value) is not expected:
                raise ValueError(
                    f"expected {field.name} to be of type {expected.__name__}, got {value!r}"
                )

    def differences(self, other: EncoderContract) -> list[str]:
        """One line for each field that differs, naming both values; empty when they agree."""
        return [
            f"{field.name}: {getattr(self, field.name)!r} against {getattr(other, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        ]


@dataclass(frozen=True)
class Embeddings:
    """``vectors`` float32 (n, d) of unit length; ``norms`` float32 (n,), before normalising."""

    vectors: NDArray[np.float32]
    norms: NDArray[np.float32]


class Aligner(Protocol):
    """Cuts the square chip an encoder expects out of a photo. ``name`` goes in the contract."""

    name: str
    size: int

    def align(self, photo: Pixels, detections: Detections) -> NDArray[np.uint8]:
        """Chips uint8 RGB (n, size, size, 3), one for each detection of ``photo``.

        Those of an ensemble have six channels (:mod:`facesearch.encoders.ensemble`).
        """
        ...


class Encoder(Protocol):
    """Turns chips into unit vectors."""

    name: str
    weights_sha256: str
    dimension: int
    input_size: int
    numerics: str

    def embed(self, chips: NDArray[np.uint8]) -> Embeddings:
        """Embeddings of chips as the encoder's aligner cuts them."""
        ...
