"""Cores and memory are those of the container, where that has fewer than the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from joblib.externals.loky.backend import context

from indexer.runtime import memory
from indexer.runtime.cores import available_cores
from indexer.runtime.memory import available_memory, control_group_limits

GIB = 2**30


def test_cores_are_those_of_affinity_and_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= available_cores() <= len(os.sched_getaffinity(0))
    monkeypatch.setattr(context.os, "cpu_count", lambda: 64)
    monkeypatch.setattr(context, "_cpu_count_affinity", lambda count: 16)
    monkeypatch.setattr(context, "_cpu_count_cgroup", lambda count: 3)
    assert available_cores() == 3


def control_groups(folder: Path, member: str, limits: dict[str, str]) -> tuple[Path, Path]:
    """Files as Linux shows them: what the process is a member of, and limits by path."""
    membership = folder / "cgroup"
    membership.write_text(member)
    for path, text in limits.items():
        (folder / "fs" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "fs" / path).write_text(text)
    return folder / "fs", membership


@pytest.mark.parametrize(
    ("member", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "1073741824\n"}, [GIB]),
        ("0::/\n", {"memory.max": "max\n"}, []),
        ("0::/a/b\n", {"a/memory.max": "2147483648\n", "a/b/memory.max": "max\n"}, [2 * GIB]),
        ("0::/gone\n", {"memory.max": "1073741824\n"}, [GIB]),
        ("0::/a:b\n", {"a:b/memory.max": "1073741824\n"}, [GIB]),
        ("5:cpu:/x\n", {"memory/x/memory.limit_in_bytes": "5"}, []),
        (
            "6:cpu,memory:/x\n0::/\n",
            {
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "memory/x/memory.limit_in_bytes": "3221225472\n",
            },
            [3 * GIB, 9223372036854771712],
        ),
        ("", {}, []),
    ],
)
def test_limits_of_control_groups(
    tmp_path: Path, member: str, limits: dict[str, str], expected: list[int]
) -> None:
    assert sorted(control_group_limits(*control_groups(tmp_path, member, limits))) == expected


def test_no_control_groups_at_all(tmp_path: Path) -> None:
    assert control_group_limits(tmp_path, tmp_path / "none") == []


def test_memory_is_the_least_of_machine_and_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    monkeypatch.setattr(memory, "control_group_limits", lambda: [2**62])
    assert available_memory() == physical
    monkeypatch.setattr(memory, "control_group_limits", lambda: [2**62, 2**20])
    assert available_memory() == 2**20
