"""Every benchmark can at least be started: what it imports is there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import benchmarks

NAMES = sorted(path.stem for path in Path(benchmarks.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_is_imported(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")
