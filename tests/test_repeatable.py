"""What the suite promises: `make test` draws the same examples at every run, `make fuzz` others."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from hypothesis import settings

from support.processes.fork_server import PRELOADED

TESTS = Path(__file__).parent
EXAMPLES = settings.get_profile("repeatable").max_examples
PROGRAM = """
import os
from hypothesis import given, strategies as st

@given(st.lists(st.integers() | st.floats() | st.text() | st.binary()))
def test_anything(value):
    print(value, flush=True)
"""


def drawn(folder: Path, imports: str = "") -> list[str]:
    """What a fresh process draws, which first loads modules of this project."""
    test = folder / "test_drawing.py"
    test.write_text(f"{imports}\n{PROGRAM}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "conftest", test.name],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS.parent)))},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return [line for line in done.stdout.splitlines() if line.startswith("[")]


def test_examples_depend_on_the_test_alone(tmp_path: Path) -> None:
    first = drawn(tmp_path)
    assert len(first) == EXAMPLES
    assert drawn(tmp_path, "import facesearch.cli.main, indexer.types, cluster.types") == first
    assert not settings.get_profile("random").derandomize


def test_the_server_of_processes_finds_what_it_loads() -> None:
    for name in PRELOADED:  # it would pass over what is not there, and processes would start slowly
        import_module(name)
