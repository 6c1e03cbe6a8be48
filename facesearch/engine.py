"""Photos' pixels to faces: detector, aligner and encoder as one thing, batched across photos."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.argument_checks import instance
from facesearch.detect import DEFAULT_DETECTOR, create_detector
from facesearch.detect.types import Detections, Detector, Pixels
from facesearch.encoders import EncoderSpec, default_encoder, encoder_spec, load_encoder
from facesearch.encoders.backends import precision_of
from facesearch.encoders.ensemble import leading
from facesearch.encoders.flip_averaging import flip_averaged
from facesearch.encoders.types import FLIP, Aligner, Embeddings, Encoder, EncoderContract
from facesearch.quality import Qualities, measure, quality_model

DETECT_SIDE = 1024
# Photos are decoded somewhat larger than they are searched, so that chips of small faces keep
# detail, yet far below full size, so that JPEGs decode at reduced scale.
DECODE_SIDE = 1600
# What facenet-pytorch's evaluation on LFW takes, in pixels of a chip of 160.
FACENET_MARGIN, FACENET_SIDE = 14, 160


@dataclass(frozen=True)
class PhotoFaces:
    """The n faces of one photo, in the pixels of the array given to the engine."""

    detections: Detections
    embeddings: Embeddings
    qualities: Qualities

    def __len__(self) -> int:
        return len(self.detections)

    def only(self, kept: NDArray[np.bool_]) -> PhotoFaces:
        """The faces that ``kept`` (n,) marks."""
        found, made, rated = self.detections, self.embeddings, self.qualities
        return PhotoFaces(
            found.rows(kept),
            Embeddings(made.vectors[kept], made.norms[kept]),
            Qualities(rated.quality[kept], rated.sharpness[kept], rated.noise[kept]),
        )


class FaceEngine:
    """Finds, aligns and embeds faces. Thread-safe: each call works on its own photos."""

    def __init__(
        self,
        detector: Detector,
        aligner: Aligner,
        encoder: Encoder,
        detect_side: int = DETECT_SIDE,
        flip: bool = True,
    ) -> None:
        self.detector = detector
        self.aligner = aligner
        self.encoder = flip_averaged(encoder) if flip else encoder
        self.flip = flip
        self.detect_side = detect_side

    @property
    def contract(self) -> EncoderContract:
        """What the vectors of this engine share."""
        return EncoderContract(
            name=self.encoder.name,
            weights_sha256=self.encoder.weights_sha256,
            dimension=self.encoder.dimension,
            input_size=self.encoder.input_size,
            preprocessing=self.aligner.name + (FLIP if self.flip else ""),
            detector=self.detector.name,
            numerics=self.encoder.numerics,
        )

    @property
    def settings(self) -> dict[str, float]:
        """What decides which faces are found, and leaves vectors comparable."""
        detector = self.detector
        return {
            "min_face": detector.min_face,
            "min_score": detector.min_score,
            "detect_side": self.detect_side,
        }

    def faces(self, photos: Sequence[Pixels], *, in_tiles: bool = True) -> list[PhotoFaces]:
        """The faces of each photo, RGB uint8 (h, w, 3); one encoder batch for all of them.

        ``in_tiles`` is as in :func:`detect_faces`.
        """
        return self.embed(photos, self.detect(photos, in_tiles=in_tiles))

    def detect(self, photos: Sequence[Pixels], *, in_tiles: bool = True) -> list[Detections]:
        """The faces found in each photo, in the pixels of the arrays given."""
        return detect_faces(self.detector, photos, self.detect_side, in_tiles=in_tiles)

    def embed(self, photos: Sequence[Pixels], found: Sequence[Detections]) -> list[PhotoFaces]:
        """The faces of each photo at the detections given; one encoder batch for all of them."""
        if not photos:
            return []
        chips = [self.aligner.align(photo, each) for photo, each in zip(photos, found, strict=True)]
        joined = np.concatenate(chips)
        embedded = self.encoder.embed(joined)
        first, seen = leading(self.encoder, joined)
        model = quality_model(self.detector.name, first.name)
        qualities = measure(seen, found, embedded.norms, model)
        ends = np.cumsum([len(each) for each in found])
        return [
            PhotoFaces(
                each,
                Embeddings(embedded.vectors[start:end], embedded.norms[start:end]),
                qualities.rows(start, end),
            )
            for each, start, end in zip(found, [0, *ends], ends, strict=False)
        ]


def detect_faces(
    detector: Detector,
    photos: Sequence[Pixels],
    side: int = DETECT_SIDE,
    *,
    in_tiles: bool = True,
) -> list[Detections]:
    """Faces that a detector finds in photos RGB uint8 (h, w, 3) no longer than ``side`` pixels.

    Longer ones are reduced for it, wide ones cut into tiles (:mod:`facesearch.detect.tiles`), but
    not without ``in_tiles``: frames of wide films are no panoramas. Detections are in the pixels of
    the arrays given.
    """
    if not photos:
        return []
    from facesearch.detect import tiles  # noqa: PLC0415 - loads OpenCV
    from facesearch.detect.scaling import shrinking, shrunk  # noqa: PLC0415 - loads OpenCV

    wide = [in_tiles and tiles.is_wide(photo.shape[0], photo.shape[1], side) for photo in photos]
    plain = [photo for photo, is_wide in zip(photos, wide, strict=True) if not is_wide]
    scales = [shrinking(photo, side) for photo in plain]
    reduced = [shrunk(photo, scale) for photo, scale in zip(plain, scales, strict=True)]
    looked_at = zip(detector.detect(reduced) if reduced else [], scales, strict=True)
    found = (each.scaled(1 / scale) for each, scale in looked_at)
    return [
        tiles.detect_in_tiles(detector, photo, side) if is_wide else next(found)
        for photo, is_wide in zip(photos, wide, strict=True)
    ]


@dataclass(frozen=True)
class EncoderChoice:
    """Which encoder, and how it runs; see :func:`facesearch.encoders.load_encoder`.

    ``flip``: average each chip's vector with that of its mirror image, at twice the cost and for
    fewer errors (docs/performance.md).
    """

    name: str = field(default_factory=default_encoder)
    weights: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    flip: bool = True
    threads: int | None = None
    callers: int = 1

    @classmethod
    def of(cls, contract: EncoderContract) -> EncoderChoice:
        """The name, precision and flip that give vectors of ``contract``."""
        return cls(contract.name, precision=precision_of(contract.numerics), flip=contract.flip)


def create_engine(
    detector: str = DEFAULT_DETECTOR,
    encoder: EncoderChoice | str | None = None,
    *,
    min_face: int | None = None,
    min_score: float | None = None,
    turned: bool | None = None,
) -> FaceEngine:
    """The engine of named parts; ``detector`` is "yunet", "mtcnn" or the path of an ONNX file.

    ``encoder`` is a name, by default that of the best encoder whose files are here; how it runs is
    what :class:`facesearch.engine_options.EngineOptions` say, another way to make an engine.
    ``min_face`` is in pixels of a photo at most ``DETECT_SIDE`` long, the larger the faster.
    ``turned``: also find faces that do not stand upright; None does where the detector is YuNet.
    """
    if isinstance(encoder, str):
        encoder = EncoderChoice(encoder_spec(encoder).name)
    encoder = EncoderChoice() if encoder is None else encoder
    instance(encoder, EncoderChoice, "the name of an encoder as encoder")
    # Compiling a network leaves Python free for another, and for the kernels: the longest parts of
    # starting up.
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(
            load_encoder,
            encoder.name,
            encoder.weights,
            encoder.device,
            encoder.precision,
            encoder.threads,
            encoder.callers,
        )
        found_by = create_face_finder(
            detector,
            min_face=min_face,
            min_score=min_score,
            turned=turned,
            threads=encoder.threads,
            callers=encoder.callers,
        )
        aligned_by = create_aligner(encoder_spec(encoder.name))
        return FaceEngine(found_by, aligned_by, loading.result(), flip=encoder.flip)


def create_face_finder(
    detector: str = DEFAULT_DETECTOR,
    *,
    min_face: int | None = None,
    min_score: float | None = None,
    turned: bool | None = None,
    threads: int | None = None,
    callers: int = 1,
) -> Detector:
    """What finds the faces of an engine: a detector, also of turned faces where ``turned``."""
    found_by = create_detector(
        detector, min_face=min_face, min_score=min_score, threads=threads, callers=callers
    )
    if turned or (turned is None and found_by.name.startswith("yunet-")):
        from facesearch.detect.turned import TurningDetector  # noqa: PLC0415 - loads OpenCV

        return TurningDetector(found_by)
    return found_by


def create_aligner(spec: EncoderSpec) -> Aligner:
    """What cuts the chips of an encoder; its name says all that decides how they look."""
    if spec.ensemble is not None:
        from facesearch.align.ensemble import EnsembleAligner  # noqa: PLC0415 - as below

        return EnsembleAligner(
            create_aligner(spec.ensemble.first), create_aligner(spec.ensemble.second)
        )
    if spec.template is not None:
        from facesearch.align.five_points import FivePointAligner  # noqa: PLC0415 - loads OpenCV

        return FivePointAligner(spec.template, spec.input_size, _pixels_text(spec))
    from facesearch.align import DlibAligner, MarginAligner  # noqa: PLC0415 - compiles kernels

    if spec.alignment == "dlib":
        return DlibAligner()
    margin = FACENET_MARGIN * spec.input_size // FACENET_SIDE
    return MarginAligner(spec.input_size, margin, _pixels_text(spec))


def _pixels_text(spec: EncoderSpec) -> str:
    return f"+{spec.pixels}" if spec.pixels else ""
