"""Changes to training crops: what the paper's robustness tables, and photo albums, hold.

All of a batch's random numbers are drawn at once from a generator that is made of seed and step,
so that a batch is the same whenever and wherever it is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.paper_networks.layers import Size
from facesearch.train.data.crop_file import Crops

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Augmentation:
    """How often and how strongly crops are changed; probabilities in [0, 1].

    ``flip``: probability of the mirror image. ``shift`` of at most this part of the side,
    ``rotation`` degrees, ``zoom`` by at most this part. ``light``: probability of another
    brightness and contrast; ``grey`` of no colour. ``small``: probability of being reduced to
    between ``least_pixels`` and the whole side, and enlarged again; ``blur`` of a Gaussian one of
    up to 2 pixels; ``jpeg`` of compression at quality 10 to 90.
    """

    flip: float = 0.5
    shift: float = 0.03
    rotation: float = 6.0
    zoom: float = 0.05
    light: float = 0.6
    grey: float = 0.1
    small: float = 0.2
    least_pixels: int = 20
    blur: float = 0.1
    jpeg: float = 0.2


NO_AUGMENTATION = Augmentation(0, 0, 0, 0, 0, 0, 0, 20, 0, 0)


def augmented(
    crops: Crops,
    margin: int,
    size: Size,
    changes: Augmentation,
    random: np.random.Generator,
) -> Crops:
    """Chips uint8 (n, size.rows, size.columns, 3) of ``crops`` uint8 (n, side, side, 3).

    The inner square, ``margin`` pixels inside, is scaled to ``size``; what a shift or turn brings
    in comes from the margin, and beyond it from the nearest pixel.
    """
    draws = random.random((len(crops), 16))
    matrices = _matrices(crops.shape[1], margin, size, changes, draws)
    out = np.empty((len(crops), size.rows, size.columns, 3), np.uint8)
    for index, crop in enumerate(crops):
        chip = cv2.warpAffine(
            crop, matrices[index], (size.columns, size.rows),
            flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        out[index] = _degraded(np.asarray(chip, np.uint8), changes, draws[index, 5:])
    return out


def _matrices(
    side: int, margin: int, size: Size, changes: Augmentation, draws: Floats
) -> NDArray[np.float64]:
    """Affine maps (n, 2, 3) from pixels of crops to those of chips."""
    turn = np.deg2rad(changes.rotation) * (2 * draws[:, 0] - 1)
    zoom = 1 + changes.zoom * (2 * draws[:, 1] - 1)
    shift = changes.shift * (2 * draws[:, 2:4] - 1)
    mirror = np.where(draws[:, 4] < changes.flip, -1.0, 1.0)
    # From the middle of the crop, in units of the inner square's side; pixel centres at +0.5.
    inner = side - 2 * margin
    scale = np.array([[size.columns], [size.rows]]) / inner
    cosine, sine = zoom * np.cos(turn), zoom * np.sin(turn)
    linear = np.stack([mirror * cosine, -sine, mirror * sine, cosine], 1).reshape(-1, 2, 2) * scale
    target = np.array([size.columns, size.rows])
    offset = target * (0.5 + shift) - linear @ np.full(2, side / 2)
    offset += linear @ np.full(2, 0.5) - 0.5
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def _degraded(chip: Crops, changes: Augmentation, draws: Floats) -> Crops:
    if draws[0] < changes.small:
        chip = _reduced(chip, changes.least_pixels, draws[1])
    if draws[2] < changes.blur:
        chip = np.asarray(cv2.GaussianBlur(chip, (0, 0), 0.3 + 1.7 * draws[3]), np.uint8)
    if draws[4] < changes.grey:
        grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
        chip = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    if draws[5] < changes.light:
        contrast, brightness = 0.65 + 0.7 * draws[6], 80 * (draws[7] - 0.5)
        values = (np.arange(256) - 127.5) * contrast + 127.5 + brightness
        chip = np.asarray(cv2.LUT(chip, np.clip(values, 0, 255).astype(np.uint8)), np.uint8)
    if draws[8] < changes.jpeg:
        quality = int(10 + 80 * draws[9])
        coded = cv2.imencode(".jpg", chip, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        chip = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return chip


def _reduced(chip: Crops, least: int, draw: float) -> Crops:
    rows, columns = chip.shape[:2]
    part = min(1.0, least / rows) ** draw  # log-uniform between the least and all of it
    small = (max(1, round(columns * part)), max(1, round(rows * part)))
    reduced = cv2.resize(chip, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (columns, rows)), np.uint8)
