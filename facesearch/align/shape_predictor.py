"""dlib's 5-point shape predictor, read from the file that ``face-recognition-models`` carries."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facesearch.align.chips import readonly
from facesearch.align.regression_trees import fit_shapes
from facesearch.encoders.dlib.format import DlibReader
from facesearch.model_files.packaged import PackagedFile

# Trained on photos whose licence allows any use; the same package's 68-point file is not, and is
# never read.
FIVE_POINT_MODEL = PackagedFile(
    distribution="face-recognition-models",
    path="face_recognition_models/models/shape_predictor_5_face_landmarks.dat",
    sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)

_VERSION = 1
_INNER_NODES = 15  # of every tree: four levels, all full
_LEAVES = 16
_COORDINATES = 10  # x and y of five points


class _Trees(NamedTuple):
    """The trees of one stage: ``features`` int64 (trees, 15, 2), the rest as ShapePredictor's."""

    features: NDArray[np.int64]
    thresholds: NDArray[np.int16]
    leaves: NDArray[np.float32]


@dataclass(frozen=True)
class ShapePredictor:
    """A cascade of stages of regression trees that finds five landmarks in a box.

    ``mean`` float32 (5, 2): x, y of each landmark of the starting shape, in units of the box.
    A stage looks at pixels, grouped by the landmark they hang on: those of landmark k are
    ``starts`` int64 (stages, 6) [k] to [k + 1], and ``offsets`` float32 (stages, 2, pixels) are
    their x and y from there. ``features`` uint16 (stages, trees, 15, 2) and ``thresholds`` int16
    (stages, trees, 15): the two pixels that each inner node compares, and by how much the first
    must be brighter to go left. ``leaves`` float32 (stages, trees, 16, 10): what each leaf adds to
    the shape. All read-only.
    """

    mean: NDArray[np.float32]
    starts: NDArray[np.int64]
    offsets: NDArray[np.float32]
    features: NDArray[np.uint16]
    thresholds: NDArray[np.int16]
    leaves: NDArray[np.float32]

    def predict(self, photo: NDArray[np.uint8], rects: NDArray[np.float64]) -> NDArray[np.float64]:
        """Landmarks float64 (n, 5, 2), x and y in pixels of ``photo``, one set for each rect.

        ``photo`` RGB uint8 (height, width, 3), below 2^31 pixels. ``rects`` float64 (n, 4): left,
        top, right, bottom in dlib's convention, the right and bottom pixels being part of the box.
        dlib rounds the result to whole pixels (:func:`rounded`).
        """
        rects = np.ascontiguousarray(rects, np.float64).reshape(-1, 4)
        shapes = np.tile(self.mean, (len(rects), 1, 1))
        fit_shapes(
            readonly(photo),
            readonly(rects),
            self.mean,
            self.starts,
            self.offsets,
            self.features,
            self.thresholds,
            self.leaves,
            shapes,
        )
        unit = shapes.astype(np.float64)
        corner, opposite = rects[:, None, :2], rects[:, None, 2:]
        return np.asarray((opposite - corner) * unit + corner, np.float64)


def rounded(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """``landmarks`` at whole pixels, halves upwards, as dlib stores them."""
    return np.asarray(np.floor(landmarks + 0.5), np.float64)


@functools.cache
def five_point_predictor() -> ShapePredictor:
    """The pinned 5-point predictor; each eye's outer and inner corner, then the base of the nose.

    Raises WeightsError when the file is missing, damaged or another one.
    """
    return parse_shape_predictor(FIVE_POINT_MODEL.read(), FIVE_POINT_MODEL.path)


def parse_shape_predictor(data: bytes, name: str) -> ShapePredictor:
    """The predictor in ``data``, the bytes of a dlib ``shape_predictor`` file called ``name``."""
    reader = DlibReader(data, name)
    reader.expect_int(_VERSION, "the version of a shape predictor")
    mean = reader.read_matrix().astype(np.float32).ravel()
    if len(mean) != _COORDINATES:
        raise reader.error(f"expected {_COORDINATES} coordinates, found {len(mean)}")
    trees = [_read_trees(reader) for _ in range(reader.read_count())]
    anchors = [reader.read_ints(reader.read_count()) for _ in range(reader.read_count())]
    offsets = [reader.read_floats(2 * reader.read_count()) for _ in range(reader.read_count())]
    reader.expect_end()
    if not len(trees) == len(anchors) == len(offsets):
        raise reader.error("expected trees, pixels and offsets of as many stages")
    stages = [_group(reader, *stage) for stage in zip(trees, anchors, offsets, strict=True)]
    fields = (np.stack(field) for field in zip(*stages, strict=True))
    return ShapePredictor(readonly(mean.reshape(-1, 2)), *(readonly(field) for field in fields))


def _read_trees(reader: DlibReader) -> _Trees:
    """The trees of one stage.

    In the file a tree is its number of inner nodes, those nodes (two indices; a threshold as
    mantissa and exponent), its number of leaves, and those leaves (each a matrix of one column).
    """
    count = reader.read_count()
    inner, leaf = 4 * _INNER_NODES, 2 + 2 * _COORDINATES
    ints = reader.read_ints(count * (1 + inner + 1 + _LEAVES * leaf)).reshape(count, -1)
    nodes = ints[:, 1 : 1 + inner].reshape(count, _INNER_NODES, 4)
    leaves = ints[:, 2 + inner :].reshape(count, _LEAVES, leaf)
    sizes_agree = (
        (ints[:, 0] == _INNER_NODES).all()
        and (ints[:, 1 + inner] == _LEAVES).all()
        and (leaves[..., :2] == (-_COORDINATES, -1)).all()
    )
    if not sizes_agree:
        raise reader.error(f"expected trees of {_INNER_NODES} inner nodes and {_LEAVES} leaves")
    # Differences of grey levels are whole numbers, and d > t exactly when d > floor(t).
    thresholds = np.floor(_as_floats(nodes[..., 2], nodes[..., 3])).clip(-256, 256)
    values = _as_floats(leaves[..., 2::2], leaves[..., 3::2])
    return _Trees(nodes[..., :2], thresholds.astype(np.int16), values.astype(np.float32))


def _group(
    reader: DlibReader, trees: _Trees, anchors: NDArray[np.int64], offsets: NDArray[np.float64]
) -> tuple[NDArray[Any], ...]:
    """One stage as ShapePredictor has it, its pixels sorted by the landmark they hang on."""
    points = _COORDINATES // 2
    if len(offsets) != 2 * len(anchors) or not 0 <= anchors.min() <= anchors.max() < points:
        raise reader.error("expected every pixel to hang on a landmark of the shape")
    if not 0 <= trees.features.min() <= trees.features.max() < len(anchors):
        raise reader.error("expected trees to compare pixels that their stage looks at")
    order = np.argsort(anchors, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return (
        np.searchsorted(anchors[order], np.arange(points + 1)).astype(np.int64),
        offsets.reshape(-1, 2)[order].T.astype(np.float32),
        rank[trees.features].astype(np.uint16),
        trees.thresholds,
        trees.leaves,
    )


def _as_floats(mantissas: NDArray[np.int64], exponents: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.ldexp(mantissas.astype(np.float64), exponents.astype(np.int32)))
