"""MTCNN's weights, from ``data/mtcnn.safetensors``.

They are the float32 arrays of the PyPI package ``mtcnn`` 1.0.0 (MIT licence), to the bit, which
that package stores as pickles: THIRD_PARTY.md has its licence and how the file was made.

Arrays are named by network, layer and part, such as ``onet.4.kernel``. Layouts are Keras's:
convolution kernels (row, column, channel in, channel out), PReLU slopes one a channel, dense
matrices (in, out) whose input is flattened column-major, as the original Matlab-trained model has
it: the value at (row, column, channel) of an h-row map is input
``(column * h + row) * channels + channel``. Networks take RGB, ``(x - 127.5) / 128``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import WeightsError

NAME = "mtcnn-1.0.0"
PATH = Path(__file__).parent / "data" / "mtcnn.safetensors"
SHA256 = "16694d948384fef69958d155a1710352e58420525caa6a9b275c45eed0d09395"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """A convolution (kernel (h, w, in, out)) or dense layer (in, out); slopes empty if linear."""

    kernel: Floats
    bias: Floats
    slopes: Floats


@dataclass(frozen=True)
class MtcnnNetworkWeights:
    """One network of the file: ``hidden`` layers with PReLU, then ``heads`` without."""

    name: str
    hidden: int
    heads: int

    def load(self) -> list[Layer]:
        """Hidden layers, then heads. Raises WeightsError unless the file is the pinned one."""
        arrays = _arrays(PATH, SHA256)
        none = np.zeros(0, np.float32)
        return [
            Layer(
                arrays[f"{self.name}.{layer}.kernel"],
                arrays[f"{self.name}.{layer}.bias"],
                arrays[f"{self.name}.{layer}.slopes"] if layer < self.hidden else none,
            )
            for layer in range(self.hidden + self.heads)
        ]


# Heads: P-Net and R-Net (box offsets, class logits); O-Net (box offsets, landmarks, class logits).
P_NET = MtcnnNetworkWeights("pnet", 3, 2)
R_NET = MtcnnNetworkWeights("rnet", 4, 2)
O_NET = MtcnnNetworkWeights("onet", 5, 3)


def _arrays(path: Path, sha256: str) -> dict[str, Floats]:
    from safetensors.numpy import load  # noqa: PLC0415 - only needed while loading

    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error}; reinstall facesearch") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsError(
            f"{path} is damaged: expected SHA-256 {sha256}, found {found}; reinstall facesearch"
        )
    arrays: dict[str, Floats] = load(data)
    return arrays
