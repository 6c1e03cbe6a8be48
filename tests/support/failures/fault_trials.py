"""Trials of commands with faults: "" where what was promised held, else what did not."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.gallery.gallery import Gallery
from support.failures.faults import EVERY, FAIL, KILL, LOSE, WRITE, FaultyCommands, Ran
from support.failures.promises import WRITERS, contents, promising_gallery, severe


@dataclass
class Trials:
    """A gallery as it is before each trial, and what each command makes of it without a fault."""

    commands: FaultyCommands
    folder: Path
    before: dict[str, Any]
    after: dict[str, dict[str, Any]] = field(default_factory=dict)
    _seen: dict[tuple[str, int], int] = field(default_factory=dict)
    _number: Any = field(default_factory=count)

    @classmethod
    def prepared(cls, commands: FaultyCommands, folder: Path) -> Trials:
        """Of the gallery of :func:`promising_gallery`, made in ``folder``."""
        gallery = promising_gallery(folder / "whole")
        made = cls(commands, folder, contents(gallery))
        for command in WRITERS:
            ran, copy = made._ran(command)
            made._seen[command, EVERY] = ran.seen
            made.after[command] = contents(copy)
            made._drop(copy)
        return made

    def places(self, command: str, kinds: int, most: int | None = None) -> list[int]:
        """Numbers of a command's changes of files, the last and ``most`` in all spread evenly."""
        if (command, kinds) not in self._seen:
            ran, copy = self._ran(command, kinds=kinds)
            self._seen[command, kinds] = ran.seen
            self._drop(copy)
        total = self._seen[command, kinds]
        if most is None or total <= most:
            return list(range(total))
        # The ends of equal parts: the last is one, and at the first nothing is done yet.
        return (np.arange(1, most + 1) * total // most - 1).tolist()

    def failing(self, command: str, at: int, kinds: int, error: int) -> str:
        """A change fails: the command says so, or goes on without; nothing is damaged."""
        ran, copy = self._ran(command, at=at, kinds=kinds, fault=FAIL, error=error)
        return self._judged(command, ran, copy)

    def losing(self, command: str, at: int) -> str:
        """A write does nothing and says it did."""
        ran, copy = self._ran(command, at=at, kinds=WRITE, fault=LOSE)
        return self._judged(command, ran, copy)

    def killed(self, command: str, at: int) -> str:
        """The process is killed instead of a change."""
        ran, copy = self._ran(command, at=at, kinds=EVERY, fault=KILL)
        if not ran.died:
            return f"was not killed at {at}"
        return self._judged(command, Ran(error="killed"), copy)

    def _judged(self, command: str, ran: Ran, copy: Gallery) -> str:
        """What was promised and did not hold."""
        try:
            return _broken(ran) or self._unkept(command, ran, copy)
        except Exception as error:
            return f"cannot be read: {type(error).__name__}: {error}"
        finally:
            self._drop(copy)

    def _unkept(self, command: str, ran: Ran, copy: Gallery) -> str:
        """What is damaged or lost, now or once the command was run again without a fault."""
        problems = severe(copy)
        # Faces said to be forgotten that are not yet gone: the next forget finishes that.
        left = [each for each in problems if "to delete them, run: facesearch forget" not in each]
        if left or (problems and not ran.error):
            return f"check: {problems}"
        now = contents(copy)
        done = now == self.after[command]
        if not ran.error and not done:
            return f"said it was done, but {_differences(now, self.after[command])}"
        again, _ = self._ran(command, copy=copy)
        if "forget" in command:
            self._ran("finish", copy=copy)
        if again.error and not done and not _is_done_already(again.error):
            return f"cannot be done again: {again.error[:300]}"
        if problems := severe(copy):
            return f"check, after it was done again: {problems}"
        return self._unlike_after(command, copy)

    def _unlike_after(self, command: str, copy: Gallery) -> str:
        """Whether what is there in the end is what the command makes, run once or twice."""
        now, wanted = contents(copy), self.after[command]
        same = ("ids", "vectors", "photos", "forgotten")
        wrong = [name for name in same if now[name] != wanted[name]]
        return f"in the end other {wrong}" if wrong else ""

    def _ran(self, command: str, copy: Gallery | None = None, **fault: Any) -> tuple[Ran, Gallery]:
        if copy is None:
            place = self.folder / f"trial-{next(self._number)}"
            shutil.copytree(self.folder / "whole", place, symlinks=True)
            copy = Gallery.open(place / "my.gallery")
        return self.commands.run(command, copy.folder, **fault), copy

    def _drop(self, copy: Gallery) -> None:
        shutil.rmtree(copy.folder.parent)


def _broken(ran: Ran) -> str:
    if ran.died:
        return f"died of signal {ran.died}"
    return "" if ran.expected else f"a bug: {ran.error[-400:]}"


def _is_done_already(error: str) -> bool:
    return any(text in error for text in ("already", "no person in this gallery", "exists", "is p"))


def _differences(now: dict[str, Any], wanted: dict[str, Any]) -> str:
    return ", ".join(f"other {name}" for name in wanted if now[name] != wanted[name])
