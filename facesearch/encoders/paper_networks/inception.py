"""Networks of Inception blocks as tables: FaceNet's NN2 (table 2 of the paper) and its relatives.

Schroff, Kalenichenko and Philbin, "FaceNet: A Unified Embedding for Face Recognition and
Clustering" (CVPR 2015), after Szegedy et al., "Going Deeper with Convolutions" (CVPR 2015).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from facesearch.encoders.paper_networks.layers import (
    DIMENSION,
    FaceNetwork,
    L2Pool,
    Maxout,
    Size,
    convolution_unit,
    initialise,
    max_pool,
    response_norm,
)


@dataclass(frozen=True)
class Stem:
    """Filters of "conv1 (7 x 7 x 3, 2)" and of "inception (2)": its 1 x 1 and its 3 x 3."""

    conv1: int
    reduce: int
    conv2: int


@dataclass(frozen=True)
class InceptionRow:
    """One row of a table: the filters of each branch, 0 for a branch that is not there.

    ``one``: #1x1; ``reduce3``, ``three``: #3x3 reduce and #3x3; ``reduce5``, ``five``: likewise of
    5 x 5; ``pool``: the kind of pooling; ``projection``: the p behind it, 0 where its channels
    pass as they are; ``stride`` of 3 x 3, 5 x 5 and pooling. ``pool_stride``: a stride for the
    pooling alone, which is then not padded; zeros on all sides make up for what is missing.
    """

    name: str
    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    pool: Literal["max", "L2"]
    projection: int
    stride: int = 1
    pool_stride: int | None = None


@dataclass(frozen=True)
class InceptionTable:
    """A network: ``hidden`` units of maxout before the last layer, or averages over the map."""

    stem: Stem
    rows: tuple[InceptionRow, ...]
    hidden: int | None = None


NN2 = InceptionTable(
    Stem(64, 64, 192),
    (
        InceptionRow("3a", 64, 96, 128, 16, 32, "max", 32),
        InceptionRow("3b", 64, 96, 128, 32, 64, "L2", 64),
        InceptionRow("3c", 0, 128, 256, 32, 64, "max", 0, stride=2),
        InceptionRow("4a", 256, 96, 192, 32, 64, "L2", 128),
        InceptionRow("4b", 224, 112, 224, 32, 64, "L2", 128),
        InceptionRow("4c", 192, 128, 256, 32, 64, "L2", 128),
        InceptionRow("4d", 160, 144, 288, 32, 64, "L2", 128),
        InceptionRow("4e", 0, 160, 256, 64, 128, "max", 0, stride=2),
        InceptionRow("5a", 384, 192, 384, 48, 128, "L2", 128),
        InceptionRow("5b", 384, 192, 384, 48, 128, "max", 128),
    ),
)


def without_five(table: InceptionTable, names: tuple[str, ...]) -> InceptionTable:
    """``table`` without the 5 x 5 convolutions of the rows called ``names``."""
    rows = (replace(row, reduce5=0, five=0) if row.name in names else row for row in table.rows)
    return replace(table, rows=tuple(rows))


def thinned(rows: tuple[InceptionRow, ...], names: str, divisor: int) -> tuple[InceptionRow, ...]:
    """The rows called ``names`` (words), each branch with its filters divided by ``divisor``."""
    return tuple(
        replace(
            row,
            one=row.one // divisor,
            reduce3=row.reduce3 // divisor,
            three=row.three // divisor,
            reduce5=row.reduce5 // divisor,
            five=row.five // divisor,
            projection=row.projection // divisor,
        )
        for row in rows
        if row.name in names.split()
    )


# "In addition to the reduced input size it does not use 5x5 convolutions in the higher layers"
# (section 3.3). Of all ways to begin "higher", this one alone gives the text's 285M FLOPS together
# with the 6.6M parameters that it names as its smallest full-size model's.
NN4 = without_five(NN2, ("4e", "5a", "5b"))

# The paper has no tables of these two: they are reconstructions, made to come out at its figures
# (26M parameters and 220M FLOPS; 4.3M and 20M). Blocks are NN2's with a half and a quarter of the
# filters, and fewer. So many parameters at so few operations must sit in dense layers, where each
# is used once; those are NN1's, maxout of the whole map.
NNS1 = InceptionTable(Stem(32, 32, 96), thinned(NN2.rows, "3a 3b 3c 4a 4e 5a 5b", 2), hidden=664)
NNS2 = InceptionTable(Stem(8, 12, 24), thinned(NN2.rows, "3a 3c 4e 5a", 4), hidden=400)


class InceptionBlock(nn.Module):
    """Convolutions of three sizes and a pooling of one input, along the channels of one output.

    The branches come in the order of the paper's columns. ``channels`` and ``size`` are the
    input's; the attributes of these names are the output's.
    """

    def __init__(self, row: InceptionRow, channels: int, size: Size, batch_norm: bool) -> None:
        super().__init__()
        self.channels = row.one + row.three + row.five + (row.projection or channels)
        self.size = size.strided(row.stride)
        self.branches = nn.ModuleDict()
        if row.one:
            self.branches["1x1"] = convolution_unit(channels, row.one, 1, 1, batch_norm)
        for kernel, reduced, filters in ((3, row.reduce3, row.three), (5, row.reduce5, row.five)):
            if filters:
                self.branches[f"{kernel}x{kernel}"] = nn.Sequential(
                    convolution_unit(channels, reduced, 1, 1, batch_norm),
                    convolution_unit(reduced, filters, kernel, row.stride, batch_norm),
                )
        self.branches["pool"] = _pool_branch(row, channels, size, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, c, h, w) to (n, channels, h', w')."""
        return torch.cat([branch(x) for branch in self.branches.values()], dim=1)


def _pool_branch(row: InceptionRow, channels: int, size: Size, batch_norm: bool) -> nn.Sequential:
    stride, padded = row.pool_stride or row.stride, row.pool_stride is None
    pool = L2Pool(stride, padded) if row.pool == "L2" else nn.MaxPool2d(3, stride, int(padded))
    layers: list[nn.Module] = [pool]
    if row.projection:
        layers.append(convolution_unit(channels, row.projection, 1, 1, batch_norm))
    if not padded:
        layers.append(_centred(size, stride, size.strided(row.stride)))
    return nn.Sequential(*layers)


def _centred(pooled: Size, stride: int, wanted: Size) -> nn.ZeroPad2d:
    """Zeros around what an unpadded pooling leaves of ``pooled``, to the size ``wanted``."""
    left = Size((pooled.rows - 3) // stride + 1, (pooled.columns - 3) // stride + 1)
    rows, columns = wanted.rows - left.rows, wanted.columns - left.columns
    return nn.ZeroPad2d((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def inception_network(
    name: str, table: InceptionTable, size: Size, batch_norm: bool = False
) -> FaceNetwork:
    """The network of a table for chips of ``size``.

    ``batch_norm``: normalise after every convolution (whose bias stays, as in OpenFace).
    """
    stem, layers = table.stem, OrderedDict[str, nn.Module]()
    layers["conv1"] = convolution_unit(3, stem.conv1, 7, 2, batch_norm)
    layers["pool_norm"] = nn.Sequential(max_pool(), response_norm())
    layers["inception2"] = nn.Sequential(
        convolution_unit(stem.conv1, stem.reduce, 1, 1, batch_norm),
        convolution_unit(stem.reduce, stem.conv2, 3, 1, batch_norm),
    )
    layers["norm_pool"] = nn.Sequential(response_norm(), max_pool())
    channels, remaining = stem.conv2, size.strided(2).strided(2).strided(2)
    for row in table.rows:
        block = InceptionBlock(row, channels, remaining, batch_norm)
        layers[f"inception{row.name}"] = block
        channels, remaining = block.channels, block.size
    layers |= _head(channels, remaining, table.hidden)
    network = FaceNetwork(name, size, layers)
    initialise(network)
    return network


def _head(channels: int, size: Size, hidden: int | None) -> OrderedDict[str, nn.Module]:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if hidden is None:
        averages = nn.AvgPool2d((size.rows, size.columns))
        layers["average_pool"] = nn.Sequential(averages, nn.Flatten())
        layers["fully_connected"] = nn.Linear(channels, DIMENSION)
    else:
        layers["concat"] = nn.Flatten()
        layers["maxout"] = Maxout(channels * size.rows * size.columns, hidden)
        layers["fully_connected"] = nn.Linear(hidden, DIMENSION)
    return layers
