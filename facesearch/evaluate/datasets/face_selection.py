"""Which face of a photo is the one its label speaks of, when there are several."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections
from facesearch.errors import InputError

DEFAULT_RULE = "prominent"

# Standard deviation of a labelled face's centre from the photo's, in half diagonals.
_CENTRE_SPREAD = 0.25

Values = NDArray[np.float64]


def choose_face(
    detections: Detections, photo_size: tuple[int, int], rule: str = DEFAULT_RULE
) -> int | None:
    """The row of the face that the photo's label speaks of, None where there is no face.

    ``photo_size`` is width and height in the pixels that ``detections`` count in. ``rule`` is
    "central" (centre of the box nearest the photo's), "largest" (area of the box) or "prominent"
    (area times score, less the farther from the centre). Of equals the first, which has the best
    score. Raises :class:`InputError` for another rule.
    """
    if rule not in RULES:
        raise InputError(f"expected one of the rules {', '.join(RULES)}, got {rule!r}")
    if not len(detections):
        return None
    return int(np.argmax(RULES[rule](detections, photo_size)))


def _central(detections: Detections, photo_size: tuple[int, int]) -> Values:
    return -_offset(detections, photo_size)


def _largest(detections: Detections, photo_size: tuple[int, int]) -> Values:
    sides = np.maximum(detections.boxes[:, 2:] - detections.boxes[:, :2], 0).astype(np.float64)
    return np.asarray(sides.prod(axis=1))


def _prominent(detections: Detections, photo_size: tuple[int, int]) -> Values:
    centrality = np.exp(-0.5 * (_offset(detections, photo_size) / _CENTRE_SPREAD) ** 2)
    return _largest(detections, photo_size) * detections.scores * centrality


def _offset(detections: Detections, photo_size: tuple[int, int]) -> Values:
    """Distance float64 (n,) of each box's centre from the photo's, in half diagonals."""
    centres = (detections.boxes[:, :2] + detections.boxes[:, 2:]).astype(np.float64) / 2
    half = np.array(photo_size, np.float64) / 2
    return np.asarray(np.linalg.norm(centres - half, axis=1) / np.linalg.norm(half))


RULES: dict[str, Callable[[Detections, tuple[int, int]], Values]] = {
    "central": _central,
    "largest": _largest,
    "prominent": _prominent,
}
