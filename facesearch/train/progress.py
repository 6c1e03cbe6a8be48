"""What a run says of itself: one CSV row at intervals, and TensorBoard where it is wanted."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facesearch.errors import InputError
from facesearch.train.config import TrainSettings
from facesearch.train.losses.types import LossValue
from facesearch.train.validation import Validation

COLUMNS = (
    "step", "faces", "seconds", "faces_per_second", "rate", "loss", "spread",
    "val_at_far_1e-3", "val_threshold", "val_teacher_cosine",
)  # fmt: skip


@dataclass(frozen=True)
class ProgressRow:
    """Means since the row before it, by column; figures of losses have columns of their names."""

    values: dict[str, float]


class ProgressLog:
    """``progress.csv`` in a run's folder; rows after ``step`` are dropped when it is opened.

    ``figures`` are the names of the losses' figures, columns after :data:`COLUMNS`.
    """

    def __init__(self, folder: Path, figures: Sequence[str], step: int, tensorboard: bool) -> None:
        self.path = folder / "progress.csv"
        self._columns = (*COLUMNS, *figures)
        kept = [row for row in read_progress(self.path) if row["step"] <= step]
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
        self._board = _board(folder) if tensorboard else None

    def add(self, row: ProgressRow) -> None:
        """Append a row; columns that it has no value for stay empty."""
        rounded = {name: float(f"{value:.6g}") for name, value in row.values.items()}
        rounded |= {name: int(row.values[name]) for name in ("step", "faces")}
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns, extrasaction="ignore").writerow(rounded)
        if self._board is not None:
            for name, value in row.values.items():
                self._board.add_scalar(name, value, int(row.values["step"]))
            self._board.flush()


class RunProgress:
    """Means of what steps gave since the last row, and the time that passed."""

    def __init__(self, settings: TrainSettings, step: int) -> None:
        self._settings = settings
        self._start = step
        self._log: ProgressLog | None = None
        self._sums: dict[str, float] = {}
        self._steps = self._faces = 0
        self._row_seconds = 0.0
        self._mark = self._saved = time.monotonic()

    def count(self, faces: int, loss: LossValue, width: float) -> None:
        """Take in one step of ``faces``, its loss and the spread of its vectors."""
        values = {"loss": float(loss.value.detach()), "spread": width, **loss.figures}
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        self._faces += faces
        if self._log is None:
            board = self._settings.run.tensorboard
            self._log = ProgressLog(self._settings.output, sorted(loss.figures), self._start, board)

    def lap(self) -> float:
        """Seconds since the last call."""
        now = time.monotonic()
        gone, self._mark = now - self._mark, now
        self._row_seconds += gone
        return gone

    def write(
        self, step: int, seconds: float, rate: float, validation: Validation | None
    ) -> ProgressRow:
        """A row of what there was since the last one."""
        values = {name: total / self._steps for name, total in self._sums.items()}
        values |= {
            "step": step,
            "faces": step * self._settings.batch.size,
            "seconds": seconds,
            "faces_per_second": self._faces / max(self._row_seconds, 1e-9),
            "rate": rate,
        }
        if validation is not None:
            values |= {
                "val_at_far_1e-3": validation.rate,
                "val_threshold": validation.threshold,
            }
            if validation.teacher_cosine is not None:
                values["val_teacher_cosine"] = validation.teacher_cosine
        row = ProgressRow(values)
        if self._log is not None:
            self._log.add(row)
        self._sums, self._steps, self._faces, self._row_seconds = {}, 0, 0, 0.0
        return row

    def checkpoint_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        due = time.monotonic() - self._saved >= self._settings.run.checkpoint_seconds
        if due:
            self._saved = time.monotonic()
        return due


def read_progress(path: Path) -> list[dict[str, float]]:
    """The rows of a ``progress.csv``, without its empty fields; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - optional
    except ImportError as error:
        raise InputError(
            "run.tensorboard needs the package tensorboard: pip install tensorboard"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"))
