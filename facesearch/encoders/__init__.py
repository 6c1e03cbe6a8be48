"""Encoders by name: what each is, where it comes from, and its thresholds. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facesearch.encoders.types import Encoder
from facesearch.errors import InputError
from facesearch.weights import PackagedFile

DEFAULT_ENCODER = "dlib-resnet-v1"


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder: dimension of its vectors, side of its chips in pixels, licence, origin.

    ``parameters`` counts its trained numbers, ``operations`` the multiply-adds of one face;
    ``alignment`` is "dlib" or "margin"; ``lfw`` says what it was measured to do on LFW.

    Thresholds are squared Euclidean distances between unit vectors, in [0, 4]; at or below them
    two faces count as one person. ``verification_threshold`` gives the best accuracy on as many
    same as different pairs; ``identification_threshold`` is stricter, for a probe is compared
    with a whole gallery; ``cluster_threshold`` cuts the average linkage of an album, where
    thousands of people want less. ``thresholds_from`` says on what they were
    chosen.
    """

    name: str
    dimension: int
    input_size: int
    parameters: int
    operations: int
    alignment: str
    licence: str
    source: str
    weights: PackagedFile
    lfw: str
    verification_threshold: float
    identification_threshold: float
    cluster_threshold: float
    thresholds_from: str


ENCODERS = {
    spec.name: spec
    for spec in (
        EncoderSpec(
            name="dlib-resnet-v1",
            dimension=128,
            input_size=150,
            parameters=5_607_488,
            operations=270_854_144,
            alignment="dlib",
            licence="CC0-1.0",
            source="dlib_face_recognition_resnet_model_v1.dat in face-recognition-models 0.3.0",
            weights=PackagedFile(
                distribution="face-recognition-models",
                path="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
                sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            ),
            lfw="see docs/performance.md",
            verification_threshold=0.183,
            identification_threshold=0.12,
            cluster_threshold=0.15,
            thresholds_from="LFW View 1: verification at the best accuracy of its 3,200 pairs, "
            "identification where one in 10,000 pairs of different people would be accepted; "
            "clusters as benchmarks/clustering.py chose for albums",
        ),
    )
}


def encoder_spec(name: str) -> EncoderSpec:
    """The encoder called ``name``; raises :class:`InputError` naming those there are."""
    if name not in ENCODERS:
        raise InputError(f"expected one of the encoders {', '.join(ENCODERS)}, got {name!r}")
    return ENCODERS[name]


def load_encoder(  # noqa: PLR0917 - a front door, called by names
    name: str = DEFAULT_ENCODER,
    weights: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    callers: int = 1,
) -> Encoder:
    """The encoder called ``name``, its weights read and checked.

    ``weights``: a file to take in place of the encoder's own; ``device``: "auto", "cpu" or "cuda";
    ``precision``: "fp32", "bf16", "fp16" (GPU), "int8" (CPU), or "auto" for the fastest that is
    as right as fp32; ``threads``: how many cores a call may use (None: all); ``callers``: how many
    threads will call at once. Raises :class:`InputError` for an unknown name or what cannot be
    had here, and :class:`facesearch.errors.WeightsError` when the model file is missing, damaged
    or not the pinned one.
    """
    # Imported here because a command may only ask for thresholds.
    from facesearch.encoders.backends import Placement  # noqa: PLC0415
    from facesearch.encoders.load import load  # noqa: PLC0415

    return load(name, weights, Placement(device, precision, threads, callers))
