"""Networks run by PyTorch: the reference in fp32, and bf16 or fp16 on hardware that has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facesearch.encoders.network_ir import (
    INPUT,
    Concatenate,
    Convolution,
    Dense,
    FillToSum,
    Floats,
    GlobalAverage,
    Network,
    Operation,
    Pool,
    Relu,
)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchBackend:
    """A network in channels-last layout.

    ``precision``: "fp32", "bf16" or "fp16"; ``device`` as torch names it; ``threads``: how many
    each call may use (None: as torch is set). May be called from several threads; torch lets go of
    the interpreter lock while it computes.
    """

    def __init__(
        self,
        network: Network,
        precision: str = "fp32",
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        self._network = network
        self._dtype = DTYPES[precision]
        self.device = torch.device(device)
        self._threads = threads
        self._parameters = [self._tensors(node.operation) for node in network.nodes]

    def __call__(self, pixels: NDArray[np.uint8]) -> Floats:
        """Vectors float32 (n, d) of RGB pixels uint8 (n, side, side, 3)."""
        vectors: Floats = self._last(self.outputs(pixels)).cpu().numpy()
        return vectors

    def outputs(self, pixels: NDArray[np.uint8]) -> dict[int, Tensor]:
        """The output of every node, by its number."""
        with _torch_threads(self._threads), torch.inference_mode():
            return self._run(torch.tensor(np.ascontiguousarray(pixels), device=self.device))

    def vectors(self, pixels: Tensor) -> Tensor:
        """Vectors float32 (n, d) of pixels uint8 (n, side, side, 3) on the backend's device."""
        return self._last(self._run(pixels))

    def _last(self, outputs: dict[int, Tensor]) -> Tensor:
        return outputs[len(self._network.nodes) - 1].float()

    def _run(self, pixels: Tensor) -> dict[int, Tensor]:
        # Seen as (n, 3, side, side) the pixels are "channels last", twice as fast as planes.
        outputs = {INPUT: pixels.to(self._dtype).permute(0, 3, 1, 2)}
        for number, node in enumerate(self._network.nodes):
            inputs = [outputs[index] for index in node.inputs]
            outputs[number] = _run(node.operation, inputs, self._parameters[number])
        return outputs

    def _tensors(self, operation: Operation) -> tuple[Tensor, ...]:
        match operation:
            case Convolution():
                weight = torch.tensor(operation.weight).to(self.device, self._dtype)
                parameters = [weight.contiguous(memory_format=torch.channels_last)]
            case Dense():
                parameters = [torch.tensor(operation.weight).to(self.device, self._dtype)]
            case _:
                return ()
        return (*parameters, torch.tensor(operation.bias).to(self.device, self._dtype))


def _run(  # noqa: PLR0911 - one an operation
    operation: Operation, inputs: list[Tensor], parameters: tuple[Tensor, ...]
) -> Tensor:
    match operation:
        case Convolution():
            weight, bias = parameters
            x: Tensor = functional.conv2d(
                inputs[0], weight, bias, operation.stride, operation.padding
            )
            return x.relu_() if operation.relu else x
        case Relu():
            return inputs[0].relu()
        case Pool(kind="max"):
            sizes = operation.size, operation.stride, operation.padding
            return functional.max_pool2d(inputs[0], *sizes)
        case Pool():
            sizes = operation.size, operation.stride, operation.padding
            return functional.avg_pool2d(inputs[0], *sizes)
        case FillToSum():
            total = _filled_sum(*inputs)
            return total.relu_() if operation.relu else total
        case Concatenate():
            return torch.cat(inputs, 1)
        case GlobalAverage():
            return inputs[0].mean(dim=(2, 3))
        case Dense():
            return torch.addmm(parameters[1], inputs[0], parameters[0])


def _filled_sum(first: Tensor, second: Tensor) -> Tensor:
    if first.shape == second.shape:
        return first + second
    shape = [max(sizes) for sizes in zip(first.shape, second.shape, strict=True)]
    total = torch.empty(
        shape, dtype=first.dtype, device=first.device, memory_format=torch.channels_last
    ).zero_()
    for each in (first, second):
        total[:, : each.shape[1], : each.shape[2], : each.shape[3]] += each
    return total


@contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    """Let torch use ``threads`` threads for a while; its setting belongs to the whole process."""
    before = torch.get_num_threads()
    if threads is None or threads == before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
