"""Encoders by name: what each is, where it comes from, and its thresholds. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facesearch.encoders.types import Encoder, EncoderContract
from facesearch.errors import InputError
from facesearch.model_files.download import DownloadedFile
from facesearch.model_files.packaged import PackagedFile

DEFAULT_ENCODER = "dlib-resnet-v1"


@dataclass(frozen=True)
class Thresholds:
    """Squared Euclidean distances between unit vectors, in [0, 4]: at or below, one person.

    ``verification`` gives the best accuracy on as many same as different pairs;
    ``identification`` is stricter, for a probe is compared with a whole gallery; ``cluster`` cuts
    the average linkage of an album, where thousands of people want less. ``chosen_on`` says on
    what they were chosen.
    """

    verification: float
    identification: float
    cluster: float
    chosen_on: str


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder: dimension of its vectors, side of its chips in pixels, licence, origin.

    ``parameters`` counts its trained numbers, ``operations`` the multiply-adds of one face;
    ``alignment`` is "dlib" or "margin"; ``lfw`` says what it was measured to do on LFW.

    ``flipped`` are the thresholds of vectors that are averaged with the mirror image's, which lie
    nearer to each other than the ``plain`` ones.
    """

    name: str
    dimension: int
    input_size: int
    parameters: int
    operations: int
    alignment: str
    licence: str
    source: str
    weights: PackagedFile | DownloadedFile
    lfw: str
    flipped: Thresholds
    plain: Thresholds

    def thresholds(self, flip: bool) -> Thresholds:
        """Those of vectors with or without flip averaging."""
        return self.flipped if flip else self.plain


_FACENET_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"


def _facenet(name: str, weights: DownloadedFile, trained_on: str) -> EncoderSpec:
    """An Inception-ResNet-v1 of facenet-pytorch; the thresholds are the FaceNet paper's."""
    unmeasured = Thresholds(
        verification=1.1,
        identification=0.8,
        cluster=0.9,
        chosen_on="nothing here: verification is the FaceNet paper's 1.1 (figure 1), the others "
        "are stricter by guess; choose yours with --threshold",
    )
    return EncoderSpec(
        name=name,
        dimension=512,
        input_size=160,
        parameters=23_482_624,
        operations=1_417_662_304,
        alignment="margin",
        licence=f"MIT; trained on {trained_on}, which is for research only",
        source=f"{weights.name} of facenet-pytorch v2.2.9",
        weights=weights,
        lfw="not measured: the weights could not be fetched where LFW was",
        flipped=unmeasured,
        plain=unmeasured,
    )


_ON_VIEW_1 = (
    "LFW View 1: verification at the best accuracy of its 3,200 pairs, identification where one in "
    "10,000 pairs of different people would be accepted; clusters as "
    "benchmarks/clustering/quality.py chose for albums"
)

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
            lfw="View 2: 99.05 +- 0.10 %, TAR 0.975 at FAR 0.001 (int8, flip; docs/performance.md)",
            flipped=Thresholds(0.172, 0.115, 0.14, _ON_VIEW_1),
            plain=Thresholds(0.183, 0.12, 0.15, _ON_VIEW_1),
        ),
        _facenet(
            "facenet-vggface2",
            DownloadedFile(
                name="20180402-114759-vggface2.pt",
                url=_FACENET_RELEASE + "20180402-114759-vggface2.pt",
                sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
                size=111_898_327,
            ),
            "VGGFace2",
        ),
        _facenet(
            "facenet-casia-webface",
            DownloadedFile(
                name="20180408-102900-casia-webface.pt",
                url=_FACENET_RELEASE + "20180408-102900-casia-webface.pt",
            ),
            "CASIA-WebFace",
        ),
    )
}


def encoder_spec(name: str) -> EncoderSpec:
    """The encoder called ``name``; raises :class:`InputError` naming those there are."""
    if name not in ENCODERS:
        raise InputError(f"expected one of the encoders {', '.join(ENCODERS)}, got {name!r}")
    return ENCODERS[name]


def thresholds_of(contract: EncoderContract) -> Thresholds:
    """The thresholds of vectors of ``contract``; raises :class:`InputError` as encoder_spec."""
    return encoder_spec(contract.name).thresholds(contract.flip)


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
    ``precision``: "fp32", "bf16", "fp16" (GPU), "int8" (CPU), or "auto" for int8 where it was found
    as right as fp32, else fp32; ``threads``: how many cores a call may use (None: all);
    ``callers``: how many threads will call at once. Raises :class:`InputError` for an unknown name
    or what cannot be had here, and :class:`facesearch.errors.WeightsError` when the model file is
    missing, damaged or not the pinned one.
    """
    # Imported here because a command may only ask for thresholds.
    from facesearch.encoders.backends import Placement  # noqa: PLC0415
    from facesearch.encoders.load import load  # noqa: PLC0415

    return load(encoder_spec(name), weights, Placement(device, precision, threads, callers))
