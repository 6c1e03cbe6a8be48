"""Pictures as other programs read them: OpenCV, tifffile, LibRaw and FFmpeg."""

from __future__ import annotations

import io
import re
from typing import Any

import cv2
import numpy as np
import skimage.color
import tifffile
from numpy.typing import NDArray
from PIL import Image

from benchmarks.common.kinds_of_files import KindOfFile, Pixels
from facesearch.images.sniff import sniff

_EXIF = re.compile(rb"Exif\0\0(?:II\*\0|MM\0\*)")
_D50_TO_D65 = (
    (0.9555766, -0.0230393, 0.0631636),
    (-0.0282895, 1.0099416, 0.0210077),
    (0.0122982, -0.0204830, 1.3299098),
)
_Read = tuple[str, Pixels | None]


def read_elsewhere(each: KindOfFile) -> _Read:
    """Another program, and what it makes of a file: upright, RGB in eight bits; "" and None where
    no other reads it.

    Raw files are developed by the same library as ours, which there is called with none of our
    choices; the others share no code with ours.
    """
    if each.name.endswith(".dng") or ("camera" in each.name and each.name.endswith(".tif")):
        return _by_libraw(each.data)
    if each.data[:2] in (b"II", b"MM"):
        name, pixels = _by_tifffile(each.data)
        return (name, pixels) if pixels is not None else _by_opencv(each.data)
    if sniff(each.data) == "HEIF":
        return _by_ffmpeg(each.data)
    name, pixels = _by_opencv(each.data)
    if pixels is None and sniff(each.data) == "JPEG":  # one that ends early, which OpenCV refuses
        return _by_ffmpeg(each.data, "mjpeg")
    return name, pixels


def _by_libraw(data: bytes) -> _Read:
    import rawpy

    with rawpy.imread(io.BytesIO(data)) as raw:
        return "LibRaw", np.asarray(raw.postprocess(use_camera_wb=True), np.uint8)


def _by_opencv(data: bytes) -> _Read:
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return ("", None) if read is None else ("OpenCV", np.asarray(read[..., ::-1], np.uint8))


def _by_tifffile(data: bytes) -> _Read:
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = max(file.pages, key=lambda page: page.imagelength)
            samples, photometric = page.asarray(), page.photometric.name
    except (KeyError, ValueError):  # a codec that it does not have
        return "", None
    if photometric == "CIELAB":
        return "tifffile", _of_lab(samples)
    if photometric not in ("RGB", "MINISBLACK"):
        return "", None
    if samples.ndim == 3 and samples.shape[0] == 3:
        samples = np.moveaxis(samples, 0, 2)
    low, high = (0.0, 1.0)
    if samples.dtype.kind in "iu":
        low, high = float(np.iinfo(samples.dtype).min), float(np.iinfo(samples.dtype).max)
    pixels = np.round((samples.astype(np.float64) - low) * 255 / (high - low)).astype(np.uint8)
    return "tifffile", np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def _of_lab(samples: NDArray[np.uint8]) -> Pixels:
    """RGB of TIFF's CIE L*a*b*, whose white is D50 (TIFF 6.0, section 23; matrix of Bradford's)."""
    signed = samples[..., 1:].view(np.int8)
    lab = np.concatenate([samples[..., :1] / 2.55, signed], axis=2)
    xyz = skimage.color.lab2xyz(lab, illuminant="D50") @ np.array(_D50_TO_D65).T
    return np.round(skimage.color.xyz2rgb(xyz) * 255).astype(np.uint8)


def _by_ffmpeg(data: bytes, form: str | None = None) -> _Read:
    """A HEIC, or a JPEG, by FFmpeg, which does not turn it; by its EXIF it is turned here."""
    try:
        import av
    except ImportError:  # of the extra "video"
        return "", None
    with av.open(io.BytesIO(data), format=form) as container:
        stored: Any = next(container.decode(video=0)).to_ndarray(format="rgb24")
    pixels = np.ascontiguousarray(stored)
    return "FFmpeg", _turned(pixels, _stated_orientation(data))


def _stated_orientation(data: bytes) -> int:
    """The orientation in the EXIF data of a HEIC, which are known by how they begin."""
    found = _EXIF.search(data)
    if found is None:
        return 1
    exif = Image.Exif()
    exif.load(data[found.start() :])
    return int(exif.get(0x0112, 1))


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    turns = {1: 0, 3: 2, 6: 3, 8: 1}
    return np.ascontiguousarray(np.rot90(pixels, turns[orientation]))
