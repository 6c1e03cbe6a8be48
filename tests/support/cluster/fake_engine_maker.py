"""Makes fake engines in other processes, as engine options make real ones."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facesearch.detect.types import Pixels
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine, PhotoFaces
from support.fake_engine import FakeEngine


@dataclass(frozen=True)
class FakeEngineMaker:
    """Engines that take ``seconds`` a batch, and note the number of their process in ``pids``."""

    seconds: float = 0.0
    pids: Path | None = None
    name: str = "fake"

    def create(self, contract: EncoderContract | None = None, *, callers: int = 1) -> FaceEngine:
        """The engine; it has all that the job uses of a real one."""
        if self.pids is not None:
            (self.pids / str(os.getpid())).touch()
        return SlowEngine(self)  # type: ignore[return-value]


class SlowEngine(FakeEngine):
    """A fake engine that takes its time."""

    def __init__(self, maker: FakeEngineMaker) -> None:
        super().__init__(maker.name)
        self._maker = maker

    def faces(self, photos: Sequence[Pixels], *, in_tiles: bool = True) -> list[PhotoFaces]:
        time.sleep(self._maker.seconds)
        return super().faces(photos, in_tiles=in_tiles)
