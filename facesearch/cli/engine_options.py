"""Options of every command that looks at photos, and the engine they describe."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from indexer.runtime.cores import available_cores

if TYPE_CHECKING:
    from facesearch.encoders import Thresholds
    from facesearch.encoders.types import EncoderContract
    from facesearch.engine import EncoderChoice, FaceEngine


_MOST_BYTES = 2.0**60
_Number = TypeVar("_Number", int, float)


def add_engine_options(parser: argparse.ArgumentParser, *, encoder: bool = True) -> None:
    """Add the detector's and the encoder's options; ``encoder``: whether it may be named."""
    group = parser.add_argument_group("finding faces")
    group.add_argument(
        "--detector",
        metavar="NAME",
        help="mtcnn, or the path of a YuNet ONNX file (default: as in the gallery, else mtcnn)",
    )
    group.add_argument(
        "--min-face",
        type=positive_int,
        metavar="PIXELS",
        help="smallest face to find, in pixels of a photo at most 1024 pixels long",
    )
    group.add_argument(
        "--min-score",
        type=fraction,
        metavar="SCORE",
        help="leave out faces the detector is less sure of, 0 to 1",
    )
    add_encoder_options(parser, named=encoder)


def add_encoder_options(parser: argparse.ArgumentParser, *, named: bool = True) -> None:
    """Add the options of the encoder alone; where none is given, a gallery's own apply.

    ``named``: with the option that names it.
    """
    group = parser.add_argument_group(
        "embedding faces", "By default as in the gallery; for a new one, the default encoder's."
    )
    if named:
        group.add_argument("--encoder", metavar="NAME", help="one of: facesearch encoders")
    group.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights in place of the encoder's own"
    )
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16", "int8"),
        help="numbers to compute with (default: the fastest that is as right as fp32)",
    )
    group.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)"
    )
    group.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="average each face with its mirror image: more accurate, twice the encoder's work "
        "(default: yes)",
    )


def add_search_device(parser: argparse.ArgumentParser) -> None:
    """Add the device of the search, which is not that of the encoder."""
    parser.add_argument(
        "--search-device",
        type=search_device,
        default="auto",
        metavar="DEVICE",
        help="where vectors are compared: cpu, cuda, cuda:N, or auto, which takes a GPU once that "
        "pays; answers are the same (default: auto)",
    )


def engine_of(
    args: argparse.Namespace, contract: EncoderContract | None = None, *, callers: int = 1
) -> FaceEngine:
    """The engine the options describe, for the rest as ``contract`` has it.

    ``callers``: how many threads will use the engine at once; none of several may fan out.
    """
    import cv2

    from facesearch.detect import DEFAULT_DETECTOR, detector_of
    from facesearch.engine import create_engine

    threads = 1 if callers > 1 else available_cores()
    cv2.setNumThreads(threads)
    choice = encoder_choice(args, contract, threads=threads, callers=callers)
    detector = args.detector or (detector_of(contract.detector) if contract else DEFAULT_DETECTOR)
    return create_engine(detector, choice, min_face=args.min_face, min_score=args.min_score)


def encoder_choice(
    args: argparse.Namespace,
    contract: EncoderContract | None,
    *,
    threads: int | None = None,
    callers: int = 1,
) -> EncoderChoice:
    """The encoder the options describe, for the rest as ``contract`` has it."""
    from facesearch.engine import EncoderChoice, settled

    given = {"name": args.encoder, "precision": args.precision, "flip": args.flip}
    chosen = {name: value for name, value in given.items() if value is not None}
    base = settled(contract) if contract else {}
    placed = {"weights": args.weights, "device": args.device, "threads": threads}
    return EncoderChoice(**{**base, **chosen, **placed, "callers": callers})


def default_thresholds(contract: EncoderContract) -> Thresholds:
    """The thresholds of vectors of ``contract``; says on standard error where they are guesses."""
    from facesearch.encoders import thresholds_of

    thresholds = thresholds_of(contract)
    if not thresholds.learned:
        print(
            f"facesearch: the thresholds of {contract.name} are guesses; learn them from photos "
            f"of known people with: facesearch encoders calibrate {contract.name} FOLDER",
            file=sys.stderr,
        )
    return thresholds


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
