"""What ``facesearch`` and ``cluster`` export, and that it is found whatever was imported before."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import cluster
import facesearch
import indexer

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", [facesearch, indexer, cluster], ids=lambda each: each.__name__)
def test_every_public_name_is_there(package: object) -> None:
    assert isinstance(package, type(facesearch))
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    assert {*package.__all__} <= {*dir(package)}
    assert sorted(package.__all__) == sorted(package._MODULES)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize("package", [facesearch, indexer, cluster], ids=lambda each: each.__name__)
def test_no_public_name_is_a_modules(package: object) -> None:
    """Importing a module sets an attribute of its name: a function's would be lost."""
    assert isinstance(package, type(facesearch))
    modules = {each.name for each in pkgutil.iter_modules(package.__path__)}
    assert not modules & {*package.__all__}


@pytest.mark.slow
def test_functions_are_found_whatever_was_imported_before() -> None:
    program = (
        "import facesearch.search.gallery_index, facesearch.recognition.identify\n"
        "import facesearch.album.build, facesearch.erasure.forget\n"
        "import facesearch.check, facesearch.demo\n"
        "import facesearch\n"
        "from facesearch import *\n"
        "from facesearch import __all__ as names\n"
        "print(*(name for name in names if type(globals()[name]) is type(facesearch)))"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_importing_brings_nothing_heavy() -> None:
    program = (
        "import facesearch, indexer, cluster, sys; print(len(sys.modules), 'numpy' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    modules, numpy = ran.stdout.split()
    assert numpy == "False"
    assert int(modules) < 120
