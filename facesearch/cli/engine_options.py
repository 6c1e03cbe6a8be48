"""Options of every command that looks at photos, and the engine they describe."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from facesearch.engine import FaceEngine


_Number = TypeVar("_Number", int, float)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the detector's options."""
    group = parser.add_argument_group("finding faces")
    group.add_argument(
        "--detector",
        default="mtcnn",
        metavar="NAME",
        help="mtcnn, or the path of a YuNet ONNX file (default: mtcnn)",
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


def engine_of(args: argparse.Namespace, *, one_thread_each: bool = False) -> FaceEngine:
    """The engine the options describe.

    ``one_thread_each``: several threads will use the engine at once, so none may fan out.
    """
    import cv2
    import torch

    from facesearch.engine import create_engine

    threads = 1 if one_thread_each else available_cores()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    return create_engine(args.detector, min_face=args.min_face, min_score=args.min_score)


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def whole_number(text: str) -> int:
    """An argument that is a whole number, 0 or more."""
    return _number(text, int, 0, None, "a whole number of 0 or more")


def positive_int(text: str) -> int:
    """An argument that is a whole number above 0."""
    return _number(text, int, 1, None, "a whole number above 0")


def fraction(text: str) -> float:
    """An argument in [0, 1]."""
    return _number(text, float, 0, 1, "a number from 0 to 1")


def squared_distance(text: str) -> float:
    """An argument that is a squared distance between unit vectors."""
    return _number(text, float, 0, 4, "a squared distance from 0 to 4")


def _number(
    text: str, parse: Callable[[str], _Number], least: int, most: int | None, expected: str
) -> _Number:
    with suppress(ValueError):
        value = parse(text)
        if value >= least and (most is None or value <= most):
            return value
    raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
