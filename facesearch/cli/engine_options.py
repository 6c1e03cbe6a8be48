"""Options of every command that looks at photos, and the engine they describe."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facesearch.engine import FaceEngine


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


def positive_int(text: str) -> int:
    """An argument that is a whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text}")
    return value


def fraction(text: str) -> float:
    """An argument in [0, 1]."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")
    return value


def squared_distance(text: str) -> float:
    """An argument that is a squared distance between unit vectors."""
    value = float(text)
    if not 0 <= value <= 4:
        raise argparse.ArgumentTypeError(f"expected a squared distance from 0 to 4, got {text}")
    return value
