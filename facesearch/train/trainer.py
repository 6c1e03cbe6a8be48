"""One training run: from its configuration to weights, stoppable at any step.

What a step does is a function of seed, step and the state in the checkpoint, so that a run which
was killed and goes on from its last checkpoint ends with the weights of one that was never killed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from facesearch.encoders.facenet_small.architecture import FACENET_SMALL
from facesearch.encoders.facenet_small.weights import export_weights
from facesearch.encoders.paper_networks.layers import DIMENSION
from facesearch.errors import InputError
from facesearch.train.accumulation import accumulate_gradients
from facesearch.train.checkpoints import (
    TrainingCheckpoint,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from facesearch.train.collapse import CollapseWatch, spread
from facesearch.train.config import TrainSettings
from facesearch.train.data.batches import (
    Batch,
    BatchMaker,
    BatchSource,
    IdentityBatches,
    TrainingSet,
    WeightedBatches,
    held_out,
)
from facesearch.train.data.crop_file import open_crops
from facesearch.train.losses.mixture import create_losses
from facesearch.train.losses.types import LossValue
from facesearch.train.networks import (
    last_layer,
    reset,
    train_only_last_layer,
    trainable_network,
    training_device,
)
from facesearch.train.optimizers import create_optimizer, set_rate
from facesearch.train.progress import ProgressRow, RunProgress
from facesearch.train.run_settings import check_same_run, settings_as_json
from facesearch.train.validation import HeldOutFaces, Validation, standardised
from facesearch.train.weight_average import WeightAverage

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"

Report = Callable[[ProgressRow], None]


@dataclass(frozen=True)
class TrainingResult:
    """``steps`` done in all; the last validation, None where nothing was held out.

    ``weights`` for the encoder, averaged; None for a network that no encoder runs yet.
    """

    steps: int
    validation: Validation | None
    checkpoint: Path
    weights: Path | None


class Trainer:
    """A run at its newest checkpoint, or at its start.

    Raises :class:`InputError` for crops or settings that do not fit, also where ``output`` has a
    run with other settings; :class:`~facesearch.errors.WeightsError` for a damaged checkpoint.
    """

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings
        if settings.run.threads:
            torch.set_num_threads(settings.run.threads)
        files = [open_crops(each.file) for each in settings.crops]
        self.training = TrainingSet(files, [each.weight for each in settings.crops])
        held = held_out(self.training, settings.validation.share, settings.seed)
        torch.manual_seed(settings.seed)
        self.network = trainable_network(settings.network.name, settings.network.side)
        self._device = training_device(settings.run.device)
        self.network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.losses = create_losses(settings.loss, self.training, ~held, DIMENSION)
        self.losses.to(self._device)
        self.network.train()
        chosen = settings.optimizer
        self._optimizer = create_optimizer(
            chosen.kind, [self.network, self.losses], chosen.rate, chosen.weight_decay,
            chosen.momentum,
        )  # fmt: skip
        self._average = WeightAverage(self.network, settings.run.average)
        self._watch = CollapseWatch(settings.collapse)
        source = _source(settings, self.training, ~held)
        self._batches = BatchMaker(
            self.training, source, settings.augmentation, self.network.size, settings.seed
        )
        self._held = HeldOutFaces(
            self.training, held, settings.validation.faces, self.losses.distillation
        )
        self.step, self.seconds = 0, 0.0
        self._restore()

    @property
    def checkpoint(self) -> Path:
        """Where the run's state is kept."""
        return self.settings.output / CHECKPOINT

    def run(self, report: Report = lambda row: None) -> TrainingResult:
        """Do the steps that are left; ``report`` gets a row of progress at intervals.

        Meanwhile this thread takes denormal numbers for 0: weights that decay towards zero become
        such, and processors multiply them a hundred times slower. Raises
        :class:`~facesearch.train.collapse.TrainingCollapsedError` when the network has collapsed;
        the checkpoint before it stays.
        """
        settings = self.settings
        settings.output.mkdir(parents=True, exist_ok=True)
        progress = RunProgress(settings, self.step)
        validation = fresh = None
        torch.set_flush_denormal(True)
        try:
            with ThreadPoolExecutor(1) as beside:
                coming = beside.submit(self._batches.batch, self.step)
                while self.step < settings.run.steps:
                    batch = coming.result()
                    coming = beside.submit(self._batches.batch, self.step + 1)
                    rate = self.rate(self.step)
                    progress.count(len(batch.rows), *self._train_on(batch))
                    last = self.step == settings.run.steps
                    if last or self.step % settings.validation.every == 0:
                        fresh = validation = self.judge()
                    if last or self.step % settings.run.log_every == 0:
                        self.seconds += progress.lap()
                        report(progress.write(self.step, self.seconds, rate, fresh))
                        fresh = None
                    if last or progress.checkpoint_due():
                        self.seconds += progress.lap()
                        self.save()
        finally:
            torch.set_flush_denormal(False)
        return TrainingResult(self.step, validation, self.checkpoint, self._export())

    def _export(self) -> Path | None:
        if self.settings.network.name != FACENET_SMALL:
            return None
        path = self.settings.output / WEIGHTS
        export_weights(self._average.network.state_dict(), path)
        return path

    def rate(self, step: int) -> float:
        """The rate of a step, from 0."""
        settings = self.settings
        return settings.optimizer.rate * settings.schedule.factor(step, settings.run.steps)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        states = {
            "network": self.network.state_dict(),
            "average": self._average.network.state_dict(),
            "loss": self.losses.state_dict(),
            "optimizer": optimizer_tensors(self._optimizer),
        }
        tensors = {
            f"{part}.{name}": tensor
            for part, state in states.items()
            for name, tensor in state.items()
        }
        facts = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "near_collapse": self._watch.count,
            "settings": settings_as_json(self.settings),
        }
        save_checkpoint(self.checkpoint, TrainingCheckpoint(tensors, facts))

    def judge(self) -> Validation | None:
        """Judge the averaged weights on the people held out; None where there are too few."""
        return self._held.measure(self._average.network, self.network.size)

    def _train_on(self, batch: Batch) -> tuple[LossValue, float]:
        """One step; returns its loss and the spread of its vectors."""
        settings = self.settings
        torch.manual_seed(settings.seed + (self.step << 20))
        train_only_last_layer(self.network, self.step < settings.network.last_layer_steps)
        set_rate(self._optimizer, self.rate(self.step))
        self._optimizer.zero_grad(set_to_none=True)
        judged: list[LossValue] = []

        def embed(piece: slice) -> torch.Tensor:
            half = settings.run.precision == "bf16"
            with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
                vectors = self.network(standardised(batch.chips[piece], self._device))
            return functional.normalize(vectors.float(), dim=1)

        def loss(vectors: torch.Tensor) -> torch.Tensor:
            judged.append(self.losses(vectors, batch.rows, batch.persons, self.step))
            return judged[0].value

        vectors = accumulate_gradients(
            self.network, embed, len(batch.chips), settings.batch.piece, loss
        )
        self._optimizer.step()
        self.step += 1
        self._average.update(self.network, self.step)
        width = spread(vectors)
        self._watch.check(self.step, width, judged[0].figures.get("active"))
        return judged[0], width

    def _restore(self) -> None:
        settings = self.settings
        if self.checkpoint.exists():
            found = load_checkpoint(self.checkpoint)
            check_same_run(settings, found.facts["settings"])
            _load(self.network, found.part("network"), self.checkpoint)
            _load(self._average.network, found.part("average"), self.checkpoint)
            _load(self.losses, found.part("loss"), self.checkpoint)
            restore_optimizer(self._optimizer, found.part("optimizer"))
            self._watch.count = int(found.facts["near_collapse"])
            self.step, self.seconds = int(found.facts["step"]), float(found.facts["seconds"])
        elif settings.network.start is not None:
            start = settings.network.start
            weights = load_checkpoint(start).part("average")
            _load(self.network, weights, start)
            if settings.network.reset_last_layer:
                reset(last_layer(self.network))
            self._average.network.load_state_dict(self.network.state_dict())


def _source(settings: TrainSettings, training: TrainingSet, usable: Any) -> BatchSource:
    wanted = settings.batch
    if wanted.kind == "weighted":
        return WeightedBatches(training, usable, wanted.size, settings.seed)
    return IdentityBatches(training, usable, wanted.size, wanted.faces_per_person, settings.seed)


def _load(module: torch.nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{path} does not fit the network or losses: {error}") from error
