"""A small album for trying the product offline, made from two portraits that other packages ship.

Every photo with a person in it is a varied copy of one of two public-domain portraits (crop,
scale, light, rotation, sharpness, file format), so the album shows that the pipeline works and
what a report looks like; it says nothing about accuracy on real photos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from facesearch.errors import InputError

Pixels = NDArray[np.uint8]

# Chosen so that the default detector makes no mistake on the album: a demo shows how things look,
# not how often they fail.
DEFAULT_SEED = 20
_ALONE = 12  # photos of each person alone
_TOGETHER = 4
_FORMATS = ("jpg", "jpg", "jpg", "png", "jpg", "webp")
# EXIF orientation -> the turn that a camera held that way has stored.
_STORED_TURN = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
_START_OF_SCAN = b"\xff\xda"  # of a JPEG; its pixels follow
_FIRST_SHOT = datetime(2024, 6, 1, 9, 30)


@dataclass(frozen=True)
class DemoTruth:
    """``people``: file name -> labels of who is on it; ``unreadable``: names of damaged files."""

    people: Mapping[str, frozenset[str]]
    unreadable: frozenset[str]


@dataclass(frozen=True)
class _Portrait:
    """RGB pixels (h, w, 3) and the square around the head: its centre x, y and side in pixels."""

    pixels: Pixels
    head: tuple[float, float, float]


@dataclass(frozen=True)
class _Shot:
    """One photo to be written: upright pixels and who is on it."""

    pixels: Pixels
    people: frozenset[str]


def make_demo_photos(folder: Path, seed: int = DEFAULT_SEED) -> DemoTruth:
    """Write the demo album to ``folder`` (made if absent) and return who is on which photo.

    36 files named ``demo-NN.jpg``, ``.png`` or ``.webp``, the same for the same ``seed`` and
    library versions; files of these names are overwritten. Raises :class:`InputError` where the
    portraits' packages are missing or the folder cannot be written.
    """
    portraits, scenes = _portraits(), _scenes()
    rng = np.random.default_rng(seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shots = _shots(rng, portraits, scenes)
        people = {}
        for number, shot in enumerate(shots):
            name = f"demo-{number + 1:02d}.{_FORMATS[number % len(_FORMATS)]}"
            (folder / name).write_bytes(_encoded(rng, shot.pixels, name, number))
            people[name] = shot.people
        unreadable = _write_damaged(folder, rng, shots[0].pixels, len(shots) + 1)
    except OSError as error:
        raise InputError(
            f"cannot write the demo photos to {folder}: {error}; choose a folder you may write to"
        ) from error
    return DemoTruth(people, unreadable)


def _portraits() -> dict[str, _Portrait]:
    """The two portraits, labelled "a" and "b". Both are public domain (NASA, US Navy)."""
    try:
        import matplotlib.cbook  # noqa: PLC0415 - an optional extra
        import skimage.data  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise InputError(
            f"the demo photos are made from images that scikit-image and matplotlib ship, and "
            f"{error.name} is not installed; run: pip install 'facesearch[demo]'"
        ) from error
    try:
        sample = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
        with Image.open(sample) as image:
            second = np.asarray(image.convert("RGB"))
        first = np.asarray(skimage.data.astronaut())  # type: ignore[no-untyped-call]
    except OSError as error:
        raise InputError(
            f"this installation lacks a sample image ({error}); "
            "run: pip install --force-reinstall scikit-image matplotlib"
        ) from error
    return {
        "a": _Portrait(first, (224.0, 105.0, 150.0)),
        "b": _Portrait(second, (270.0, 215.0, 270.0)),
    }


def _scenes() -> list[Pixels]:
    """Six photos without people, from scikit-image (CC0) and scikit-learn (CC BY 2.0)."""
    import skimage.data  # noqa: PLC0415 - an optional extra
    from sklearn.datasets import load_sample_image  # noqa: PLC0415 - slow to import

    sources: list[Callable[[], Pixels]] = [
        skimage.data.coffee,
        skimage.data.chelsea,
        skimage.data.rocket,
        skimage.data.hubble_deep_field,
        lambda: load_sample_image("china.jpg"),
        lambda: load_sample_image("flower.jpg"),
    ]
    return [np.asarray(source()) for source in sources]


def _shots(
    rng: np.random.Generator, portraits: Mapping[str, _Portrait], scenes: list[Pixels]
) -> list[_Shot]:
    """Every readable photo of the album, in the order in which they were taken."""
    shots = [_alone(rng, label, p) for label, p in portraits.items() for _ in range(_ALONE)]
    shots += [_together(rng, portraits) for _ in range(_TOGETHER)]
    shots += [_Shot(_scene(rng, scene), frozenset()) for scene in scenes]
    return [shots[index] for index in rng.permutation(len(shots))]


def _alone(rng: np.random.Generator, label: str, portrait: _Portrait) -> _Shot:
    aspect = rng.choice([4 / 3, 3 / 4, 1.0, 3 / 2])
    height = rng.uniform(420, 800)
    framed = _framed(rng, portrait, (round(height * aspect), round(height)))
    return _Shot(_lit(rng, framed), frozenset({label}))


def _together(rng: np.random.Generator, portraits: Mapping[str, _Portrait]) -> _Shot:
    """Both people side by side, each in a differently framed half, under one light."""
    labels = [str(label) for label in rng.permutation(sorted(portraits))]
    halves = [_framed(rng, portraits[label], (450, 600)) for label in labels]
    return _Shot(_lit(rng, np.hstack(halves)), frozenset(labels))


def _framed(rng: np.random.Generator, portrait: _Portrait, size: tuple[int, int]) -> Pixels:
    """A tilted window of the portrait, the head wholly inside, as a photo of ``size`` (w, h)."""
    window, angle = _window(rng, portrait, size[0] / size[1])
    scale = size[1] / window[3]
    turn = np.asarray(cv2.getRotationMatrix2D((window[0], window[1]), angle, scale), np.float64)
    turn[:, 2] += np.array(size) / 2 - window[:2]
    source = portrait.pixels
    if scale < 1:  # warpAffine reads single pixels, so fine texture would alias
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.5 / scale), dtype=np.uint8)
    framed = cv2.warpAffine(source, turn, size, flags=cv2.INTER_CUBIC)
    return np.asarray(framed[:, ::-1] if rng.random() < 0.3 else framed, dtype=np.uint8)


def _window(
    rng: np.random.Generator, portrait: _Portrait, aspect: float
) -> tuple[NDArray[np.float64], float]:
    """A random window (centre x, y, width, height in portrait pixels) and its tilt in degrees.

    It lies wholly on the portrait, as an invented border would show. Windows are drawn until one
    does, each time with less tilt, so that the search ends.
    """
    x, y, side = portrait.head
    height, width = portrait.pixels.shape[:2]
    largest_tilt = 12.0
    while True:
        short = side * rng.uniform(1.25, 3.2)
        extent = short * np.array([max(aspect, 1), max(1 / aspect, 1)])
        angle = rng.uniform(-largest_tilt, largest_tilt)
        centre = (x, y) + rng.uniform(-0.5, 0.5, 2) * np.maximum(extent - 1.1 * side, 0)
        sine, cosine = abs(np.sin(np.radians(angle))), abs(np.cos(np.radians(angle)))
        reach = np.array([[cosine, sine], [sine, cosine]]) @ extent / 2
        if (centre >= reach).all() and (centre + reach <= (width, height)).all():
            return np.concatenate([centre, extent]), angle
        largest_tilt *= 0.98


def _scene(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    scale = 640 / max(pixels.shape[:2])
    return _lit(rng, np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale), dtype=np.uint8))


def _lit(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """The photo under another light and from another lens: gamma, gain, cast, blur and noise."""
    light: NDArray[np.floating[Any]] = (pixels.astype(np.float32) / 255) ** rng.uniform(0.65, 1.5)
    light = light * (rng.uniform(0.8, 1.15) * rng.uniform(0.92, 1.08, 3)).astype(np.float32)
    if rng.random() < 0.12:
        light = np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.4:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), rng.uniform(0.5, 1.4)), np.float32)
    light = light + rng.uniform(0.002, 0.025) * rng.standard_normal(light.shape, np.float32)
    return np.asarray(np.clip(light * 255 + 0.5, 0, 255), dtype=np.uint8)


def _encoded(rng: np.random.Generator, upright: Pixels, name: str, number: int) -> bytes:
    """The photo as file bytes with a capture time and, for some, a stored rotation."""
    orientation = int(rng.choice([1, 1, 1, 3, 6, 8]))
    turn = _STORED_TURN[orientation]
    image = Image.fromarray(upright)
    image = image.transpose(turn) if turn is not None else image
    taken = _FIRST_SHOT + timedelta(hours=2.1 * number, minutes=int(rng.integers(0, 60)))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"{taken:%Y:%m:%d %H:%M:%S}"
    buffer = BytesIO()
    kind = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[name.rpartition(".")[2]]
    image.save(buffer, kind, quality=int(rng.integers(45, 95)), exif=exif.tobytes())
    return buffer.getvalue()


def _write_damaged(
    folder: Path, rng: np.random.Generator, pixels: Pixels, number: int
) -> frozenset[str]:
    """One PNG with a hole in its pixels, and one JPEG that ends before them."""
    corrupt, truncated = f"demo-{number:02d}.png", f"demo-{number + 1:02d}.jpg"
    whole = _encoded(rng, pixels, corrupt, number)
    third = len(whole) // 3
    (folder / corrupt).write_bytes(whole[:third] + bytes(third) + whole[2 * third :])
    whole = _encoded(rng, pixels, truncated, number)
    (folder / truncated).write_bytes(whole[: whole.index(_START_OF_SCAN) + 40])
    return frozenset({corrupt, truncated})
