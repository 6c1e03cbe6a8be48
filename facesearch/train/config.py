"""Settings of a training run, as a TOML file has them (docs/training.md)."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from facesearch.errors import InputError
from facesearch.train.collapse import CollapseLimits
from facesearch.train.data.augmentation import Augmentation
from facesearch.train.optimizers import OPTIMIZERS, SCHEDULES, Schedule

T = TypeVar("T")

LOSSES = ("distillation", "triplet", "arcface", "cosface", "harmonic", "bct")
COMPATIBLE = ("harmonic", "bct")
# Passes over the last layer alone, before the whole network is made compatible.
_LAST_LAYER_SHARE = 0.25
BATCHES = ("weighted", "identities")
PRECISIONS = ("fp32", "bf16")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class CropSource:
    """A crop file, and how often its faces are drawn beside those of the others."""

    file: Path
    weight: float = 1.0


@dataclass(frozen=True)
class NetworkSettings:
    """``name`` of the network; ``start``: a checkpoint whose averaged weights it begins with.

    ``reset_last_layer`` draws the weights of the last layer again, and in the first
    ``last_layer_steps`` only they are trained. ``side``: pixels of the chips that
    ``facenet-small`` is trained on; 64 is more than twice as fast as all 112, for a first run whose
    checkpoint another run starts from.
    """

    name: str = "facenet-small"
    side: int | None = None
    start: Path | None = None
    reset_last_layer: bool = False
    last_layer_steps: int = 0


@dataclass(frozen=True)
class BatchSettings:
    """``kind`` "weighted" or "identities"; ``size`` faces a step, made in pieces of ``piece``."""

    kind: str = "weighted"
    size: int = 128
    faces_per_person: int = 40
    piece: int = 128


@dataclass(frozen=True)
class LossSettings:
    """One loss and its weight in the sum; which fields count depends on ``kind``.

    distillation: ``teacher``, the name of vectors in the crop files. harmonic and bct: ``teacher``,
    those of the old version; else as triplet and with ``scale``. triplet: ``margin``,
    ``mining``, ``curriculum_steps``, ``first_margin``, ``first_mining``
    (:class:`~facesearch.train.losses.triplets.TripletSettings`). arcface and cosface: ``margin``,
    ``scale``.
    """

    kind: str
    weight: float = 1.0
    teacher: str = ""
    margin: float | None = None
    scale: float = 64.0
    mining: str = "semi-hard"
    curriculum_steps: int = 0
    first_margin: float = 0.2
    first_mining: str = "semi-hard"


@dataclass(frozen=True)
class OptimizerSettings:
    """``rate`` is the highest; ``momentum`` is for sgd."""

    kind: str = "adamw"
    rate: float = 2e-3
    weight_decay: float = 0.02
    momentum: float = 0.9


@dataclass(frozen=True)
class ValidationSettings:
    """``share`` of the people is held out; VAL is measured on at most ``faces`` of theirs."""

    share: float = 0.05
    faces: int = 3000
    every: int = 500


@dataclass(frozen=True)
class RunSettings:
    """``steps`` in all; ``threads`` of torch, 0 for all cores; ``average`` of weights (EMA).

    ``device`` "cpu", "cuda", or "auto" for a GPU where there is one.
    """

    steps: int
    threads: int = 0
    device: str = "auto"
    precision: str = "bf16"
    average: float = 0.998
    log_every: int = 20
    checkpoint_seconds: float = 180.0
    tensorboard: bool = False


@dataclass(frozen=True)
class TrainSettings:
    """All settings of a run. ``output`` is its folder."""

    output: Path
    crops: tuple[CropSource, ...]
    loss: tuple[LossSettings, ...]
    run: RunSettings
    seed: int = 0
    network: NetworkSettings = NetworkSettings()
    batch: BatchSettings = BatchSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: Schedule = field(default_factory=Schedule)
    validation: ValidationSettings = ValidationSettings()
    augmentation: Augmentation = field(default_factory=Augmentation)
    collapse: CollapseLimits = field(default_factory=CollapseLimits)

    def __post_init__(self) -> None:
        _one_of("batch.kind", self.batch.kind, BATCHES)
        _one_of("optimizer.kind", self.optimizer.kind, OPTIMIZERS)
        _one_of("schedule.kind", self.schedule.kind, SCHEDULES)
        _one_of("run.precision", self.run.precision, PRECISIONS)
        _one_of("run.device", self.run.device, DEVICES)
        for each in self.loss:
            _one_of("loss.kind", each.kind, LOSSES)
            if each.kind in ("distillation", *COMPATIBLE) and not each.teacher:
                raise InputError(f"a {each.kind} loss needs teacher: the name of crop vectors")
        for name, value in (
            ("batch.size", self.batch.size), ("batch.piece", self.batch.piece),
            ("batch.faces_per_person", self.batch.faces_per_person - 1),
            ("run.steps", self.run.steps), ("run.log_every", self.run.log_every),
            ("validation.every", self.validation.every), ("optimizer.rate", self.optimizer.rate),
            ("crops", len(self.crops)), ("loss", len(self.loss)),
        ):  # fmt: skip
            if not value > 0:
                raise InputError(f"{name}: expected more, got {value}")
        if not 0 <= self.run.average < 1 or not 0 <= self.validation.share < 1:
            raise InputError("expected run.average and validation.share from 0 to below 1")


def read_settings(path: Path) -> TrainSettings:
    """Settings from a TOML file; paths in it are relative to its folder.

    Raises :class:`InputError` naming the file and the key that is unknown, missing or wrong.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {path} as a training configuration: {error}") from error
    try:
        return _build(TrainSettings, table, "", path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def compatible_with(settings: TrainSettings, old: str) -> TrainSettings:
    """Settings that make a network's vectors comparable with the vectors called ``old``.

    As in the FaceNet paper's appendix: triplets become harmonic ones, the last layer begins again
    from random weights, and alone at first. Losses that are compatible already stay as they are.
    Raises :class:`InputError` for settings without triplets or a compatible loss.
    """
    losses = tuple(
        replace(each, kind="harmonic", teacher=old) if each.kind == "triplet" else each
        for each in settings.loss
    )
    if not any(each.kind in COMPATIBLE for each in losses):
        raise InputError(
            "expected a loss of kind triplet, harmonic or bct to make vectors compatible with "
            f"{old!r}; add one to the configuration"
        )
    steps = settings.network.last_layer_steps or int(_LAST_LAYER_SHARE * settings.run.steps)
    network = replace(settings.network, reset_last_layer=True, last_layer_steps=steps)
    return replace(settings, loss=losses, network=network)


def _build(kind: type[T], table: Mapping[str, Any], where: str, folder: Path) -> T:
    wanted = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = [f"{where}{name}" for name in table if name not in wanted]
    if unknown:
        raise InputError(f"unknown setting {unknown[0]}; expected {', '.join(wanted)}")
    missing = [
        f"{where}{name}"
        for name, each in wanted.items()
        if name not in table
        and each.default is dataclasses.MISSING
        and each.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(f"missing setting {missing[0]}")
    hints = typing.get_type_hints(kind)
    values = {n: _value(hints[n], value, where + n, folder) for n, value in table.items()}
    return kind(**values)


def _value(hint: Any, value: Any, where: str, folder: Path) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected a table, got {value!r}")
        return _build(hint, value, f"{where}.", folder)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where}: expected a list of tables, got {value!r}")
        part = typing.get_args(hint)[0]
        return tuple(_value(part, each, where, folder) for each in value)
    if isinstance(hint, types.UnionType):
        hint = next(each for each in typing.get_args(hint) if each is not type(None))
    if hint is Path and isinstance(value, str):
        return folder / Path(value).expanduser()
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise InputError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
