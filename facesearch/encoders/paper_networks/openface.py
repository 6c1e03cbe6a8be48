"""OpenFace's nn4.small2 as a table.

Amos, Ludwiczuk and Satyanarayanan, "OpenFace: A general-purpose face recognition library with
mobile applications" (CMU-CS-16-118, 2016): FaceNet's NN4 without the blocks 4b to 4d, and with
thinner blocks 5, all with batch normalisation. What is peculiar to it is kept: the poolings inside
blocks are not padded and have a stride of their own, so that they see a part of the map only, and
what they leave is set in the middle of zeros. OpenFace's own weights have the branches of a
block in another order (3 x 3, 5 x 5, pooling, 1 x 1).
"""

from __future__ import annotations

from facesearch.encoders.paper_networks.inception import InceptionRow, InceptionTable, Stem

NN4_SMALL2 = InceptionTable(
    Stem(64, 64, 192),
    (
        InceptionRow("3a", 64, 96, 128, 16, 32, "max", 32, pool_stride=2),
        InceptionRow("3b", 64, 96, 128, 32, 64, "L2", 64, pool_stride=3),
        InceptionRow("3c", 0, 128, 256, 32, 64, "max", 0, stride=2, pool_stride=2),
        InceptionRow("4a", 256, 96, 192, 32, 64, "L2", 128, pool_stride=3),
        InceptionRow("4e", 0, 160, 256, 64, 128, "max", 0, stride=2, pool_stride=2),
        InceptionRow("5a", 256, 96, 384, 0, 0, "L2", 96, pool_stride=3),
        InceptionRow("5b", 256, 96, 384, 0, 0, "max", 96, pool_stride=2),
    ),
)
