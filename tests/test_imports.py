"""Imports point one way, without circles, and the command line starts without heavy libraries."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
# The parts of each package, bottom up: a part may import those on lower floors, and no others. A
# new part needs a place here. Where an import breaks this, move what is imported down.
FLOORS = {
    "indexer": (
        "errors lazy_exports argument_checks",
        "types",
        "id_ranges id_lookup runtime storage",
        "protocols",
        "exact",
        "index graph open_set",
        "ivf",
        "build",
        "vector_index",
    ),
    "cluster": (
        "types vectors union_find",
        "labels constraints metrics nearest_clusters",
        "graph",
        "linkage",
        "adaptive partitioned review",
        "agglomerative attach_outliers hdbscan_clustering incremental",
        "estimators",
    ),
    "facesearch": (
        "errors",
        "argument_checks repeated_work text video_files",
        "images model_files demo",
        "detect",
        "encoders quality",
        "align",
        "engine",
        "video",
        "engine_options evaluate gallery",
        "people embed_videos",
        "embed_stages search train",
        "embed",
        "distributed",
        "clustering",
        "album recognition erasure",
        "check curation report upgrade vector_files",
        "people_import",
        "backup",
        "encryption",
        "bucket",
        "api",
        "service",
        "cli",
    ),
}
HEAVY = {"torch", "faiss", "h5py"}


@functools.cache
def import_statements(source: str) -> tuple[tuple[ast.Import | ast.ImportFrom, bool], ...]:
    """All imports of ``source``, anywhere in it, and whether more than type checkers see them."""
    found: list[tuple[ast.Import | ast.ImportFrom, bool]] = []
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(source), True)]
    while waiting:
        node, loaded = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append((node, loaded))
            continue
        below = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and is_type_checking(node.test):
            waiting += [(each, False) for each in node.body]
            below = list(node.orelse)
        waiting += [(each, loaded) for each in below if not isinstance(each, ast.expr)]
    return tuple(found)


def is_type_checking(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING`` or ``typing.TYPE_CHECKING``."""
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def imported(source: str) -> dict[str, int]:
    """Top-level names of all modules that ``source`` imports, anywhere in it, and their lines."""
    found: dict[str, int] = {}
    for node, _ in import_statements(source):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [node.module or ""] if node.level == 0 else []
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


@dataclass(frozen=True)
class Module:
    """A module's dotted name and its source."""

    name: str
    source: str

    @property
    def part(self) -> str:
        """What of its package it belongs to: ``images`` of ``facesearch.images.decode``."""
        return ".".join(self.name.split(".")[1:2])


def modules_of(*packages: str) -> dict[str, Module]:
    """All modules of packages by name."""
    found = {}
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = Module(name, path.read_text(encoding="utf-8"))
    return found


def modules_imported(module: Module, names: Collection[str]) -> set[str]:
    """Which of the modules ``names`` a module imports, also within functions.

    Not those that only type checkers import: they are never loaded.
    """
    found, known = set[str](), {*names}
    for node, loaded in import_statements(module.source):
        if not loaded:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= below & known or {node.module}
    return found & known - {module.name}


def floor_breaches(modules: Mapping[str, Module], floors: Sequence[str]) -> list[str]:
    """Imports of one package's modules that do not lead to a lower floor, and parts without one.

    A package's ``__init__`` may import whatever it exports.
    """
    floor_of = {part: floor for floor, parts in enumerate(floors) for part in parts.split()}
    breaches = []
    for module in modules.values():
        if not module.part:
            continue
        if module.part not in floor_of:
            breaches.append(f"{module.name} is on no floor")
            continue
        for name in sorted(modules_imported(module, modules)):
            part = modules[name].part
            if part in ("", module.part) or part not in floor_of:
                continue
            if floor_of[part] >= floor_of[module.part]:
                breaches.append(f"{module.name} imports {name}")
    return breaches


def import_cycle(imports: Mapping[str, Collection[str]]) -> list[str]:
    """Modules each of which imports the next, and the last the first; empty if there are none."""
    done: set[str] = set()
    for start in imports:
        path: list[str] = []
        waiting = [(start, 0)]
        while waiting:
            name, depth = waiting.pop()
            del path[depth:]
            if name in path:
                return path[path.index(name) :]
            path.append(name)
            if name in done:
                continue
            done.add(name)
            waiting += [(each, depth + 1) for each in sorted(imports.get(name, ()))]
    return []


@pytest.mark.parametrize("package", FLOORS)
def test_parts_of_a_package_import_lower_floors_only(package: str) -> None:
    assert floor_breaches(modules_of(package), FLOORS[package]) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = modules_of("indexer", "cluster", "facesearch", "benchmarks")
    imports = {name: modules_imported(module, modules) for name, module in modules.items()}
    assert sum(map(len, imports.values())) > 500  # they were found
    assert import_cycle(imports) == []


@pytest.mark.parametrize(
    ("source", "breach"),
    [
        ("from p.low import x", []),
        ("import p.top.other", []),
        ("import p", []),
        ("def f():\n    from p.high import x", ["p.top.a imports p.high"]),
        ("from p import beside", ["p.top.a imports p.beside"]),
        ("if TYPE_CHECKING:\n    from p.high import x", []),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import p.high", ["p.top.a imports p.high"]),
    ],
)
def test_a_breach_of_floors_is_caught(source: str, breach: list[str]) -> None:
    others = {
        name: Module(name, "") for name in ("p", "p.low", "p.high", "p.beside", "p.top.other")
    }
    modules = {**others, "p.top.a": Module("p.top.a", source)}
    assert floor_breaches(modules, ("low", "top beside", "high")) == breach


def test_a_part_without_a_floor_is_caught() -> None:
    assert floor_breaches({"p.new": Module("p.new", "")}, ("low",)) == ["p.new is on no floor"]


@pytest.mark.parametrize(
    ("imports", "cycle"),
    [
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, set()),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, {"b", "c"}),
        ({"a": ["d", "b"], "d": [], "b": ["c", "d"], "c": ["a"]}, {"a", "b", "c"}),
        ({"a": ["b"], "b": [], "c": ["d", "b"], "d": ["e"], "e": ["d"]}, {"d", "e"}),
    ],
)
def test_a_circle_is_found(imports: dict[str, list[str]], cycle: set[str]) -> None:
    assert {*import_cycle(imports)} == cycle


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
