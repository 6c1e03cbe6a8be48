"""Face detectors. Importing this loads neither numba, OpenCV nor any weights."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from facesearch.argument_checks import path_of
from facesearch.detect.types import Detections, Detector, Pixels
from facesearch.errors import InputError

__all__ = [
    "DEFAULT_DETECTOR",
    "DETECTORS",
    "Detections",
    "Detector",
    "Pixels",
    "create_detector",
    "detector_of",
]

logger = logging.getLogger(__name__)

DETECTORS = ("yunet", "mtcnn")
DEFAULT_DETECTOR = "yunet"


def detector_of(name: str) -> str:
    """The detector to create for a gallery whose contract names ``name``.

    Raises InputError where that came from a file, which only its owner can name.
    """
    from facesearch.detect.yunet.weights import NAME as YUNET  # noqa: PLC0415

    if name == YUNET:
        return "yunet"
    if name.startswith("mtcnn-"):
        return "mtcnn"
    raise InputError(
        f"the gallery's faces were found by {name}, read from a file; name that file with "
        "--detector"
    )


def create_detector(
    name: str | Path = DEFAULT_DETECTOR,
    min_face: int | None = None,
    min_score: float | None = None,
    *,
    threads: int | None = None,
    callers: int = 1,
) -> Detector:
    """The detector called ``name``, or the YuNet or SCRFD of an ONNX file if ``name`` is its path.

    ``min_face`` (pixels) and ``min_score`` ([0, 1)) left None take that detector's own defaults.
    ``callers`` threads may call at once, each on ``threads`` cores (None: a fair share). Where the
    package that carries YuNet's weights is not installed, MTCNN stands in, which is logged. Raises
    InputError for a name that is neither, or a setting out of range; WeightsError for weights that
    cannot be used.
    """
    path_of(name, "detector's name, or the path of an ONNX file")
    settings = {"min_face": min_face, "min_score": min_score}
    chosen: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
    placed: dict[str, Any] = {"threads": threads, "callers": callers}
    if str(name) == "yunet" and _has_yunet():
        from facesearch.detect.yunet.detector import YuNetDetector  # noqa: PLC0415

        return YuNetDetector(**chosen, **placed)
    if str(name) in DETECTORS:
        from facesearch.detect.mtcnn import MtcnnDetector  # noqa: PLC0415

        return MtcnnDetector(**chosen)
    if Path(name).suffix.lower() == ".onnx":
        return _read(Path(name), chosen, placed)
    raise InputError(
        f"expected the detector to be one of {', '.join(DETECTORS)} or the path of a YuNet or "
        f"SCRFD .onnx file, got {str(name)!r}"
    )


def _has_yunet() -> bool:
    """Whether YuNet can be had; says what stands in where it cannot."""
    from facesearch.detect.yunet.weights import PACKAGE, has_weights  # noqa: PLC0415

    if not has_weights():
        logger.warning(
            "faces are found by MTCNN: the package %r, which carries YuNet's weights, is not "
            "installed here; YuNet finds more faces in less time",
            PACKAGE,
        )
    return has_weights()


def _read(path: Path, chosen: dict[str, Any], placed: dict[str, Any]) -> Detector:
    from facesearch.detect.scrfd import ScrfdDetector, is_scrfd  # noqa: PLC0415

    if path.exists() and is_scrfd(path):
        return ScrfdDetector(path, **chosen, **placed)
    from facesearch.detect.yunet.opencv_detector import OpenCvYuNetDetector  # noqa: PLC0415

    return OpenCvYuNetDetector(path, **chosen)
