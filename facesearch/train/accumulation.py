"""Losses over batches that are larger than what a network can hold at once.

A triplet's loss needs all vectors of the batch together, so gradients of pieces cannot simply be
added. But the gradient with respect to vectors is small: vectors are first made without keeping
what a backward pass needs, the loss gives their gradient, and each piece is made once more to
carry that back (Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited
Setup", 2021, section 3.2). The result is that of one piece, but for batch normalisation, whose
statistics are of pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Embed = Callable[[slice], Tensor]
JudgedVectors = Callable[[Tensor], Tensor]


def accumulate_gradients(
    network: nn.Module, embed: Embed, count: int, piece: int, loss: JudgedVectors
) -> Tensor:
    """Add the gradient of ``loss`` of ``count`` faces to the parameters; returns the vectors.

    ``embed`` gives the vectors (k, d), with gradients, of a slice of the batch; ``loss`` takes all
    vectors (count, d) and gives a scalar. Parameters inside ``loss`` get their gradients too.
    """
    slices = [slice(start, min(start + piece, count)) for start in range(0, count, piece)]
    if len(slices) == 1:
        vectors = embed(slices[0])
        loss(vectors).backward()  # type: ignore[no-untyped-call]
        return vectors.detach()
    states = []
    found = []
    with torch.no_grad(), _frozen_statistics(network):
        for each in slices:
            states.append(_random_state())
            found.append(embed(each))
    vectors = torch.cat(found).requires_grad_()
    loss(vectors).backward()  # type: ignore[no-untyped-call]
    if vectors.grad is None:
        raise RuntimeError("the loss does not depend on the vectors")
    after = _random_state()
    for each, state in zip(slices, states, strict=True):
        _set_random_state(state)  # dropout as in the first pass
        embed(each).backward(vectors.grad[each])  # type: ignore[no-untyped-call]
    _set_random_state(after)
    return vectors.detach()


def _random_state() -> list[Tensor]:
    """Of the processor's random numbers, and of each GPU's once there is work for one."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if _on_gpu() else ())]


def _set_random_state(state: list[Tensor]) -> None:
    torch.set_rng_state(state[0])
    if len(state) > 1:
        torch.cuda.set_rng_state_all(state[1:])


def _on_gpu() -> bool:
    return torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


@contextmanager
def _frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batches are normalised by their own statistics, and the running ones stay as they are."""
    # A layer in training that tracks no statistics uses the batch's and leaves its buffers alone.
    layers = [
        layer
        for layer in network.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.track_running_stats
    ]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
