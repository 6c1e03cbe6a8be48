"""A convolutional network as data: what every back end runs, with nothing left to train.

A network is a list of nodes in the order they compute. Node i reads the outputs of earlier nodes;
-1 is the input: RGB pixels in [0, 255], seen as float32 (n, 3, side, side). The output of the last
node is the vector, float32 (n, d), not yet normalised. Batch normalisation and the scaling of
pixels are folded into the convolutions (:func:`folded_affine`, :func:`folded_pixels`), so a
convolution is all there is to quantise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pair = tuple[int, int]

INPUT = -1


@dataclass(frozen=True)
class Convolution:
    """``weight`` float32 (out, in, rows, columns), ``bias`` (out,); relu follows if ``relu``."""

    weight: Floats
    bias: Floats
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    relu: bool = False


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True)
class Pool:
    """The largest, or the average, of each window; averages count padding zeros if padded."""

    kind: str  # "max" or "average"
    size: Pair
    stride: Pair
    padding: Pair = (0, 0)


@dataclass(frozen=True)
class FillToSum:
    """Two summands; whichever has fewer channels, rows or columns gets zeros at the end."""

    relu: bool = False


@dataclass(frozen=True)
class Concatenate:
    """Inputs one after another along the channels."""


@dataclass(frozen=True)
class GlobalAverage:
    """The mean over all places: (n, c, h, w) to (n, c)."""


@dataclass(frozen=True)
class Dense:
    """(n, in) times ``weight`` float32 (in, out) plus ``bias`` (out,)."""

    weight: Floats
    bias: Floats


Operation = Convolution | Relu | Pool | FillToSum | Concatenate | GlobalAverage | Dense


@dataclass(frozen=True)
class Node:
    """An operation and the nodes whose outputs it reads."""

    operation: Operation
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """Nodes in the order they compute; ``side`` of the square input in pixels."""

    nodes: tuple[Node, ...]
    side: int

    @property
    def convolutions(self) -> tuple[int, ...]:
        """The nodes that are convolutions, ascending."""
        return tuple(
            index
            for index, node in enumerate(self.nodes)
            if isinstance(node.operation, Convolution)
        )

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        for node in reversed(self.nodes):
            if isinstance(node.operation, Dense):
                return int(node.operation.weight.shape[1])
            if isinstance(node.operation, Convolution):
                return int(node.operation.weight.shape[0])
        raise ValueError("expected a network with a convolution or a dense layer, got none")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the wiring and every parameter: equal digests, equal networks."""
        hasher = hashlib.sha256(repr(self.side).encode())
        for node in self.nodes:
            for name, value in vars(node.operation).items():
                array = isinstance(value, np.ndarray)
                hasher.update(name.encode() + (value.tobytes() if array else repr(value).encode()))
            hasher.update(repr((type(node.operation).__name__, node.inputs)).encode())
        return hasher.hexdigest()


@dataclass(frozen=True)
class Weighted:
    """A network and the SHA-256 of the file its weights are from."""

    network: Network
    sha256: str


class NetworkBuilder:
    """Collects nodes; each method gives the number by which later nodes name the output."""

    def __init__(self, side: int) -> None:
        self._nodes: list[Node] = []
        self._side = side

    def add(self, operation: Operation, *inputs: int) -> int:
        """Append a node that reads ``inputs``, which must exist already."""
        if not all(INPUT <= each < len(self._nodes) for each in inputs):
            raise ValueError(f"expected inputs below {len(self._nodes)}, got {inputs}")
        self._nodes.append(Node(operation, inputs))
        return len(self._nodes) - 1

    @property
    def operations(self) -> list[Operation]:
        """The operations so far, by number."""
        return [node.operation for node in self._nodes]

    def change(self, number: int, operation: Operation) -> None:
        """Put another operation in the place of one that was added."""
        self._nodes[number] = replace(self._nodes[number], operation=operation)

    def network(self) -> Network:
        """What was collected."""
        return Network(tuple(self._nodes), self._side)


def folded_affine(
    convolution: Convolution, gamma: NDArray[np.floating], beta: NDArray[np.floating]
) -> Convolution:
    """A convolution and y = gamma x + beta after it: gamma (w x + b) + beta."""
    weight = (convolution.weight * np.asarray(gamma, np.float64)[:, None, None, None]).astype(
        np.float32
    )
    bias = convolution.bias.astype(np.float64) * gamma + beta
    return replace(convolution, weight=weight, bias=bias.astype(np.float32))


def folded_pixels(first: Convolution, mean: Sequence[float], divisor: float) -> Convolution:
    """A convolution of (x - mean) / divisor as one of x: right only without padding.

    ``mean`` has a number for each channel.
    """
    if first.padding != (0, 0):
        raise ValueError(f"expected a first convolution without padding, got {first.padding}")
    weight = first.weight.astype(np.float64) / divisor
    bias = first.bias - np.einsum("oiyx,i->o", weight, np.asarray(mean, np.float64))
    return replace(first, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
