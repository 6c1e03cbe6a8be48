"""A detector's network for photos of any size: padded to few shapes, compiled for the common ones.

A model that takes any size runs at four fifths of the speed of one that was compiled for the size,
which takes as long as 30 large photos. Photos of an album have few sizes, so that those seen often
get a model of their own; the answers are the same. Small pictures, such as the crops of doubtful
faces, cost more in being handed over than in being looked at, so that some of one shape go through
the network together.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Pixels
from facesearch.model_files.compiled_model import CompiledModel, openvino_core

_MULTIPLE = 64  # of pixels that sides are padded to; networks halve five times
_OFTEN = 32  # photos of a shape, after which compiling for it will pay
_MOST_PIXELS = 8 * 1024 * 1024  # of all shapes compiled at once, each with memory of its own
BATCH = 4  # small photos that go through the network together
_SMALL_PIXELS = 128 * 128  # padded; larger ones gain nothing in a batch

Shape = tuple[int, int, int]  # photos at once, height, width


class PaddedNetwork:
    """``build(count, height, width)`` gives the model of RGB uint8 (count, height, width, 3).

    Sides are -1 for any; ``count`` is 1, or :data:`BATCH` where ``batches`` says that the model
    can. ``callers`` threads may call at once, each on ``threads`` cores (None: a fair share).
    """

    def __init__(
        self,
        build: Callable[[int, int, int], Any],
        threads: int | None = None,
        callers: int = 1,
        *,
        batches: bool = False,
    ) -> None:
        self._build = build
        self._placed = (fastest_precision(), threads, callers)
        self._any = self._compile((1, -1, -1))
        self._shapes: OrderedDict[Shape, CompiledModel] = OrderedDict()
        self._seen: Counter[Shape] = Counter()
        self._lock = threading.Lock()
        self._local = threading.local()
        self._batches = batches

    def __call__(self, photos: Sequence[Pixels]) -> list[NDArray[np.float32]]:
        """The model's outputs for the photos of one of :meth:`batched`, black where padded.

        Photos are RGB uint8 (h, w, 3). The outputs are overwritten by the thread's next call.
        """
        shape = (len(photos), *padded_shape(photos[0]))
        model = self._model(shape)
        if model is not None:
            return model.passing(self._pixels(photos, shape))
        if len(photos) == 1:
            return self._any.passing(self._pixels(photos, shape))
        # Until a batch has a model, its photos go one by one.
        alone = [self._any(self._pixels([photo], (1, *shape[1:]))) for photo in photos]
        return [np.concatenate(each) for each in zip(*alone, strict=True)]

    def batched(self, photos: Sequence[Pixels]) -> list[list[int]]:
        """The rows of ``photos`` that go through the model together; all rows once."""
        if self._batches:
            return small_together(photos)
        return [[row] for row in range(len(photos))]

    def _model(self, shape: Shape) -> CompiledModel | None:
        """The model compiled for ``shape``, None as long as it was not seen often."""
        with self._lock:
            if shape in self._shapes:
                self._shapes.move_to_end(shape)
                return self._shapes[shape]
            before = self._seen[shape]
            self._seen[shape] += shape[0]
            if not before < _OFTEN <= self._seen[shape]:
                return None  # too few, or another thread is compiling it
        model = self._compile(shape)
        with self._lock:
            self._shapes[shape] = model
            while len(self._shapes) > 1 and sum(map(_pixels_of, self._shapes)) > _MOST_PIXELS:
                self._seen[self._shapes.popitem(last=False)[0]] = 0
        return model

    def _compile(self, shape: Shape) -> CompiledModel:
        return CompiledModel(self._build(*shape), *self._placed)

    def _pixels(self, photos: Sequence[Pixels], shape: Shape) -> Pixels:
        """The photos padded to ``shape``, in memory that the thread fills again and again."""
        first = photos[0]
        if len(photos) == 1 and first.shape[:2] == shape[1:] and first.flags.writeable:
            return first[None]  # OpenVINO takes no memory that is not for writing
        size = 3 * _pixels_of(shape)
        memory: Pixels | None = getattr(self._local, "memory", None)
        if memory is None or len(memory) < size:
            memory = self._local.memory = np.empty(size, np.uint8)
        pixels = memory[:size].reshape(*shape, 3)
        for place, photo in zip(pixels, photos, strict=True):
            rows, columns = photo.shape[:2]
            place[:rows, :columns] = photo
            place[:rows, columns:] = 0
            place[rows:] = 0
        return pixels


def small_together(photos: Sequence[Pixels]) -> list[list[int]]:
    """The rows of ``photos`` in groups of one padded shape: :data:`BATCH` small ones, or one."""
    groups: list[list[int]] = []
    small: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, photo in enumerate(photos):
        height, width = shape = padded_shape(photo)
        if height * width <= _SMALL_PIXELS:
            small[shape].append(row)
        else:
            groups.append([row])
    for rows in small.values():
        whole = len(rows) // BATCH * BATCH
        groups += [rows[start : start + BATCH] for start in range(0, whole, BATCH)]
        groups += [[row] for row in rows[whole:]]
    return groups


def _pixels_of(shape: Shape) -> int:
    count, height, width = shape
    return count * height * width


def padded_shape(photo: Pixels) -> tuple[int, int]:
    """Height and width in pixels that a photo is padded to."""
    return padded(photo.shape[0]), padded(photo.shape[1])


def padded(side: int) -> int:
    """The side in pixels that a photo's side is padded to."""
    return -(-side // _MULTIPLE) * _MULTIPLE


def fastest_precision() -> str:
    """ "bf16" where the processor computes in it, else "fp32"; detectors are as right in either."""
    capable = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in capable else "fp32"
