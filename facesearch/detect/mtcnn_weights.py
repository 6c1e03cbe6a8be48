"""MTCNN's weights, read from the files that the PyPI package ``mtcnn`` 1.0.0 carries.

Each file is an lz4-compressed joblib dump, that is a pickle, and a pickle can run code when it is
loaded. It is acceptable here, and only here, because the bytes are compared with a SHA-256 pinned
in this module first and exactly those bytes are loaded: a changed file is refused unread, so
nothing is ever unpickled but three files that were inspected (lists of float32 arrays). The
package itself is never imported: it needs TensorFlow.

Layouts as stored (Keras): convolution kernels (row, column, channel in, channel out), PReLU
slopes one a channel, dense matrices (in, out) whose input is flattened column-major, as the
original Matlab-trained model has it: the value at (row, column, channel) of an h-row map is input
``(column * h + row) * channels + channel``. Networks take RGB, ``(x - 127.5) / 128``.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import WeightsError
from facesearch.model_files.packaged import PackagedFile

NAME = "mtcnn-1.0.0"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """A convolution (kernel (h, w, in, out)) or dense layer (in, out); slopes empty if linear."""

    kernel: Floats
    bias: Floats
    slopes: Floats


@dataclass(frozen=True)
class NetworkFile:
    """Where one network's weights are: ``hidden`` layers with PReLU, then ``heads`` without."""

    file: PackagedFile
    hidden: int
    heads: int

    def load(self) -> list[Layer]:
        """Hidden layers, then heads. Raises WeightsError if the file is not the pinned one."""
        arrays = _unpack(self.file.read())
        if len(arrays) != 3 * self.hidden + 2 * self.heads:
            raise WeightsError(f"{self.file.path} has {len(arrays)} arrays, which is unexpected")
        split = 3 * self.hidden
        layers = [
            Layer(arrays[i], arrays[i + 1], arrays[i + 2].reshape(-1)) for i in range(0, split, 3)
        ]
        none = np.zeros(0, np.float32)
        layers += [Layer(arrays[i], arrays[i + 1], none) for i in range(split, len(arrays), 2)]
        return layers


def _packaged(name: str, sha256: str) -> PackagedFile:
    return PackagedFile("mtcnn", f"mtcnn/assets/weights/{name}.lz4", sha256)


# Heads: P-Net and R-Net (box offsets, class logits); O-Net (box offsets, landmarks, class logits).
P_NET = NetworkFile(
    _packaged("pnet", "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5"), 3, 2
)
R_NET = NetworkFile(
    _packaged("rnet", "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee"), 4, 2
)
O_NET = NetworkFile(
    _packaged("onet", "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3"), 5, 3
)


def _unpack(verified: bytes) -> list[Any]:
    """The arrays in a joblib dump whose digest was checked by the caller."""
    import joblib  # noqa: PLC0415  # only needed while loading

    arrays = joblib.load(io.BytesIO(verified))
    if not all(isinstance(a, np.ndarray) and a.dtype == np.float32 for a in arrays):
        raise WeightsError("expected a list of float32 arrays in the weights file")
    return list(arrays)
