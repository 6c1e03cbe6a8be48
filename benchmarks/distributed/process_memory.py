"""Memory that processes take, as Linux tells it: sampled while other work is done."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_PAUSE = 0.1  # seconds between samples


@dataclass
class MemoryPeaks:
    """The greatest memory of each process by its number, in KiB: all that is resident, of which
    some is shared with others, and what is the process's alone."""

    resident: dict[int, int] = field(default_factory=dict)
    alone: dict[int, int] = field(default_factory=dict)

    def as_mib(self) -> dict[str, int]:
        """Of the largest process, for a result."""
        return {
            "processes": len(self.resident),
            "largest_resident_mib": round(max(self.resident.values(), default=0) / 1024),
            "largest_alone_mib": round(max(self.alone.values(), default=0) / 1024),
        }

    def note(self, pid: int) -> None:
        """Look at a process once more."""
        found = memory_of(pid)
        if found:
            resident, alone = found["VmRSS"], found["RssAnon"]
            self.resident[pid] = max(self.resident.get(pid, 0), resident)
            self.alone[pid] = max(self.alone.get(pid, 0), alone)


@contextmanager
def memory_watch(processes: Callable[[], list[int]]) -> Iterator[MemoryPeaks]:
    """The peaks of ``processes``, asked for again and again, while the context lasts."""
    peaks, done = MemoryPeaks(), threading.Event()

    def watch() -> None:
        while not done.wait(_PAUSE):
            for pid in processes():
                peaks.note(pid)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        done.set()
        thread.join()


def memory_of(pid: int | str = "self") -> dict[str, int]:
    """Fields of a process's status that are sizes, in KiB; empty where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    sizes = {}
    for line in lines:
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            sizes[name] = int(value.split()[0])
    return sizes if "VmRSS" in sizes else {}


def processes_below(process: int, name: bytes = b"") -> list[int]:
    """Processes that ``process`` started, or those did, whose command begins with ``name``."""
    parents: dict[int, int] = {}
    named = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(fields[1])
        if command.startswith(name):
            named.append(int(folder.name))
    return sorted(each for each in named if process in _ancestors(each, parents))


def workers_here(name: bytes = b"ray::") -> Callable[[], list[int]]:
    """Finds the processes of a Ray cluster that this process started, by their command."""
    return lambda: processes_below(os.getpid(), name)


def _ancestors(process: int, parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    while (process := parents.get(process, 0)) and process not in found:
        found.add(process)
    return found
