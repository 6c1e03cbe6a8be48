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


def module_imports() -> dict[str, set[str]]:
    """The modules of ours that each of them imports, but inside functions."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in ("indexer", "cluster", "facesearch")
        for path in (ROOT / package).rglob("*.py")
    }
    return {name: imports_of(path.read_text(), {*paths}) - {name} for name, path in paths.items()}


def imports_of(source: str, modules: set[str]) -> set[str]:
    """Those of ``modules`` that ``source`` imports, but inside functions."""
    found: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & modules if inner <= modules else (inner & modules) | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if not isinstance(node, ast.FunctionDef):
            nodes += ast.iter_child_nodes(node)
    return found & modules


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; none, if there is none."""
    left = {name: {*others} for name, others in imports.items()}
    while ready := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in ready}
    return sorted(left)


def test_modules_import_each_other_in_no_circle() -> None:
    assert circle(module_imports()) == []


def test_a_circle_is_caught() -> None:
    first, second = "if x:\n    from a.two import y", "def f():\n    import a.one\nimport a.three"
    names = {"a.one", "a.two", "a.three"}
    assert circle({"a.one": imports_of(first, names), "a.two": imports_of(second, names)}) == []
    third = "from a import one"
    sources = {"a.one": first, "a.two": second, "a.three": third}
    found = {name: imports_of(source, names) for name, source in sources.items()}
    assert circle(found) == ["a.one", "a.three", "a.two"]
