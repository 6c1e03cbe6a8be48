"""What is fixed of ``facenet-small``: its name, its sizes and how its layers are called.

Training (:mod:`facesearch.encoders.facenet_small.network`) and reading
(:mod:`facesearch.encoders.facenet_small.stored_network`) agree on it. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

FACENET_SMALL = "facenet-small"
SIDE = 112  # pixels of a chip
DIMENSION = 128
STEM = 32  # filters of the first convolution
LAST_SIDE = 4  # of the last map
MEAN, DIVISOR = 127.5, 128.0  # a pixel's value reaches the network as (value - MEAN) / DIVISOR

_STAGES = ((48, 1), (96, 2), (256, 1), (320, 1))  # channels and blocks; each halves the map


@dataclass(frozen=True)
class BlockShape:
    """A residual block: its name, channels in and out, and the stride of its first layer."""

    name: str
    channels: int
    filters: int
    stride: int

    @property
    def projected(self) -> bool:
        """Whether the shortcut has a convolution, as where the shape changes."""
        return self.stride != 1 or self.channels != self.filters


def blocks() -> Iterator[BlockShape]:
    """All blocks from the stem on."""
    channels = STEM
    for number, (filters, count) in enumerate(_STAGES, 1):
        for block in range(count):
            name = f"stage{number}_{block + 1}"
            yield BlockShape(name, channels, filters, 2 if block == 0 else 1)
            channels = filters
