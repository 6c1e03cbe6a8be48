"""Encoders by name, whoever brought them, and their thresholds. Imports no torch."""

from __future__ import annotations

import logging
from pathlib import Path

from facesearch.encoders.catalogue.added import added_names, named_encoder
from facesearch.encoders.catalogue.known import DLIB, ENCODERS, PREFERRED
from facesearch.encoders.catalogue.learned import read_learned
from facesearch.encoders.catalogue.spec import UNLEARNED, EncoderSpec, Thresholds
from facesearch.encoders.types import Encoder, EncoderContract

logger = logging.getLogger(__name__)

# What needs no download. What a new gallery takes is default_encoder().
DEFAULT_ENCODER = DLIB.name


def encoder_names() -> list[str]:
    """Names of all encoders: those known, then those that were added."""
    return [*ENCODERS, *(name for name in added_names() if name not in ENCODERS)]


def encoder_spec(name: str) -> EncoderSpec:
    """The encoder called ``name``; raises :class:`InputError` naming those there are."""
    return named_encoder(name)


def default_encoder() -> str:
    """The best encoder whose files are here, which a new gallery takes."""
    return next(name for name in PREFERRED if ENCODERS[name].present)


def better_encoder(name: str) -> str | None:
    """An encoder known to tell people apart better than ``name`` and not fetched, or None."""
    if name not in PREFERRED:
        return None
    better = PREFERRED[: PREFERRED.index(name)]
    return next((each for each in better if not ENCODERS[each].present), None)


def thresholds_of(contract: EncoderContract) -> Thresholds:
    """The thresholds of vectors of ``contract``: learned, else the encoder's, else a guess.

    Those of an encoder that is not known here, as of a gallery that a program filled, are a guess
    until they were learned; :attr:`Thresholds.learned` tells.
    """
    learned = read_learned(contract)
    if learned is not None:
        return learned
    if contract.name in ENCODERS:
        return ENCODERS[contract.name].thresholds(contract.flip)
    return UNLEARNED


def thresholds_in_use(contract: EncoderContract) -> Thresholds:
    """As :func:`thresholds_of`, for a use of them: where they are a guess, that is logged."""
    thresholds = thresholds_of(contract)
    if not thresholds.learned:
        logger.warning(
            "the thresholds of %s are guesses; learn them from photos of known people with: "
            "facesearch encoders calibrate %s FOLDER",
            contract.name,
            contract.name,
        )
    return thresholds


def load_encoder(  # noqa: PLR0917 - a front door, called by names
    name: str = DEFAULT_ENCODER,
    weights: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    callers: int = 1,
) -> Encoder:
    """The encoder called ``name``, its weights read and checked.

    ``weights``: a file to take in place of the encoder's own; ``device``: "auto", "cpu" or "cuda";
    ``precision``: "fp32", "bf16", "fp16" (GPU), "int8" (CPU), or "auto" for int8 where it was found
    as right as fp32, else fp32; ``threads``: how many cores a call may use (None: all);
    ``callers``: how many threads will call at once. Raises :class:`InputError` for an unknown name
    or what cannot be had here, and :class:`facesearch.errors.WeightsError` when the model file is
    missing, damaged or not the pinned one.
    """
    # Imported here because a command may only ask for thresholds.
    from facesearch.encoders.backends import Placement  # noqa: PLC0415
    from facesearch.encoders.load import load  # noqa: PLC0415

    return load(encoder_spec(name), weights, Placement(device, precision, threads, callers))
