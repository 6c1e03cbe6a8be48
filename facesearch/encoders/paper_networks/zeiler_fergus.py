"""FaceNet's NN1 (table 1 of the paper): Zeiler and Fergus's network with 1 x 1 convolutions."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from facesearch.encoders.paper_networks.layers import (
    DIMENSION,
    FaceNetwork,
    Maxout,
    Size,
    convolution_unit,
    initialise,
    max_pool,
    response_norm,
)

# Name and kernel (rows or columns) of each convolution, and its filters; layers between have none.
_ROWS = (
    ("conv1", 7, 64),
    ("pool1", 0, 0),
    ("rnorm1", 0, 0),
    ("conv2a", 1, 64),
    ("conv2", 3, 192),
    ("rnorm2", 0, 0),
    ("pool2", 0, 0),
    ("conv3a", 1, 192),
    ("conv3", 3, 384),
    ("pool3", 0, 0),
    ("conv4a", 1, 384),
    ("conv4", 3, 256),
    ("conv5a", 1, 256),
    ("conv5", 3, 256),
    ("conv6a", 1, 256),
    ("conv6", 3, 256),
    ("pool4", 0, 0),
)
_HIDDEN = 32 * 128  # outputs of fc1 and fc2


def zeiler_fergus_network(name: str, size: Size, batch_norm: bool = False) -> FaceNetwork:
    """NN1 for chips of ``size``: the 22 layers of table 1, of which the last, L2, is left out.

    ``batch_norm``: normalise after every convolution, which the paper does not do.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, remaining = 3, size
    for row, kernel, filters in _ROWS:
        if kernel:
            stride = 2 if row == "conv1" else 1
            layers[row] = convolution_unit(channels, filters, kernel, stride, batch_norm)
            channels, remaining = filters, remaining.strided(stride)
        elif row.startswith("pool"):
            layers[row] = max_pool()
            remaining = remaining.strided(2)
        else:
            layers[row] = response_norm()
    layers["concat"] = nn.Flatten()
    layers["fc1"] = Maxout(channels * remaining.rows * remaining.columns, _HIDDEN)
    layers["fc2"] = Maxout(_HIDDEN, _HIDDEN)
    layers["fc7128"] = nn.Linear(_HIDDEN, DIMENSION)
    network = FaceNetwork(name, size, layers)
    initialise(network)
    return network
