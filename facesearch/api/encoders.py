"""Calibrate an encoder for int8 on given photos."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.api.arguments import AnyPath, to_path, to_paths
from facesearch.encoders import encoder_spec
from facesearch.encoders.int8_calibration import Int8Calibration, calibrate_int8
from facesearch.encoders.load import ranges_file, read_network
from facesearch.encoders.network_ir import Network
from facesearch.encoders.quantization import PACKAGED
from facesearch.engine import DECODE_SIDE, EncoderChoice, FaceEngine, create_engine
from facesearch.errors import InputError, PhotoError
from facesearch.images import decode_photo, find_photos

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncoderCalibration:
    """How close int8 is to fp32, and the ``file`` of ranges, which is only there where it is
    close enough to be used."""

    result: Int8Calibration
    file: Path


def calibrate_encoder(
    name: str,
    photos: AnyPath | Sequence[AnyPath],
    *,
    weights: AnyPath | None = None,
    faces: int = 512,
) -> EncoderCalibration:
    """Measure the ranges that the encoder ``name`` needs for int8, on up to so many ``faces``.

    They are kept in the cache folder, unless int8 turns out too far from fp32. Photos that cannot
    be read are skipped, with a warning. Raises InputError for weights that come with their
    ranges or were calibrated before, and for too few faces.
    """
    file = None if weights is None else to_path(weights, "file of weights")
    network = read_network(encoder_spec(name), file).network
    path = _ranges_path(network)
    engine = create_engine(encoder=EncoderChoice(name, file, "cpu", "fp32"))
    chips = _chips(engine, to_paths(photos, "folder of photos"), faces)
    return EncoderCalibration(calibrate_int8(network, chips, path), path)


def _ranges_path(network: Network) -> Path:
    """Where measured ranges are kept; raises InputError where there are some already."""
    path = ranges_file(network)
    if path.parent == PACKAGED:
        raise InputError("these weights have ranges already and need no calibration")
    if path.exists():
        raise InputError(
            f"these weights are calibrated already; to repeat it, delete {path}. Galleries that "
            "were made with the old ranges then accept no more faces"
        )
    return path


def _chips(engine: FaceEngine, photos: Sequence[Path], count: int) -> NDArray[np.uint8]:
    """The chips of up to ``count`` faces; photos that cannot be read are skipped."""
    side = engine.encoder.input_size
    chips = [np.zeros((0, side, side, 3), np.uint8)]
    for found in find_photos(photos):
        if sum(len(each) for each in chips) >= count:
            break
        try:
            pixels = decode_photo(found.location, max_side=DECODE_SIDE).pixels
        except PhotoError as error:
            logger.warning("skipped: %s: %s", found.location, error)
            continue
        chips.append(engine.aligner.align(pixels, engine.detect([pixels])[0]))
    return np.concatenate(chips)[:count]
