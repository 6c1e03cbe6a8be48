"""What the suite promises: `make test` draws the same examples at every run, `make fuzz` others."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from hypothesis import settings

from support.processes import PRELOADED

TESTS = Path(__file__).parent
EXAMPLES = settings.get_profile("repeatable").max_examples
PROGRAM = """
import os
from hypothesis import given, strategies as st

@given(st.lists(st.integers() | st.floats() | st.text() | st.binary()))
def test_anything(value):
    print(value, flush=True)
"""
# Loads modules of this project, whose constants Hypothesis would draw too.
LOADING = """
def test_loading():
    import facesearch.cli.main, indexer.types, cluster.types
"""


def drawn(folder: Path, *options: object) -> list[str]:
    """What tests of a process of its own draw."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "conftest", *map(str, options)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS.parent)))},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return [line for line in done.stdout.splitlines() if line.startswith("[")]


def test_examples_depend_on_the_test_alone(tmp_path: Path) -> None:
    early, late = tmp_path / "test_early.py", tmp_path / "test_late.py"
    early.write_text(PROGRAM, encoding="utf-8")
    late.write_text(LOADING + PROGRAM, encoding="utf-8")
    both = drawn(tmp_path, early, late)
    first, again = both[:EXAMPLES], both[EXAMPLES:]
    assert len(first) == EXAMPLES
    assert again == first
    assert drawn(tmp_path, early, "--hypothesis-profile=random")[:EXAMPLES] != first


def test_the_server_of_processes_finds_what_it_loads() -> None:
    for name in PRELOADED:  # it would pass over what is not there, and processes would start slowly
        import_module(name)
