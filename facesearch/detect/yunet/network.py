"""YuNet's network as an OpenVINO model, from arrays by name (:mod:`.weights`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

from facesearch.detect.yunet.weights import STEM, STEM_OUT, STEM_TAPS, Floats

STRIDES = (8, 16, 32)
# Of what each cell of a level answers with: two logits, a box, five points.
HEADS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
_HEAD = "bbox_head__multi_level_{}__{}"
# Steps of numbers rounded to bytes: those that are never negative, and those that may be.
_LEVELS, _SIGNED_LEVELS = 256, 255

# The greatest absolute value of tensors inside the network, by name.
Ranges = Mapping[str, float]


def build_model(
    arrays: dict[str, Floats],
    count: int = 1,
    height: int = -1,
    width: int = -1,
    ranges: Ranges | None = None,
) -> Any:
    """A model of RGB uint8 (count, height, width, 3); sides are multiples of 32, -1 for any.

    Its outputs are the levels of :data:`STRIDES`, float32 (count, height / stride, width / stride,
    16): the logits that a cell belongs to a face and shows one, then x, y, log width, log height of
    the box and x, y of five points, in strides from the cell. With ``ranges`` of numbers inside the
    network, those and the weights of what reads them are rounded to bytes.
    """
    pixels = ops.parameter([count, height, width, 3], np.uint8, name="pixels")
    levels = _Layers(arrays, ranges or {}).levels(pixels)
    return openvino.Model(levels, [pixels], "yunet")


def build_observed_model(arrays: dict[str, Floats]) -> tuple[Any, list[str]]:
    """A model of one photo of any size that gives the largest numbers inside, and their names.

    Its outputs are float32 (): the greatest absolute value of what each name stands for in
    :data:`Ranges`.
    """
    pixels = ops.parameter([1, -1, -1, 3], np.uint8, name="pixels")
    layers = _Layers(arrays, {})
    layers.levels(pixels)
    everywhere = _integers(0, 1, 2, 3)
    largest = [ops.reduce_max(ops.abs(x), everywhere) for x in layers.inside.values()]
    return openvino.Model(largest, [pixels], "yunet-observed"), list(layers.inside)


class _Layers:
    """The network's layers by the names of their arrays; ``inside`` are tensors that have ranges.

    Where such a range is given, its tensor is rounded to bytes, and so are the weights of the
    convolution that reads it.
    """

    def __init__(self, arrays: dict[str, Floats], ranges: Ranges) -> None:
        self._arrays = arrays
        self._ranges = ranges
        self.inside: dict[str, Any] = {}

    def levels(self, pixels: Any) -> list[Any]:
        """The outputs of the network."""
        planes = ops.transpose(ops.convert(pixels, np.float32), _integers(0, 3, 1, 2))
        x = self.unit(self.stem(planes), f"{STEM}_dp")
        x = self.stage(_halved(x), 1)
        first = self.stage(_halved(self.stage(x, 2)), 3)
        second = self.stage(_halved(first), 4)
        third = self.stage(_halved(second), 5)
        third = self.neck(third, 2)
        second = self.neck(self._bounded(ops.add(_doubled(third), second), "neck_second"), 1)
        first = self.neck(self._bounded(ops.add(_doubled(second), first), "neck_first"), 0)
        return [self.heads(x, level) for level, x in enumerate((first, second, third))]

    def stem(self, planes: Any) -> Any:
        """The first convolution, of 3 x 3 with stride 2; the arrays want BGR."""
        taps = self._arrays[f"{STEM}_pw_weight"].reshape(STEM_OUT, STEM_TAPS)[:, :27]
        bgr = taps.reshape(STEM_OUT, 3, 3, 3).transpose(0, 3, 1, 2)
        # Pixels are bytes, so that where the output is rounded all of it can be.
        weight = _weight(bgr[:, ::-1], rounded=f"{STEM}_out" in self._ranges)
        x = ops.convolution(planes, weight, [2, 2], [1, 1], [1, 1], [1, 1])
        x = ops.relu(ops.add(x, _bias(self._arrays[f"{STEM}_pw_bias"])))
        return self._bounded(x, f"{STEM}_out")

    def stage(self, x: Any, number: int) -> Any:
        """Two units of the backbone."""
        name = f"backbone__model{number}_dp"
        return self.unit(self.unit(x, f"{name}1"), f"{name}2")

    def unit(self, x: Any, name: str) -> Any:
        """A pointwise and a depthwise convolution, then relu."""
        return self._bounded(ops.relu(self._pair(x, [name], bounded=True)), f"{name}_out")

    def neck(self, x: Any, level: int) -> Any:
        """A unit whose output is not rounded: heads read it, and sums."""
        return ops.relu(self._pair(x, [f"neck__lateral_convs__{level}"], bounded=True))

    def heads(self, x: Any, level: int) -> Any:
        """All heads of a level side by side, channels last."""
        joined = self._pair(x, [_HEAD.format(head, level) for head, _ in HEADS])
        return ops.transpose(joined, _integers(0, 2, 3, 1)).output(0)

    def _bounded(self, x: Any, name: str, *, signed: bool = False) -> Any:
        """``x``, which has a range by that name; rounded where it is given."""
        self.inside[name] = x
        if name not in self._ranges:
            return x
        high = self._ranges[name]
        if signed:
            return _rounded(x, -high, high, _SIGNED_LEVELS)
        return _rounded(x, 0.0, high, _LEVELS)

    def _pair(self, x: Any, names: list[str], *, bounded: bool = False) -> Any:
        """A pointwise and a depthwise convolution; those of several units as one.

        ``bounded``: what it reads has a range.
        """
        middle = f"{names[0]}_mid"

        def joined(part: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
            pieces = []
            for name in names:
                array = self._arrays[f"{name}_{part}"]
                outputs = len(self._arrays[f"{name}_pw_bias"])
                # Depthwise weights come tap by tap.
                array = array.reshape(9, outputs).T if part == "dw_weight" else array
                pieces.append(array.reshape(outputs, *shape))
            return np.concatenate(pieces)

        weight = _weight(joined("pw_weight", (-1, 1, 1)), rounded=bounded and bool(self._ranges))
        x = ops.convolution(x, weight, [1, 1], [0, 0], [0, 0], [1, 1])
        x = ops.add(x, _bias(joined("pw_bias", ())))
        if bounded:
            x = self._bounded(x, middle, signed=True)
        weight = _weight(joined("dw_weight", (1, 1, 3, 3)), rounded=middle in self._ranges)
        x = ops.group_convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1])
        return ops.add(x, _bias(joined("dw_bias", ())))


def _weight(values: NDArray[np.float32], *, rounded: bool) -> Any:
    """A constant, by channel of the output rounded to bytes if so."""
    weight = ops.constant(np.ascontiguousarray(values))
    if not rounded:
        return weight
    axes = tuple(range(1, values.ndim))
    largest = np.maximum(np.abs(values).max(axis=axes, keepdims=True), np.finfo(np.float32).tiny)
    return _rounded(weight, -largest, largest, _SIGNED_LEVELS)


def _rounded(x: Any, low: Any, high: Any, levels: int) -> Any:
    """``x`` in so many steps from ``low`` to ``high``."""
    ends = [ops.constant(np.asarray(end, np.float32)) for end in (low, high)]
    return ops.fake_quantize(x, *ends, *ends, levels)


def _bias(values: NDArray[np.float32]) -> Any:
    return ops.constant(values.reshape(1, -1, 1, 1))


def _integers(*values: int) -> Any:
    return ops.constant(np.array(values))


def _halved(x: Any) -> Any:
    return ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _doubled(x: Any) -> Any:
    return ops.interpolate(
        x,
        ops.constant(np.array([2, 2], np.float32)),
        "nearest",
        "scales",
        axes=_integers(2, 3),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
