"""A detector's network for photos of any size: padded to few shapes, compiled for the common ones.

A model that takes any size runs at two thirds of the speed of one that was compiled for the size.
Photos of an album have few sizes, so that those seen often get a model of their own; the answers
are the same.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from facesearch.detect.types import Pixels
from facesearch.model_files.compiled_model import CompiledModel

_MULTIPLE = 64  # of pixels that sides are padded to; networks halve five times
_OFTEN = 16  # photos of a shape, after which compiling for it will pay
_MOST_SHAPES = 8  # compiled at once, each with memory of its own


class PaddedNetwork:
    """``build(height, width)`` gives the model of RGB uint8 (1, height, width, 3), -1 for any.

    ``callers`` threads may call at once, each on ``threads`` cores (None: a fair share of all).
    """

    def __init__(
        self, build: Callable[[int, int], Any], threads: int | None = None, callers: int = 1
    ) -> None:
        self._build = build
        self._placed = (fastest_precision(), threads, callers)
        self._any = CompiledModel(build(-1, -1), *self._placed)
        self._shapes: OrderedDict[tuple[int, int], CompiledModel] = OrderedDict()
        self._seen: Counter[tuple[int, int]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, photo: Pixels) -> list[NDArray[np.float32]]:
        """The model's outputs for one photo RGB uint8 (h, w, 3), black where it was padded."""
        height, width = (padded(side) for side in photo.shape[:2])
        pixels = np.zeros((1, height, width, 3), np.uint8)
        pixels[0, : photo.shape[0], : photo.shape[1]] = photo
        return self._model((height, width))(pixels)

    def _model(self, shape: tuple[int, int]) -> CompiledModel:
        with self._lock:
            if shape in self._shapes:
                self._shapes.move_to_end(shape)
                return self._shapes[shape]
            self._seen[shape] += 1
            if self._seen[shape] < _OFTEN:
                return self._any
            self._shapes[shape] = CompiledModel(self._build(*shape), *self._placed)
            if len(self._shapes) > _MOST_SHAPES:
                self._seen[self._shapes.popitem(last=False)[0]] = 0
            return self._shapes[shape]


def padded(side: int) -> int:
    """The side in pixels that a photo's side is padded to."""
    return -(-side // _MULTIPLE) * _MULTIPLE


def fastest_precision() -> str:
    """ "bf16" where the processor computes in it, else "fp32"; detectors are as right in either."""
    capable = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in capable else "fp32"
