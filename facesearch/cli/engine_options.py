"""Options of the commands that detect and encode faces, and the engine they describe."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from facesearch.engine_options import EngineOptions

_MOST_BYTES = 2.0**60
_Number = TypeVar("_Number", int, float)


def add_engine_options(parser: argparse.ArgumentParser, *, encoder: bool = True) -> None:
    """Add the detector's and the encoder's options."""
    add_detector_options(parser)
    add_encoder_options(parser, named=encoder)


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the detector alone."""
    group = parser.add_argument_group("finding faces")
    group.add_argument(
        "--detector",
        metavar="NAME",
        help="detector: yunet, mtcnn, or the path of an ONNX file of YuNet or SCRFD (default: that "
        "of the gallery, or yunet for a new gallery)",
    )
    group.add_argument(
        "--min-face",
        type=positive_int,
        metavar="PIXELS",
        help="smallest face to find, in pixels after a photo is scaled to at most 1024 pixels "
        "(default: 20); the larger, the less time yunet takes",
    )
    group.add_argument(
        "--min-score",
        type=fraction,
        metavar="SCORE",
        help="ignore faces with a lower detection score, 0 to 1",
    )
    group.add_argument(
        "--turned",
        action=argparse.BooleanOptionalAction,
        help="also find faces that are turned to the side or upside down (default: yes with yunet)",
    )


def add_encoder_options(parser: argparse.ArgumentParser, *, named: bool = True) -> None:
    """Add the options of the encoder alone; those of the gallery are the defaults.

    ``named``: with the option that names it.
    """
    group = parser.add_argument_group(
        "embedding faces",
        "The defaults are those of the gallery, or of the encoder for a new gallery.",
    )
    if named:
        group.add_argument(
            "--encoder",
            metavar="NAME",
            help="name of an encoder; list them with: facesearch encoders",
        )
    group.add_argument("--weights", type=Path, metavar="FILE", help="other weights for the encoder")
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16", "int8"),
        help="number format to compute in (default: the fastest that is as accurate as fp32)",
    )
    group.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="device that runs the encoder (default: auto)",
    )
    group.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="average each face with its mirror image: more accurate, but twice the work "
        "(default: yes)",
    )


def add_search_device(parser: argparse.ArgumentParser) -> None:
    """Add the device of the search, which is not that of the encoder."""
    parser.add_argument(
        "--search-device",
        type=search_device,
        default="auto",
        metavar="DEVICE",
        help="device that compares vectors: cpu, cuda, cuda:N, or auto, which uses a GPU if that "
        "is faster; results are the same (default: auto)",
    )


def engine_options(args: argparse.Namespace) -> EngineOptions:
    """The engine that the options describe."""
    return EngineOptions(
        detector=args.detector,
        min_face=args.min_face,
        min_score=args.min_score,
        encoder=args.encoder,
        weights=args.weights,
        device=args.device,
        precision=args.precision,
        flip=args.flip,
        turned=args.turned,
    )


def whole_number(text: str) -> int:
    """An argument that is a whole number, 0 or more."""
    return _number(text, int, 0, None, "a whole number of 0 or more")


def byte_size(text: str) -> int:
    """Bytes, such as 500MB, 8GiB or 1000000."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?", text.strip(), re.IGNORECASE)
    if found:
        base = 1024 if found[3] else 1000
        power = "KMGT".index(found[2].upper()) + 1 if found[2] else 0
        size = float(found[1]) * base**power
        if 1 <= size <= _MOST_BYTES:
            return int(size)
    raise argparse.ArgumentTypeError(f"expected a size such as 8GiB or 500MB, got {text!r}")


def recall(text: str) -> float:
    """A share of searches."""
    return _number(text, float, 0.5, 1, "a recall from 0.5 to 1")


def positive_int(text: str) -> int:
    """An argument that is a whole number above 0."""
    return _number(text, int, 1, None, "a whole number above 0")


def fraction(text: str) -> float:
    """An argument in [0, 1]."""
    return _number(text, float, 0, 1, "a number from 0 to 1")


def squared_distance(text: str) -> float:
    """An argument that is a squared distance between unit vectors."""
    return _number(text, float, 0, 4, "a squared distance from 0 to 4")


def search_device(text: str) -> str:
    """An argument that names a device, whether or not it is there."""
    from indexer.errors import DeviceError
    from indexer.runtime.devices import check_device

    try:
        return check_device(text)
    except DeviceError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(
    text: str, parse: Callable[[str], _Number], least: float, most: int | None, expected: str
) -> _Number:
    with suppress(ValueError):
        value = parse(text)
        if value >= least and (most is None or value <= most):
            return value
    raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
