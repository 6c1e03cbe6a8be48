"""Fetch encoders, and calibrate and quantise them on given photos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.api.arguments import (
    AnyPath,
    to_engine_options,
    to_path,
    to_photo,
    to_photos,
)
from facesearch.argument_checks import instance, whole_number
from facesearch.encoders import Thresholds, encoder_spec
from facesearch.encoders.catalogue.learned import keep_learned
from facesearch.encoders.int8_calibration import Int8Calibration, calibrate_int8
from facesearch.encoders.load import ranges_file, read_network
from facesearch.encoders.network_ir import Network
from facesearch.encoders.quantization import PACKAGED
from facesearch.encoders.types import EncoderContract
from facesearch.engine import DECODE_SIDE, EncoderChoice, FaceEngine, create_engine
from facesearch.engine_options import DEFAULT_ENGINE, EngineOptions
from facesearch.errors import InputError, PhotoError
from facesearch.evaluate.datasets.embed_dataset import DatasetEmbedOptions, Progress
from facesearch.evaluate.datasets.labelled_photos import read_folder
from facesearch.evaluate.protocols import Setup
from facesearch.evaluate.thresholds import learn_thresholds
from facesearch.images import decode_photo, find_photos
from facesearch.model_files.download import DownloadedFile, Fetched, adopt, fetch
from indexer.storage.atomic_files import sha256_of

logger = logging.getLogger(__name__)

FetchProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class EncoderQuantisation:
    """How close int8 is to fp32, and the ``file`` of ranges, which is only there where it is
    close enough to be used."""

    result: Int8Calibration
    file: Path


@dataclass(frozen=True)
class FetchedEncoder:
    """The files of an encoder, which are here now.

    ``fetched`` is False for one that needs no fetching. ``first_use``: no digest was published for
    one of them, and later downloads must have the digest that it has now.
    """

    name: str
    files: tuple[Fetched, ...]
    fetched: bool

    @property
    def first_use(self) -> bool:
        """Whether a digest was recorded for want of a published one."""
        return any(each.first_use for each in self.files)


def fetch_encoder(
    name: str,
    *,
    url: str | None = None,
    folder: AnyPath | None = None,
    progress: FetchProgress = lambda file, done, total: None,
) -> FetchedEncoder:
    """Download the files of the encoder ``name`` once, or copy them from ``folder``.

    ``url`` is another address of the same file, for an encoder of one file. ``progress`` is called
    with a file's name, its bytes so far, and their number, None while that is unknown. Raises
    InputError for another name, WeightsError for what cannot be fetched or is another file.
    """
    spec = encoder_spec(name)
    instance(url, str | None, "an address as url")
    source = None if folder is None else to_path(folder, "folder of the files")
    files = [file for file in spec.files if isinstance(file, DownloadedFile)]
    if url is not None and (len(files) != 1 or source is not None):
        raise InputError(f"expected --url for an encoder of one file; {name} has {len(files)}")
    if not files:
        path = spec.weights.locate()
        return FetchedEncoder(name, (Fetched(path, sha256_of(path), False),), fetched=False)
    if source is not None:
        return FetchedEncoder(name, tuple(adopt(each, source / each.name) for each in files), True)
    fetched = (fetch(each, url, partial(progress, each.name)) for each in files)
    return FetchedEncoder(name, tuple(fetched), fetched=True)


def quantise_encoder(
    name: str,
    photos: AnyPath | Sequence[AnyPath],
    *,
    weights: AnyPath | None = None,
    faces: int = 512,
) -> EncoderQuantisation:
    """Measure the ranges that the encoder ``name`` needs for int8, on up to so many ``faces``.

    They are kept in the cache folder, unless int8 turns out too far from fp32. Photos that cannot
    be read are skipped, with a warning. Raises InputError for weights that come with their
    ranges or were calibrated before, and for too few faces.
    """
    file = None if weights is None else to_path(weights, "file of weights")
    whole_number(faces, "how many faces at most", 1)
    chosen = to_photos(photos, "folder of photos")
    network = read_network(encoder_spec(name), file).network
    path = _ranges_path(network)
    engine = create_engine(encoder=EncoderChoice(name, file, "cpu", "fp32"))
    chips = _chips(engine, chosen, faces)
    return EncoderQuantisation(calibrate_int8(network, chips, path), path)


@dataclass(frozen=True)
class EncoderCalibration:
    """What was learned, the ``file`` it is kept in, the contract it holds for, and the share of
    pairs of one person that are within the identification threshold."""

    thresholds: Thresholds
    file: Path
    contract: EncoderContract
    true_accepts: float


def calibrate_encoder(
    name: str,
    photos: AnyPath,
    *,
    engine: EngineOptions = DEFAULT_ENGINE,
    cache: AnyPath | None = None,
    progress: Progress = lambda done, total: None,
) -> EncoderCalibration:
    """Learn the thresholds of the encoder ``name``, and keep them for all galleries made with it.

    ``photos`` is a folder with a folder of photos for each person; 50 people with 3 photos each
    suffice, and the more like one's own photos they are, the better. ``cache`` is a folder in which
    vectors are kept between runs. Raises InputError where there are too few people or photos.
    """
    folder = to_photo(photos, "folder of photos")
    options = DatasetEmbedOptions.for_cores(None if cache is None else to_path(cache, "cache"))
    ready = replace(to_engine_options(engine), encoder=name).create(callers=options.threads)
    setup = Setup(ready, options=options, progress=progress)
    thresholds, pairs = learn_thresholds(setup, read_folder(folder))
    file = keep_learned(ready.contract, thresholds)
    accepted = pairs.at_far[-1].validation_rate
    return EncoderCalibration(thresholds, file, ready.contract, accepted)


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
