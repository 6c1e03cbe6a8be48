"""Photos made worse in known ways, to see what a quality score makes of them.

Each way takes a photo RGB uint8 (h, w, 3), a severity in [0, 1] and a generator, and gives a photo
of the same kind. Severities are spread so that 0 is barely visible and 1 leaves hardly a face.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from facesearch.detect.types import Pixels

Way = Callable[[Pixels, float, np.random.Generator], Pixels]


def blur(photo: Pixels, severity: float, _: np.random.Generator) -> Pixels:
    """Out of focus: a Gaussian of 0.8 to 8 pixels."""
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.8 * 10**severity), np.uint8)


def downscale(photo: Pixels, severity: float, _: np.random.Generator) -> Pixels:
    """Fewer pixels: 0.7 to 0.14 of the sides, and left so."""
    factor = 0.7 * 0.2**severity
    return np.asarray(cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def noise(photo: Pixels, severity: float, generator: np.random.Generator) -> Pixels:
    """Little light: Gaussian noise with a standard deviation of 5 to 80."""
    noisy = photo + generator.normal(0, 5 * 16**severity, photo.shape)
    return np.asarray(np.clip(np.round(noisy), 0, 255), np.uint8)


def occlusion(photo: Pixels, severity: float, generator: np.random.Generator) -> Pixels:
    """Something before the face: a square of one colour over a part of the photo's middle."""
    height, width = photo.shape[:2]
    side = (0.08 + 0.22 * severity) * width
    x, y = generator.uniform(0.32, 0.68, 2) * (width, height)
    covered = photo.copy()
    rows, columns = (slice(max(0, int(at - side / 2)), int(at + side / 2)) for at in (y, x))
    covered[rows, columns] = generator.integers(0, 256, 3)
    return covered


def motion(photo: Pixels, severity: float, generator: np.random.Generator) -> Pixels:
    """A moved camera: a streak of 3 to 30 pixels in some direction."""
    length = round(3 * 10**severity)
    kernel = np.zeros((length, length), np.float32)
    angle = generator.uniform(0, np.pi)
    offset = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    start, end = ((length - 1) / 2 - offset).round(), ((length - 1) / 2 + offset).round()
    cv2.line(kernel, start.astype(int).tolist(), end.astype(int).tolist(), 1.0)
    return np.asarray(cv2.filter2D(photo, -1, kernel / kernel.sum()), np.uint8)


def jpeg(photo: Pixels, severity: float, _: np.random.Generator) -> Pixels:
    """Strong compression: JPEG at quality 30 to 2."""
    quality = round(30 * (2 / 30) ** severity)
    _, data = cv2.imencode(".jpg", photo[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])


def darkness(photo: Pixels, severity: float, _: np.random.Generator) -> Pixels:
    """Underexposed: 0.5 to 0.02 of the light, in whole steps of a byte."""
    return np.asarray(np.round(photo * (0.5 * 0.04**severity)), np.uint8)


FITTED: tuple[Way, ...] = (blur, downscale, noise, occlusion, darkness)
OTHERS: tuple[Way, ...] = (motion, jpeg)


def degraded(photo: Pixels, name: str, ways: Sequence[Way], seed: int = 0) -> tuple[Pixels, str]:
    """``photo`` made worse in one of ``ways``, drawn by its ``name``; and the way's name."""
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    way = ways[int(generator.integers(len(ways)))]
    return way(photo, float(generator.uniform()), generator), way.__name__
