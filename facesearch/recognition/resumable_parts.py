"""A long output in parts, each on disk whole or not at all, so that a killed job goes on."""

from __future__ import annotations

import fcntl
import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facesearch.errors import BusyGalleryError
from indexer.storage.atomic_files import make_folder, open_lock, write_atomically

logger = logging.getLogger(__name__)

_JOB = "job.json"
_PART = re.compile(r"\d{8}\.part")


class ResumableOutput:
    """The folder beside ``out`` that holds the parts finished so far; open with :meth:`open`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    @contextmanager
    def open(cls, out: Path, job: Mapping[str, Any]) -> Iterator[ResumableOutput]:
        """The parts of ``job``, locked; those of another job for the same output are removed.

        ``job`` is JSON that says all that decides the output. Raises BusyGalleryError while
        another process works on the same output.
        """
        folder = out.with_name(f".{out.name}.parts")
        make_folder(folder)
        with open_lock(folder / "lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyGalleryError(
                    f"another process is writing {out}; wait until it has ended"
                ) from None
            parts = cls(folder)
            parts._settle(json.dumps(dict(job), sort_keys=True))
            yield parts

    def _settle(self, job: str) -> None:
        path = self._folder / _JOB
        before = path.read_text() if path.exists() else None
        if before == job:
            self._remove_after_gap()
            return
        old = [each for each in self._folder.iterdir() if each.name != "lock"]
        if before is not None and old:
            logger.warning("%s holds parts of another job, which are removed", self._folder)
        path.unlink(missing_ok=True)  # first, lest a crash leaves old parts to the new job
        for each in old:
            each.unlink(missing_ok=True)
        write_atomically(path, job.encode())

    def _remove_after_gap(self) -> None:
        kept = set(self.paths())
        for path in self._folder.glob("*.part"):
            if path not in kept:
                path.unlink()

    def paths(self) -> list[Path]:
        """Finished parts from the first on, without a gap."""
        names = {path.name for path in self._folder.iterdir() if _PART.fullmatch(path.name)}
        paths: list[Path] = []
        while (path := self._path(len(paths))).name in names:
            paths.append(path)
        return paths

    def counts(self) -> list[dict[str, int]]:
        """What was noted with each of :meth:`paths`."""
        return [json.loads(path.with_suffix(".json").read_bytes()) for path in self.paths()]

    def add(self, data: bytes, counts: Mapping[str, int]) -> None:
        """Finish the next part."""
        path = self._path(len(self.paths()))
        # First the counts, so that no part is ever without them.
        write_atomically(path.with_suffix(".json"), json.dumps(dict(counts)).encode())
        write_atomically(path, data)

    def remove(self) -> None:
        """Remove all parts, once they are in the output."""
        shutil.rmtree(self._folder)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.part"
