"""The layout stays readable: small folders and modules, names that are found and mean one thing."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("indexer", "cluster", "facesearch", "benchmarks", "tests", "docs")
MOST_MODULES = 15
MOST_LINES = 400
MOST_FUNCTION_LINES = 60
# Words of no field: what they stood for is named by what it is ("reported", "the cluster's").
BANNED = {"told", "own", "anew"}


@functools.cache
def sources(*folders: str) -> Mapping[str, str]:
    """The source of every module below ``folders``, by its path."""
    found = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    assert found
    return found


@dataclass(frozen=True)
class ModuleFacts:
    """What tests ask of a module: it is parsed once for all of them, and its tree is not kept."""

    classes: tuple[str, ...]
    functions: Mapping[str, int]  # lines of each, by where it is and its name
    names: frozenset[str]


@functools.cache
def facts(source: str) -> ModuleFacts:
    """Of the module that ``source`` is."""
    tree = ast.parse(source)
    functions = {}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
            functions[f"{node.lineno} {node.name}"] = node.end_lineno - node.lineno + 1
        below = ast.iter_child_nodes(node)
        waiting += [each for each in below if not isinstance(each, ast.expr)]
    classes = tuple(node.name for node in tree.body if isinstance(node, ast.ClassDef))
    return ModuleFacts(classes, functions, frozenset(names_in(tree)))


def identifiers(source: str) -> Iterator[tuple[str, int]]:
    """Every name that a module gives or uses, and its line."""
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "name", "arg", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value, getattr(node, "lineno", 0)


@functools.cache
def words_of(identifier: str) -> frozenset[str]:
    """``{"person", "table"}`` of ``PersonTable``, ``person_table`` and ``_PERSON_TABLE``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", identifier)
    return frozenset(re.split(r"\W|_", parted.lower())) - {""}


def has_banned_word(source: str) -> bool:
    """Whether a banned word is anywhere in ``source``, in a comment or in an identifier."""
    return any(words_of(each) & BANNED for each in {*re.findall(r"\w+", source)})


def test_no_folder_holds_too_many_modules() -> None:
    modules = [path for path in sources(*FOLDERS) if not path.endswith("__init__.py")]
    counts = Counter(str(Path(path).parent) for path in modules)
    assert {folder: n for folder, n in counts.items() if n > MOST_MODULES} == {}


def test_no_module_is_too_long() -> None:
    lengths = {path: len(source.splitlines()) for path, source in sources(*FOLDERS).items()}
    assert {path: n for path, n in lengths.items() if n > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{path}:{function}": lines
        for path, source in sources("facesearch", "indexer", "cluster").items()
        for function, lines in facts(source).functions.items()
    }
    assert len(lengths) > 1000
    assert {name: n for name, n in lengths.items() if n > MOST_FUNCTION_LINES} == {}


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path, source in sources(*FOLDERS).items():
        for name in facts(source).classes:
            places.setdefault(name, []).append(path)
    assert len(places) > 200
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_identifier_has_a_banned_word() -> None:
    modules = sources(*FOLDERS)
    found = [
        f"{path}:{line}: {name}"
        for path, source in modules.items()
        if has_banned_word(source)  # few do, in their comments, and only these are parsed
        for name, line in identifiers(source)
        if words_of(name) & BANNED
    ]
    found += [path for path in modules if words_of(path) & BANNED]
    assert found == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("told_apart", {"told", "apart"}),
        ("OwnNeighbours", {"own", "neighbours"}),
        ("_BUILD_ANEW", {"build", "anew"}),
        ("shown", {"shown"}),
        ("HTTPServer2", {"http", "server2"}),
    ],
)
def test_words_of_identifiers(name: str, words: set[str]) -> None:
    assert words_of(name) == words
    (found,) = {each for each, _ in identifiers(f"x = {name}") if each != "x"}
    assert found == name
    assert has_banned_word(f"x = {name}") == bool(words & BANNED)


def test_every_benchmark_has_a_row_and_every_result_its_script() -> None:
    page = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `benchmarks.")]
    listed = [row.split("`")[1] for row in rows]
    scripts = {
        path.removesuffix(".py").replace("/", ".")
        for path, source in sources("benchmarks").items()
        if '__name__ == "__main__"' in source and not path.startswith("benchmarks/peers/")
    }
    assert {*listed} == scripts
    assert len(listed) == len(scripts)
    named = {name for row in rows for name in re.findall(r"`([a-z0-9_]+)\.json`", row)}
    kept = {path.stem for path in (ROOT / "benchmarks/results").glob("*.json")}
    assert kept <= named, "results that no row names"
    for row in rows:
        assert row.count("|") == 6, row  # script, question, input, minutes, result


REFERENCE = re.compile(
    r":(?:mod|class|func|data|meth):`~?((?:facesearch|indexer|cluster)(?:\.\w+)+)`"
)


def test_references_in_docstrings_lead_somewhere() -> None:
    modules = sources("indexer", "cluster", "facesearch", "benchmarks")
    defined = {
        path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): facts(source).names
        for path, source in modules.items()
    }
    broken = [
        f"{path}: {target}"
        for path, source in modules.items()
        for target in REFERENCE.findall(source)
        if not leads_somewhere(target, defined)
    ]
    assert broken == []


def names_in(tree: ast.Module) -> set[str]:
    """What a module defines or imports at its top, and the attributes of its classes, dotted."""
    names: set[str] = set()
    for node in tree.body:
        names |= _given(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for each in node.body for name in _given(each)}
    return names


def _given(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return set()


def leads_somewhere(target: str, defined: Mapping[str, frozenset[str]]) -> bool:
    """Whether ``target`` is a module, or a name in the longest module that it begins with."""
    if target in defined:
        return True
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:cut])
        if module in defined:
            return ".".join(parts[cut:]) in defined[module]
    return False
