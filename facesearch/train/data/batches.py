"""Which faces a training step sees: a function of the seed and the step alone.

Nothing has to be remembered between steps, so a run that was killed goes on with the very batches
that it would have had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.paper_networks.layers import Size
from facesearch.errors import InputError
from facesearch.train.data.augmentation import NO_AUGMENTATION, Augmentation, augmented
from facesearch.train.data.crop_file import UNKNOWN, CropFile, Crops

Rows = NDArray[np.int64]

_ROWS, _CHANGES, _HELD_OUT = 0, 1, 2  # streams of random numbers


@dataclass(frozen=True)
class Batch:
    """Chips uint8 RGB (n, rows, columns, 3) and their rows in the set; persons -1 if unknown."""

    chips: Crops
    rows: Rows
    persons: NDArray[np.int64]


class TrainingSet:
    """Crop files as one: row numbers run through them, and people of one name are one person.

    ``person`` int64 (n,): -1 where unknown. ``weights`` say how often a file's crops are drawn
    when batches are not balanced by person: each file's share of a batch.
    """

    def __init__(self, files: Sequence[CropFile], weights: Sequence[float]) -> None:
        if not files or not sum(map(len, files)):
            raise InputError("expected at least one crop file with crops, got none")
        if len({(each.side, each.margin) for each in files}) > 1:
            raise InputError("expected crop files of one side and margin, got different ones")
        self.files = tuple(files)
        self.starts = np.concatenate([[0], np.cumsum([len(each) for each in files])])
        self.weights = np.asarray(weights, np.float64)
        names = sorted({name for each in files for name in each.people})
        number = {name: index for index, name in enumerate(names)}
        self.people = tuple(names)
        self.person = np.concatenate([_renumbered(each, number) for each in files])

    def __len__(self) -> int:
        return len(self.person)

    def read(self, rows: Rows) -> Crops:
        """Crops uint8 (len(rows), side, side, 3)."""
        side = self.files[0].side
        out = np.empty((len(rows), side, side, 3), np.uint8)
        holder = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(holder):
            there = holder == number
            out[there] = self.files[number].read(rows[there] - self.starts[number])
        return out

    def vectors(self, name: str) -> NDArray[np.float32]:
        """The unit vectors float32 (n, d) that the files hold of an encoder."""
        return np.concatenate([each.vectors(name) for each in self.files])

    def chips(self, rows: Rows, size: Size) -> Crops:
        """The crops as they are, scaled to a network's size."""
        random = np.random.default_rng(0)
        margin = self.files[0].margin
        return augmented(self.read(rows), margin, size, NO_AUGMENTATION, random)


def _renumbered(file: CropFile, number: dict[str, int]) -> NDArray[np.int64]:
    table = np.array([*(number[name] for name in file.people), UNKNOWN], np.int64)
    return table[file.person]


def held_out(training: TrainingSet, share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows (n,) belong to people kept for validation: a ``share`` in [0, 1) of them.

    Each name is drawn by itself, so that crop files which are added later change nobody's lot.
    """
    draws = [
        np.random.default_rng([seed, _HELD_OUT, *name.encode()]).random()
        for name in training.people
    ]
    return np.isin(training.person, np.flatnonzero(np.array(draws) < share))


class BatchSource(Protocol):
    """Says which rows of a training set a step takes."""

    def rows(self, step: int) -> Rows:
        """Rows int64 (n,) of a step's faces; the same at every call."""
        ...


class WeightedBatches:
    """Faces drawn at random, each file by its weight: what distillation takes.

    Raises :class:`InputError` where no usable face has a weight above zero.
    """

    def __init__(
        self, training: TrainingSet, usable: NDArray[np.bool_], size: int, seed: int
    ) -> None:
        self._size, self._seed = size, seed
        bounds = zip(training.starts, training.starts[1:], strict=False)
        self._rows = [np.flatnonzero(usable[start:end]) + start for start, end in bounds]
        share = training.weights * [bool(len(rows)) for rows in self._rows]
        if not share.sum() > 0:
            raise InputError("expected crop files with weights above 0 and faces to train on")
        self._share = share / share.sum()

    def rows(self, step: int) -> Rows:
        """Rows int64 (size,) of a step's faces."""
        random = np.random.default_rng([self._seed, step, _ROWS])
        counts = random.multinomial(self._size, self._share)
        drawn = [
            rows[random.integers(len(rows), size=count)]
            for rows, count in zip(self._rows, counts, strict=True)
            if count
        ]
        return np.concatenate(drawn)


class IdentityBatches:
    """Several faces of each of many people: what triplets need (FaceNet, section 3.2).

    People with two faces or more are taken in random order, at most ``faces_per_person`` of each,
    until a batch has ``size`` faces. Raises :class:`InputError` where there are not two of them.
    """

    def __init__(
        self,
        training: TrainingSet,
        usable: NDArray[np.bool_],
        size: int,
        faces_per_person: int,
        seed: int,
    ) -> None:
        self._size, self._most, self._seed = size, faces_per_person, seed
        rows = np.flatnonzero(usable & (training.person >= 0))
        rows = rows[np.argsort(training.person[rows], kind="stable")]
        _, starts, counts = np.unique(training.person[rows], return_index=True, return_counts=True)
        enough = counts >= 2
        self._rows, self._starts, self._counts = rows, starts[enough], counts[enough]
        if len(self._starts) < 2:
            raise InputError(
                "expected at least 2 people with 2 faces or more to train on, found "
                f"{len(self._starts)}; triplets need labelled crops"
            )

    def rows(self, step: int) -> Rows:
        """Rows int64 of a step's faces, at most ``size``; fewer where there are no more."""
        random = np.random.default_rng([self._seed, step, _ROWS])
        order = random.permutation(len(self._starts))
        takes = np.minimum(self._counts[order], self._most)
        ends = np.cumsum(takes)
        people = int(np.searchsorted(ends, self._size, side="left")) + 1
        drawn = []
        for person, take in zip(order[:people], takes[:people], strict=True):
            start, count = self._starts[person], self._counts[person]
            drawn.append(self._rows[start + random.permutation(count)[:take]])
        return np.concatenate(drawn)[: self._size]


class BatchMaker:
    """Batches by step: rows from ``source``, changed by ``changes``, at a network's size."""

    def __init__(
        self,
        training: TrainingSet,
        source: BatchSource,
        changes: Augmentation,
        size: Size,
        seed: int,
    ) -> None:
        self.training, self.source = training, source
        self._changes, self._size, self._seed = changes, size, seed

    def batch(self, step: int) -> Batch:
        """The batch of a step; the same at every call."""
        rows = self.source.rows(step)
        random = np.random.default_rng([self._seed, step, _CHANGES])
        margin = self.training.files[0].margin
        crops = self.training.read(rows)
        chips = augmented(crops, margin, self._size, self._changes, random)
        return Batch(chips, rows, self.training.person[rows])
