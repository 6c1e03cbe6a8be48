"""``calibrate``: learn the identification threshold from the faces of the gallery."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_facts, print_json

if TYPE_CHECKING:
    from indexer.open_set.threshold import OpenSetThreshold


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "calibrate",
        help="learn the identification threshold from the faces of the gallery",
        description="Choose the threshold at which a person who is not enrolled is wrongly "
        "identified at a given rate, and save it for identify. It is learnt from searches that "
        "must not find anyone: each enrolled person among the others, and each cluster of the "
        "last clustering without an enrolled face among the enrolled people.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.add_argument(
        "--fpir",
        type=_rate,
        default=0.01,
        metavar="RATE",
        help="accepted share of searches for people who are not enrolled that return a name, "
        "above 0 and at most 0.1 (default: 0.01)",
    )
    parser.set_defaults(run=run_calibrate)


def run_calibrate(args: argparse.Namespace) -> int:
    """Calibrate, save and print."""
    from facesearch.api.people import calibrate
    from facesearch.encoders import thresholds_of
    from facesearch.gallery.gallery import Gallery

    calibration = calibrate(args.gallery, args.fpir)
    if args.json:
        print_json(calibration)
        return 0
    result = calibration.result
    default = thresholds_of(Gallery.open(args.gallery).contract).identification
    learnt = (
        "counted"
        if result.method == "count"
        else f"from a Weibull tail of shape {result.shape:.1f}"
    )
    print_facts(
        [
            ("threshold", f"{result.threshold:.4f} (the encoder's: {default})"),
            ("false positives", f"{rate_text(result)}; {learnt}"),
            ("searches", f"{result.searches} for {result.identities} people and clusters"),
            ("enrolled", f"{calibration.people} people with {calibration.faces} faces"),
        ]
    )
    return 0


def rate_text(result: OpenSetThreshold) -> str:
    """The rate and its interval in percent."""
    low, high = (f"{100 * each:.2g}" for each in (result.low, result.high))
    return (
        f"{100 * result.fpir:.2g}% of unknown people identified wrongly "
        f"(95% interval {low}% to {high}%)"
    )


def _rate(text: str) -> float:
    """An argument in (0, 0.1]."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if 0 < value <= 0.1:
        return value
    raise argparse.ArgumentTypeError(
        f"expected a rate above 0 and at most 0.1, such as 0.01, got {text!r}"
    )
