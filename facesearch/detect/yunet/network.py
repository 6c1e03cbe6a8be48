"""YuNet's network as an OpenVINO model, from arrays by name (:mod:`.weights`)."""

from __future__ import annotations

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


def build_model(
    arrays: dict[str, Floats], count: int = 1, height: int = -1, width: int = -1
) -> Any:
    """A model of RGB uint8 (count, height, width, 3); sides are multiples of 32, -1 for any.

    Its outputs are the levels of :data:`STRIDES`, float32 (count, height / stride, width / stride,
    16): the logits that a cell belongs to a face and shows one, then x, y, log width, log height of
    the box and x, y of five points, in strides from the cell.
    """
    network = _Layers(arrays)
    pixels = ops.parameter([count, height, width, 3], np.uint8, name="pixels")
    planes = ops.transpose(ops.convert(pixels, np.float32), _integers(0, 3, 1, 2))
    x = network.unit(network.stem(planes), f"{STEM}_dp")
    x = network.stage(_halved(x), 1)
    first = network.stage(_halved(network.stage(x, 2)), 3)
    second = network.stage(_halved(first), 4)
    third = network.stage(_halved(second), 5)
    third = network.unit(third, "neck__lateral_convs__2")
    second = network.unit(ops.add(_doubled(third), second), "neck__lateral_convs__1")
    first = network.unit(ops.add(_doubled(second), first), "neck__lateral_convs__0")
    outputs = [network.heads(x, level) for level, x in enumerate((first, second, third))]
    return openvino.Model(outputs, [pixels], "yunet")


class _Layers:
    """The network's layers by the names of their arrays."""

    def __init__(self, arrays: dict[str, Floats]) -> None:
        self._arrays = arrays

    def stem(self, planes: Any) -> Any:
        """The first convolution, of 3 x 3 with stride 2; the arrays want BGR."""
        taps = self._arrays[f"{STEM}_pw_weight"].reshape(STEM_OUT, STEM_TAPS)[:, :27]
        bgr = taps.reshape(STEM_OUT, 3, 3, 3).transpose(0, 3, 1, 2)
        weight = ops.constant(np.ascontiguousarray(bgr[:, ::-1]))
        x = ops.convolution(planes, weight, [2, 2], [1, 1], [1, 1], [1, 1])
        return ops.relu(ops.add(x, _bias(self._arrays[f"{STEM}_pw_bias"])))

    def stage(self, x: Any, number: int) -> Any:
        """Two units of the backbone."""
        name = f"backbone__model{number}_dp"
        return self.unit(self.unit(x, f"{name}1"), f"{name}2")

    def unit(self, x: Any, name: str) -> Any:
        """A pointwise and a depthwise convolution, then relu."""
        return ops.relu(self._pair(x, [name]))

    def heads(self, x: Any, level: int) -> Any:
        """All heads of a level side by side, channels last."""
        joined = self._pair(x, [_HEAD.format(head, level) for head, _ in HEADS])
        return ops.transpose(joined, _integers(0, 2, 3, 1)).output(0)

    def _pair(self, x: Any, names: list[str]) -> Any:
        """A pointwise and a depthwise convolution; those of several units as one."""

        def joined(part: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
            pieces = []
            for name in names:
                array = self._arrays[f"{name}_{part}"]
                outputs = len(self._arrays[f"{name}_pw_bias"])
                # Depthwise weights come tap by tap.
                array = array.reshape(9, outputs).T if part == "dw_weight" else array
                pieces.append(array.reshape(outputs, *shape))
            return np.ascontiguousarray(np.concatenate(pieces))

        weight = ops.constant(joined("pw_weight", (-1, 1, 1)))
        x = ops.convolution(x, weight, [1, 1], [0, 0], [0, 0], [1, 1])
        x = ops.add(x, _bias(joined("pw_bias", ())))
        weight = ops.constant(joined("dw_weight", (1, 1, 3, 3)))
        x = ops.group_convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1])
        return ops.add(x, _bias(joined("dw_bias", ())))


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
