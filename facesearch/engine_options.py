"""Which engine to make: as asked, and for the rest as a gallery has it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facesearch.argument_checks import instance, number, whole_number
from indexer.runtime.cores import available_cores

if TYPE_CHECKING:
    from facesearch.encoders.types import EncoderContract
    from facesearch.engine import EncoderChoice, FaceEngine


@dataclass(frozen=True)
class EngineOptions:
    """How faces are found and embedded; what is None is as in the gallery, else the default.

    ``detector`` is "yunet", "mtcnn" or the path of an ONNX file. ``min_face`` is in pixels of a
    photo at most 1024 pixels long, the larger the faster; ``min_score`` in [0, 1]. ``encoder`` is a
    name of :func:`facesearch.encoders.encoder_names`; ``weights`` a file in place of its own.
    ``device`` is "auto", "cpu" or "cuda", ``precision`` "auto", "fp32", "bf16", "fp16" or "int8".
    ``flip`` averages each face with its mirror image; ``turned`` also finds faces that do not stand
    upright.
    """

    detector: str | os.PathLike[str] | None = None
    min_face: int | None = None
    min_score: float | None = None
    encoder: str | None = None
    weights: str | os.PathLike[str] | None = None
    device: str = "auto"
    precision: str | None = None
    flip: bool | None = None
    turned: bool | None = None

    def __post_init__(self) -> None:
        for name in ("detector", "weights"):
            instance(getattr(self, name), str | os.PathLike | None, f"a name or path as {name}")
        for name in ("encoder", "precision"):
            instance(getattr(self, name), str | None, f"a name as {name}")
        instance(self.device, str, "a name as device")
        if self.min_face is not None:
            whole_number(self.min_face, "min_face in pixels", 1)
        if self.min_score is not None:
            number(self.min_score, "min_score", 0, 1)

    def encoder_choice(
        self,
        contract: EncoderContract | None = None,
        *,
        threads: int | None = None,
        callers: int = 1,
    ) -> EncoderChoice:
        """The encoder that is asked for, for the rest that of ``contract``."""
        from facesearch.engine import EncoderChoice  # noqa: PLC0415 - loads networks

        base = EncoderChoice.of(contract) if contract else EncoderChoice()
        if self.encoder not in (None, base.name):
            # Numbers that suit one encoder may not be had of another.
            base = EncoderChoice(flip=base.flip)
        return EncoderChoice(
            name=base.name if self.encoder is None else self.encoder,
            weights=None if self.weights is None else Path(self.weights),
            device=self.device,
            precision=base.precision if self.precision is None else self.precision,
            flip=base.flip if self.flip is None else self.flip,
            threads=threads,
            callers=callers,
        )

    def create(self, contract: EncoderContract | None = None, *, callers: int = 1) -> FaceEngine:
        """The engine, for vectors that can be compared with those of ``contract``.

        ``callers`` threads will use it at once: none of several fans out, and OpenCV's threads are
        set so for the whole process. Raises InputError for what there is not, WeightsError for
        model files that cannot be used.
        """
        import cv2  # noqa: PLC0415 - slow to import

        from facesearch.detect import DEFAULT_DETECTOR, detector_of  # noqa: PLC0415
        from facesearch.engine import create_engine  # noqa: PLC0415 - loads networks

        detector = self.detector
        if detector is None:
            detector = detector_of(contract.detector) if contract else DEFAULT_DETECTOR
        threads = 1 if callers > 1 else available_cores()
        cv2.setNumThreads(threads)
        choice = self.encoder_choice(contract, threads=threads, callers=callers)
        return create_engine(
            str(detector),
            choice,
            min_face=self.min_face,
            min_score=self.min_score,
            turned=self.turned,
        )


DEFAULT_ENGINE = EngineOptions()  # of a gallery that there is, its own engine
