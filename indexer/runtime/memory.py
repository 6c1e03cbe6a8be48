"""How much memory there is to use."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

_MOUNTED = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def available_memory() -> int:
    """Bytes that this process may use: the machine's, or fewer where its container has a limit."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *control_group_limits()])


def control_group_limits(mounted: Path = _MOUNTED, membership: Path = _MEMBERSHIP) -> list[int]:
    """Limits in bytes of this process's control group and those above it, of version 1 or 2.

    In a container the group may be mounted as the root of all, so that is looked at too.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    files = set()
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        folder = mounted / "memory" if controllers else mounted
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        path = PurePosixPath(group)
        files |= {folder / each.relative_to("/") / name for each in (path, *path.parents)}
    return [limit for file in files if (limit := _limit(file)) is not None]


def _limit(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:  # this level has none, or it lies outside the container
        return None
    return int(text) if text.isdecimal() else None  # "max" is none
