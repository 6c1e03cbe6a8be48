"""Imports point one way, and the command line starts without its heavy libraries."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"indexer", "cluster", "facesearch", "benchmarks", "tests", "support"}
MAY_IMPORT = {
    "indexer": {"indexer"},
    "cluster": {"indexer", "cluster"},
    "facesearch": {"indexer", "cluster", "facesearch"},
    "benchmarks": {"indexer", "cluster", "facesearch", "benchmarks"},
}
HEAVY = {"torch", "faiss", "h5py"}


def imported(source: str) -> dict[str, int]:
    """Top-level names of all modules that ``source`` imports, anywhere in it, and their lines."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if node.level == 0 else []
        else:
            continue
        found |= {name.split(".")[0]: node.lineno for name in names}
    return found


def breaches(package: str, source: str) -> dict[str, int]:
    """What ``source``, a module of ``package``, imports of ours but must not."""
    forbidden = OURS - MAY_IMPORT[package]
    return {name: line for name, line in imported(source).items() if name in forbidden}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    found = {
        f"{path.relative_to(ROOT)}:{line}": name
        for path in modules
        for name, line in breaches(package, path.read_text(encoding="utf-8")).items()
    }
    assert found == {}


@pytest.mark.parametrize(
    ("package", "line", "caught"),
    [
        ("indexer", "import cluster.types", True),
        ("indexer", "def f():\n    from facesearch.errors import InputError", True),
        ("indexer", "from .types import Block", False),
        ("cluster", "from indexer import types\nimport facesearch", True),
        ("cluster", "from indexer.types import Block", False),
        ("facesearch", "if True:\n    import support.vectors", True),
        ("facesearch", "import cluster, indexer, facesearch.errors", False),
        ("benchmarks", "from tests import x", True),
    ],
)
def test_a_breach_is_caught(package: str, line: str, caught: bool) -> None:
    assert bool(breaches(package, line)) == caught


def heavy_after(statement: str) -> set[str]:
    """The heavy libraries that a fresh process has loaded when ``statement`` ends it."""
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('loaded', *{HEAVY!r} & sys.modules.keys()))\n{statement}"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.splitlines()[-1].split()) - {"loaded"}


@pytest.mark.parametrize(
    ("statement", "loaded"),
    [
        ("import facesearch", set()),
        ("import indexer.types, cluster.types", set()),
        ("import facesearch.cli.main as cli; cli.main(['--help'])", set()),
        ("import indexer.storage.shards", {"h5py"}),
    ],
)
def test_heavy_libraries_are_not_loaded(statement: str, loaded: set[str]) -> None:
    assert heavy_after(statement) == loaded
