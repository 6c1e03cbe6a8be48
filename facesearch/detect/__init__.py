"""Face detectors. Importing this loads neither numba, OpenCV nor any weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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

DETECTORS = ("mtcnn",)
DEFAULT_DETECTOR = "mtcnn"


def detector_of(name: str) -> str:
    """The detector to create for a gallery whose contract names ``name``.

    Raises InputError where that came from a file, which only its owner can name.
    """
    for known in DETECTORS:
        if name.startswith(known):
            return known
    raise InputError(
        f"the gallery's faces were found by {name}, read from a file; name that file with "
        "--detector"
    )


def create_detector(
    name: str | Path = DEFAULT_DETECTOR, min_face: int | None = None, min_score: float | None = None
) -> Detector:
    """The detector called ``name``, or YuNet read from an ONNX file if ``name`` is its path.

    ``min_face`` (pixels) and ``min_score`` ([0, 1)) left None take that detector's own defaults.
    Raises InputError for a name that is neither, or a setting out of range; WeightsError for
    weights that cannot be used.
    """
    settings = {"min_face": min_face, "min_score": min_score}
    chosen: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
    if str(name) == "mtcnn":
        from facesearch.detect.mtcnn import MtcnnDetector  # noqa: PLC0415

        return MtcnnDetector(**chosen)
    if Path(name).suffix.lower() == ".onnx":
        from facesearch.detect.yunet import YuNetDetector  # noqa: PLC0415

        return YuNetDetector(Path(name), **chosen)
    raise InputError(
        f"expected the detector to be one of {', '.join(DETECTORS)} or the path of a YuNet "
        f".onnx file, got {str(name)!r}"
    )
