"""Runs: resumed as if never killed, with every loss, and stopped when they collapse."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facesearch.errors import InputError, WeightsError
from facesearch.train.checkpoints import load_checkpoint
from facesearch.train.collapse import CollapseLimits, CollapseWatch, TrainingCollapsedError, spread
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
from facesearch.train.progress import read_progress
from facesearch.train.trainer import CHECKPOINT, Trainer
from support.crops import crop_file

DISTILLATION = LossSettings("distillation", teacher="teacher")
SMALL_CHIPS = NetworkSettings(side=48)  # a step on whole ones takes long


def made_settings(folder: Path, *losses: LossSettings, steps: int = 4) -> TrainSettings:
    crops = folder / "crops.h5"
    if not crops.exists():
        crop_file(crops, people=8, faces=4, unknown=3)
    return TrainSettings(
        output=folder / "run",
        crops=(CropSource(crops),),
        loss=losses or (DISTILLATION,),
        network=SMALL_CHIPS,
        run=RunSettings(steps, threads=1, precision="fp32", log_every=1, checkpoint_seconds=0.0),
        batch=BatchSettings(size=6, piece=6),
        validation=ValidationSettings(share=0.3, every=2),
        seed=3,
    )


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(path).tensors)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stop_after(settings: TrainSettings, steps: int) -> None:
    """Train, and fail in the middle of the step after ``steps``, as a kill would."""
    trainer = Trainer(settings)

    def report(row) -> None:
        if row.values["step"] == steps + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(report)


@pytest.mark.parametrize(
    ("losses", "optimizer", "batches"),
    [
        pytest.param((DISTILLATION,), "adamw", "weighted", marks=pytest.mark.slow),
        pytest.param(
            (LossSettings("triplet", margin=0.5),), "adagrad", "identities", marks=pytest.mark.slow
        ),
        ((LossSettings("arcface", weight=0.1), DISTILLATION), "sgd", "weighted"),
    ],
)
def test_a_run_that_was_killed_ends_as_one_that_was_not(
    tmp_path: Path, losses, optimizer: str, batches: str
) -> None:
    whole = replace(
        made_settings(tmp_path, *losses),
        optimizer=OptimizerSettings(optimizer, 1e-3),
        batch=BatchSettings(batches, size=6, piece=4),
    )
    Trainer(whole).run()
    killed = replace(whole, output=tmp_path / "killed")
    for step in (1, 2):
        stop_after(killed, step)
        assert load_checkpoint(killed.output / CHECKPOINT).facts["step"] == step
    result = Trainer(killed).run()
    assert result.steps == 4
    assert same(tensors(whole.output / CHECKPOINT), tensors(killed.output / CHECKPOINT))
    once, resumed = (read_progress(each.output / "progress.csv") for each in (whole, killed))
    timed = {"seconds", "faces_per_second"}
    assert [{k: v for k, v in row.items() if k not in timed} for row in resumed] == [
        {k: v for k, v in row.items() if k not in timed} for row in once
    ]


@pytest.mark.slow
def test_a_killed_process_leaves_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    settings = made_settings(tmp_path, steps=6)
    Trainer(settings).run()
    config = tmp_path / "killed.toml"
    config.write_text(
        'output = "killed"\nseed = 3\n'
        'crops = [{file = "crops.h5"}]\nloss = [{kind = "distillation", teacher = "teacher"}]\n'
        "network = {side = 48}\n"
        "run = {steps = 6, threads = 1, log_every = 1, checkpoint_seconds = 0, "
        'precision = "fp32"}\n'
        "batch = {size = 6, piece = 6}\nvalidation = {share = 0.3, every = 2}\n"
    )
    command = [sys.executable, "-m", "facesearch.cli.main", "train", str(config), "--json"]
    random = np.random.default_rng(0)
    for _ in range(2):  # killed twice, at random steps
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wanted = int(random.integers(1, 3))
        for _ in zip(range(wanted), process.stderr, strict=False):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
    done = subprocess.run(command, check=True, capture_output=True)
    assert b'"steps": 6' in done.stdout
    assert same(tensors(settings.output / CHECKPOINT), tensors(tmp_path / "killed" / CHECKPOINT))


def test_a_run_on_whole_chips_starts_from_one_on_small_chips(tmp_path: Path) -> None:
    start = Trainer(made_settings(tmp_path, steps=1)).run().checkpoint
    whole = replace(
        made_settings(tmp_path, steps=1),
        output=tmp_path / "whole",
        network=NetworkSettings(start=start),
    )
    trainer = Trainer(whole)
    assert (trainer.network.size.rows, trainer.network.size.columns) == (112, 112)
    begun = {f"average.{n}": t for n, t in trainer.network.state_dict().items()}
    kept = {n: t for n, t in tensors(start).items() if n.startswith("average.")}
    assert same(begun, kept)


def test_only_facenet_small_takes_another_side(tmp_path: Path) -> None:
    settings = replace(made_settings(tmp_path, steps=1), network=NetworkSettings("nns2", side=64))
    with pytest.raises(InputError, match=r"network\.side is for facenet-small only"):
        Trainer(settings)


@pytest.mark.slow
def test_distillation_comes_nearer_to_the_teacher(tmp_path: Path) -> None:
    settings = replace(
        made_settings(tmp_path),
        network=NetworkSettings(),
        run=RunSettings(25, threads=1, precision="fp32", log_every=1),
        validation=ValidationSettings(share=0.3, every=25),
    )
    Trainer(settings).run()
    rows = read_progress(settings.output / "progress.csv")
    cosines = [row["teacher_cosine"] for row in rows]
    assert np.mean(cosines[-3:]) > np.mean(cosines[:3]) + 0.2
    assert all(row["loss"] == pytest.approx(1 - row["teacher_cosine"], abs=1e-5) for row in rows)


def test_held_out_people_are_never_trained_on_and_measured(tmp_path: Path) -> None:
    settings = made_settings(tmp_path, steps=2)
    trainer = Trainer(settings)
    seen = []
    batch = trainer._batches.batch
    trainer._batches.batch = lambda step: seen.append(batch(step)) or seen[-1]
    result = trainer.run()
    held = set(trainer.training.person[trainer._held._rows].tolist())
    assert held
    assert not held & {person for each in seen for person in each.persons.tolist()}
    assert 0 <= result.validation.rate <= 1
    assert -1 <= result.validation.teacher_cosine <= 1
    rows = read_progress(settings.output / "progress.csv")
    assert ["val_at_far_1e-3" in row for row in rows] == [False, True]


def test_a_network_of_the_paper_trains_through_the_same_door(tmp_path: Path) -> None:
    settings = replace(
        made_settings(tmp_path, LossSettings("triplet"), steps=1),
        network=NetworkSettings("nns2"),
        batch=BatchSettings("identities", size=6, piece=3),
        validation=ValidationSettings(share=0),
    )
    before = tensors_of_network(Trainer(settings))
    trainer = Trainer(settings)
    trainer.run()
    after = tensors_of_network(trainer)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(torch.isfinite(each).all() for each in after.values())


def tensors_of_network(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in trainer.network.state_dict().items()}


def test_a_run_starts_from_another_runs_averaged_weights(tmp_path: Path) -> None:
    first = made_settings(tmp_path, steps=2)
    Trainer(first).run()
    start = replace(SMALL_CHIPS, start=first.output / CHECKPOINT)
    second = Trainer(replace(first, output=tmp_path / "second", network=start))
    assert second.step == 0
    expected = load_checkpoint(first.output / CHECKPOINT).part("average")
    assert same(tensors_of_network(second), expected)


def test_a_run_does_not_go_on_with_other_settings(tmp_path: Path) -> None:
    settings = made_settings(tmp_path, steps=2)
    Trainer(settings).run()
    other = replace(settings, batch=BatchSettings(size=5, piece=5))
    with pytest.raises(InputError, match=r"batch.size = 6, now it is 5"):
        Trainer(other)
    Trainer(replace(settings, run=replace(settings.run, steps=3))).run()  # longer is the same run


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    settings = made_settings(tmp_path, steps=1)
    Trainer(settings).run()
    path = settings.output / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="cannot read"):
        Trainer(settings)


def test_collapse_is_noticed_after_enough_steps_in_a_row() -> None:
    watch = CollapseWatch(CollapseLimits(0.1, 3))
    for step, width in enumerate([0.05, 0.05, 0.2, 0.05, 0.05]):
        watch.check(step, width, 0.9)
    with pytest.raises(TrainingCollapsedError, match=r"90% of the triplets.*semi-hard negatives"):
        watch.check(5, 0.05, 0.9)


def test_spread_is_half_the_mean_squared_distance() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(9, 5, dtype=torch.float64), dim=1)
    distances = torch.cdist(vectors, vectors).square()
    assert spread(vectors) == pytest.approx(float(distances.mean()) / 2)
    assert spread(vectors[:1].repeat(4, 1)) == pytest.approx(0, abs=1e-9)


def test_a_run_that_collapses_stops_with_advice(tmp_path: Path) -> None:
    settings = replace(
        made_settings(tmp_path, LossSettings("triplet", mining="hardest"), steps=50),
        batch=BatchSettings("identities", size=8, piece=8),
        optimizer=OptimizerSettings("sgd", 1e-3),
        collapse=CollapseLimits(least_spread=0.999, steps=4),
    )
    with pytest.raises(TrainingCollapsedError, match="step 4"):
        Trainer(settings).run()
    assert load_checkpoint(settings.output / CHECKPOINT).facts["step"] == 3
