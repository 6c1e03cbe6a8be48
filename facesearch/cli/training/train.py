"""``train``: train an encoder as a configuration says, or go on where a run stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_facts, print_json

if TYPE_CHECKING:
    from facesearch.train.progress import ProgressRow
    from facesearch.train.trainer import TrainingResult

_SHOWN = ("loss", "spread", "active", "teacher_cosine", "named", "val_at_far_1e-3")


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "train",
        help="train an encoder on crops",
        description="Train an encoder as CONFIG says (docs/training.md). A run that was stopped "
        "goes on from its last checkpoint when it is started again.",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="TOML file with the settings")
    parser.add_argument(
        "--compatible-with",
        metavar="NAME",
        help="keep the new vectors comparable with those of the encoder NAME, whose vectors the "
        "crop files hold (facesearch crops --teacher NAME): triplets mix both",
    )
    parser.set_defaults(run=run_train)


def run_train(args: argparse.Namespace) -> int:
    """Train, with progress on standard error."""
    from facesearch.api.training import train_encoder

    result = train_encoder(args.config, compatible_with=args.compatible_with, progress=_print_row)
    facts = _facts(result)
    if args.json:
        print_json(facts)
    else:
        print_facts([(name, value) for name, value in facts.items() if value is not None])
    return 0


def _facts(result: TrainingResult) -> dict[str, Any]:
    judged = result.validation
    return {
        "steps": result.steps,
        "val_at_far_1e-3": None if judged is None else judged.rate,
        "teacher_cosine": None if judged is None else judged.teacher_cosine,
        "checkpoint": str(result.checkpoint),
        "weights": None if result.weights is None else str(result.weights),
    }


def _print_row(row: ProgressRow) -> None:
    values = row.values
    figures = ", ".join(f"{name} {values[name]:.4g}" for name in _SHOWN if name in values)
    speed = f"{values['faces_per_second']:.0f} faces/s"
    print(f"step {int(values['step'])}: {figures}, {speed}", file=sys.stderr, flush=True)
