"""Chips for two encoders at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections, Pixels
from facesearch.encoders.ensemble import joined_chips
from facesearch.encoders.types import Aligner


class EnsembleAligner:
    """Cuts each face's chip as two aligners do; ``name`` names both, ``size`` is the larger."""

    def __init__(self, first: Aligner, second: Aligner) -> None:
        self.name = f"{first.name} and {second.name}"
        self.size = max(first.size, second.size)
        self._first, self._second = first, second

    def align(self, photo: Pixels, detections: Detections) -> NDArray[np.uint8]:
        """Joined chips uint8 (n, size, size, 6) of ``photo``, RGB uint8 (height, width, 3).

        See :func:`facesearch.encoders.ensemble.joined_chips`. Raises what the aligners raise.
        """
        first, second = (each.align(photo, detections) for each in (self._first, self._second))
        return joined_chips(first, second)
