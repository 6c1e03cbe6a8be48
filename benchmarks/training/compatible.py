"""Versions that share a gallery: harmonic embedding, backward-compatible training, adapters.

    python -m benchmarks.training.compatible --old V1 --new V2 --work DIR CROPS.h5 ...

``V1`` and ``V2`` are training checkpoints of facenet-small. Both may have learned the vectors of
one teacher and be comparable by that, so the vectors of V2 are first turned by a random rotation,
which changes no distance among them. The old vectors of all crops are made, and from V2 a version
is trained with each kind of loss; an adapter is fitted on the same crops. All are judged on
``--judge``, a crop file of people none of them was trained on: TAR at a false accept rate over all
pairs, old with old, new with old, new with new. The update gain is (new-old less old-old) /
(new-new less old-old) (Shen et al., CVPR 2020, equation 8). Time is the processor's.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.record import record
from facesearch.encoders.paper_networks.layers import DIMENSION
from facesearch.train.adapters import fit_linear, fit_orthogonal
from facesearch.train.checkpoints import TrainingCheckpoint, load_checkpoint, save_checkpoint
from facesearch.train.config import (
    BatchSettings,
    CropSource,
    LossSettings,
    NetworkSettings,
    OptimizerSettings,
    RunSettings,
    TrainSettings,
    ValidationSettings,
    compatible_with,
)
from facesearch.train.data.batches import TrainingSet
from facesearch.train.data.crop_file import open_crops, writing_crops
from facesearch.train.networks import trainable_network
from facesearch.train.optimizers import Schedule
from facesearch.train.trainer import CHECKPOINT, Trainer
from facesearch.train.validation import embed_chips

OLD = "v1"
FAR = 1e-2

_PIECE = 256

Vectors = NDArray[np.float32]


def embed(checkpoint: Path, crops: TrainingSet) -> Vectors:
    """Unit vectors (n, d) of all crops, by a checkpoint's averaged weights."""
    network = trainable_network("facenet-small")
    network.load_state_dict(load_checkpoint(checkpoint).part("average"))
    network.eval()
    rows = np.arange(len(crops))
    pieces = np.array_split(rows, max(1, len(rows) // _PIECE))
    return np.concatenate(
        [embed_chips(network, crops.chips(piece, network.size)) for piece in pieces]
    )


def turned(checkpoint: Path, folder: Path, seed: int) -> Path:
    """A checkpoint of the same network whose vectors are turned by a random rotation."""
    found = load_checkpoint(checkpoint)
    random = np.random.default_rng(seed).normal(size=(DIMENSION, DIMENSION))
    rotation = torch.from_numpy(np.linalg.qr(random)[0].astype(np.float32))
    tensors = dict(found.tensors)
    for part in ("weight", "bias"):
        name = f"average.layers.embedding.{part}"
        tensors[name] = torch.einsum("ij,j...->i...", rotation, tensors[name]).contiguous()
    path = folder / "turned.safetensors"
    save_checkpoint(path, TrainingCheckpoint(tensors, found.facts))
    return path


def with_old_vectors(paths: list[Path], old: Path, folder: Path) -> tuple[Path, ...]:
    """Copies of crop files that hold the old version's vectors."""
    copies = []
    for number, path in enumerate(paths):
        copy = folder / f"crops{number}.h5"
        copies.append(copy)
        if copy.exists():
            continue
        file = open_crops(path)
        training = TrainingSet([file], [1.0])
        vectors = embed(old, training)
        names = [None if each < 0 else file.people[each] for each in file.person]
        with writing_crops(copy, file.side, file.margin) as writer:
            for start in range(0, len(file), _PIECE):
                rows = np.arange(start, min(start + _PIECE, len(file)))
                writer.add(file.read(rows), names[start : start + _PIECE], {OLD: vectors[rows]})
    return tuple(copies)


def tar_at_far(left: Vectors, right: Vectors, people: NDArray[np.integer]) -> float:
    """TAR at FAR over all pairs of two photos, one embedded by either version."""
    similarity = left @ right.T
    same = people[:, None] == people[None, :]
    other = ~np.eye(len(people), dtype=bool)
    different = np.sort(similarity[~same])[::-1]
    threshold = different[int(FAR * len(different))]
    return float((similarity[same & other] > threshold).mean())


def figures(
    old: Vectors, new: Vectors, mapped: Vectors, people: NDArray[np.integer]
) -> dict[str, float]:
    """TAR of old with old, new with old (new ones as ``mapped``), new with new; the update gain."""
    oldest, mixed, newest = (
        tar_at_far(old, old, people),
        tar_at_far(mapped, old, people),
        tar_at_far(new, new, people),
    )
    gain = (mixed - oldest) / (newest - oldest) if newest != oldest else float("nan")
    return {"old-old": oldest, "new-old": mixed, "new-new": newest, "update gain": gain}


def settings(args: argparse.Namespace, crops: tuple[Path, ...], loss: str) -> TrainSettings:
    """The run that makes version 2 compatible by a loss."""
    found = TrainSettings(
        output=args.work / loss,
        crops=tuple(CropSource(path) for path in crops),
        loss=(LossSettings("triplet"),),
        run=RunSettings(args.steps, threads=1, average=0.95, log_every=10),
        seed=args.seed,
        network=NetworkSettings(start=args.new, last_layer_steps=args.last_layer_steps),
        batch=BatchSettings("identities", args.batch, 40, 60),
        optimizer=OptimizerSettings("adamw", args.rate, 0.0),
        schedule=Schedule("linear", warmup=5),
        validation=ValidationSettings(0.05, 300, args.steps),
    )
    if loss == "harmonic":
        return compatible_with(found, OLD)
    found = replace(found, network=NetworkSettings(start=args.new))
    both = (LossSettings("triplet"), LossSettings("bct", teacher=OLD, scale=16.0, weight=0.1))
    return replace(found, loss=both)


def main() -> None:
    """Train, measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops", nargs="+", type=Path)
    parser.add_argument("--old", type=Path, required=True)
    parser.add_argument("--new", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=70)
    parser.add_argument("--last-layer-steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    started = time.process_time()
    steps = {name: load_checkpoint(getattr(args, name)).facts["step"] for name in ("old", "new")}
    args.new = turned(args.new, args.work, args.seed)
    crops = with_old_vectors(args.crops, args.old, args.work)
    training = TrainingSet([open_crops(path) for path in crops], [1.0] * len(crops))
    judged = TrainingSet([open_crops(args.judge)], [1.0])
    people = judged.person
    old, new = embed(args.old, judged), embed(args.new, judged)
    ways: dict[str, Any] = {"none": figures(old, new, new, people)}
    fit_new, fit_old = embed(args.new, training), training.vectors(OLD)
    for name, fit in (("orthogonal adapter", fit_orthogonal), ("linear adapter", fit_linear)):
        ways[name] = figures(old, new, fit(fit_new, fit_old)(new), people)
    for loss in ("harmonic", "bct"):
        run = settings(args, crops, loss)
        Trainer(run).run()
        made = embed(run.output / CHECKPOINT, judged)
        ways[loss] = figures(old, made, made, people)
        print(loss, ways[loss], flush=True)
    kept = ("steps", "last_layer_steps", "batch", "rate", "seed")
    conditions = {name: getattr(args, name) for name in kept}
    record(
        "training_compatible",
        {
            "far": FAR,
            "judged": {"faces": len(judged), "people": len(judged.people)},
            "trained_on": {"crops": len(training), "people": len(training.people)},
            "checkpoint_steps": steps,
            "settings": conditions,
            "processor_minutes": round((time.process_time() - started) / 60, 2),
            "ways": ways,
        },
    )


if __name__ == "__main__":
    main()
