"""What the commands that ask about photos say of a face, and of a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from facesearch.cli.engine_options import squared_distance
from facesearch.cli.output import box_text

if TYPE_CHECKING:
    from facesearch.recognition.documents import Document

_FROM = {
    "given": "as given",
    "calibration": "calibrated",
    "stale calibration": "calibrated, but stale: run facesearch calibrate",
    "encoder": "the encoder's default, as too few people are known here to calibrate",
}


def add_threshold(parser: argparse.ArgumentParser, default: str) -> None:
    """The option ``--threshold``; ``default`` says what it is otherwise."""
    parser.add_argument(
        "--threshold",
        type=squared_distance,
        metavar="D",
        help=f"largest squared distance of the same person (default: {default})",
    )


def is_video_file(photo: Path | str) -> bool:
    """Whether the question is a video, which a service does not take."""
    from facesearch.video.reader import is_video

    return is_video(Path(photo))


def where(face: Document) -> str:
    """Where a face is in a photo, or when a track is seen in a video."""
    return str(face["time"]) if face.get("time") else box_text(face["box"])


def name_text(face: Document) -> str:
    """The name, "unknown", or the name with a warning."""
    if face["person"] is None:
        return "unknown"
    return f"{face['person']} (unsure)" if face["unsure"] else str(face["person"])


def name_and_time(face: Document) -> str:
    """The name, in a video with the time at which it is seen."""
    name = name_text(face)
    return f"{name} {face['time']}" if face.get("time") else name


def threshold_text(face: Document) -> str:
    """The threshold and where it comes from."""
    rate = (
        ""
        if face["fpir"] is None
        else f"; {100 * face['fpir']:.2g}% of unknown people are identified wrongly"
    )
    return f"{face['threshold']:.3f} ({_FROM[face['threshold_from']]}{rate})"
