"""Benchmark results as committed JSON: the figures with the machine and versions they hold for."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from benchmarks.common import idle
from indexer.runtime.cores import available_cores
from indexer.runtime.memory import available_memory

RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = (
    "numpy",
    "torch",
    "openvino",
    "numba",
    "faiss-cpu",
    "h5py",
    "opencv-python-headless",
    "dlib-bin",
)
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")


def machine() -> dict[str, Any]:
    """Processor, usable cores, memory and system."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return {
        "cpu": models[0] if models else platform.processor(),
        "vector_instructions": [flag for flag in INSTRUCTIONS if flag in flags],
        "cores": available_cores(),
        "memory_gib": round(available_memory() / 2**30, 1),
        "system": platform.platform(),
    }


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Python's version and those of the installed among ``packages``."""
    wanted = set(packages)
    installed = {
        distribution.name: distribution.version
        for distribution in importlib.metadata.distributions()
        if distribution.name in wanted
    }
    return {"python": platform.python_version()} | dict(sorted(installed.items()))


def kept_runs(name: str, *, times_replaced: bool = False) -> dict[str, Any]:
    """The "runs" of ``results/<name>.json`` to go on with: none where another machine made them.

    ``times_replaced``: no time of theirs is kept, so that it is no matter how busy it was then.
    """
    path = RESULTS / f"{name}.json"
    document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    here, there = machine(), document.get("machine", {})
    same = all(here[key] == there.get(key) for key in ("cpu", "vector_instructions", "cores"))
    if not same:
        return {}
    if not times_replaced:
        idle.keep(document["machine"])
    runs: dict[str, Any] = document["runs"]
    return runs


def record(name: str, result: dict[str, Any]) -> Path:
    """Write ``results/<name>.json``: ``result`` after the machine and the versions.

    Of a script that takes times, the machine's load before it is noted too (:mod:`.idle`).
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    document = {"machine": machine() | idle.conditions(), "versions": versions(), **result}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
