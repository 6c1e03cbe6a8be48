"""Training from random weights on labelled crops: what semi-hard negatives, the hardest ones, and a
beginning by distillation do.

    python -m benchmarks.training.from_scratch --work DIR CROPS.h5 ...

Each run is the product's own, with the same seed, crops and number of faces seen; what differs is
the loss. Time is the processor's, for other work may share the machine. The crops must hold the
teacher's vectors (facesearch crops --teacher).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.common.record import kept_runs, record
from facesearch.train.collapse import TrainingCollapsedError
from facesearch.train.config import (
    BatchSettings,
    CropSource,
    LossSettings,
    NetworkSettings,
    OptimizerSettings,
    RunSettings,
    TrainSettings,
    ValidationSettings,
)
from facesearch.train.data.crop_file import open_crops
from facesearch.train.optimizers import Schedule
from facesearch.train.progress import read_progress
from facesearch.train.trainer import CHECKPOINT, Trainer

SHOWN = (
    "step", "faces", "loss", "spread", "active", "val_at_far_1e-3", "teacher_cosine",
)  # fmt: skip


def base(args: argparse.Namespace, output: Path) -> TrainSettings:
    """Semi-hard triplets from random weights."""
    return TrainSettings(
        output=output,
        crops=tuple(CropSource(path) for path in args.crops),
        loss=(LossSettings("triplet"),),
        run=RunSettings(args.steps, threads=1, average=0.98, log_every=10, checkpoint_seconds=1e9),
        seed=args.seed,
        batch=BatchSettings("identities", args.batch, args.faces_per_person, 60),
        optimizer=OptimizerSettings(args.optimizer, args.rate, 0.0),
        schedule=Schedule(warmup=10),
        validation=ValidationSettings(args.held_out, args.faces, args.steps),
    )


def variants(settings: TrainSettings, teacher: str) -> dict[str, list[TrainSettings]]:
    """The runs of each variant, in order; a later one begins with the weights of the one before."""
    steps = settings.run.steps
    first = replace(
        settings,
        output=settings.output / "distillation",
        loss=(LossSettings("distillation", teacher=teacher),),
        batch=replace(settings.batch, kind="weighted"),
        run=replace(settings.run, steps=steps // 2),
        validation=replace(settings.validation, every=steps // 2),
    )
    then = replace(
        settings,
        output=settings.output / "distillation-triplets",
        network=NetworkSettings(start=first.output / CHECKPOINT),
        run=replace(settings.run, steps=steps - steps // 2),
        validation=replace(settings.validation, every=steps - steps // 2),
    )
    named = {
        "semi-hard": LossSettings("triplet"),
        "hardest": LossSettings("triplet", mining="hardest"),
        "margin curriculum": LossSettings(
            "triplet", curriculum_steps=steps // 2, first_margin=0.05
        ),
    }
    alone = {
        name: [replace(settings, output=settings.output / name.replace(" ", "-"), loss=(loss,))]
        for name, loss in named.items()
    }
    return {**alone, "distillation, then semi-hard": [first, then]}


def measure(stages: list[TrainSettings]) -> dict[str, Any]:
    """Run the stages; VAL before and after, the curve, and whether the network collapsed."""
    started, collapsed, before, rows = time.process_time(), "", None, []
    for settings in stages:
        trainer = Trainer(settings)
        if before is None:
            untrained = trainer.judge()
            before = None if untrained is None else untrained.rate
        try:
            trainer.run()
        except TrainingCollapsedError as error:
            collapsed = str(error)
        stage = {"loss": settings.loss[0].kind, "mining": settings.loss[0].mining}
        curve = read_progress(settings.output / "progress.csv")
        rows += [stage | {name: row[name] for name in SHOWN if name in row} for row in curve]
        last = trainer.judge()
        if collapsed:
            break
    return {
        "collapsed": collapsed,
        "val_before": before,
        "val_after": None if last is None else last.rate,
        "processor_minutes": round((time.process_time() - started) / 60, 2),
        "curve": rows,
    }


def describe(paths: list[Path]) -> dict[str, int]:
    """Crops, and people with a name, of crop files."""
    files = [open_crops(path) for path in paths]
    people = {name for file in files for name in file.people}
    return {"crops": sum(map(len, files)), "people": len(people)}


def main() -> None:
    """Measure the variants named, or all, and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="empty folder for the runs")
    parser.add_argument("--teacher", default="retail-0095")
    parser.add_argument("--variant", action="append", help="only this one; may be repeated")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch", type=int, default=180)
    parser.add_argument("--faces-per-person", type=int, default=40)
    parser.add_argument("--optimizer", default="adagrad")
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--held-out", type=float, default=0.1)
    parser.add_argument("--faces", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    kept = {name: value for name, value in vars(args).items() if name not in ("crops", "work")}
    kept.pop("variant")
    runs = kept_runs("training_from_scratch")
    for name, stages in variants(base(args, args.work), args.teacher).items():
        if args.variant and name not in args.variant:
            continue
        runs[name] = measure(stages) | {"settings": kept}
        print(name, {key: value for key, value in runs[name].items() if key != "curve"}, flush=True)
        record("training_from_scratch", {"data": describe(args.crops), "runs": runs})


if __name__ == "__main__":
    main()
