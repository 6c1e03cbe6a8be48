"""Compiled kernels work where nothing can be cached."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba.core.caching
import pytest

from indexer.runtime import numba_jit
from indexer.runtime.numba_jit import jit


def _refuse(self: object) -> None:
    raise OSError("read-only file system")


def test_an_unwritable_cache_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_CacheLocator", "_SourceFileBackedLocatorMixin"):
        monkeypatch.setattr(
            getattr(numba.core.caching, name), "ensure_cache_path", _refuse, raising=False
        )
    kernel = jit(lambda number: number + 1)
    assert kernel(1) == 2
    assert not kernel.stats.cache_path


def _answer(folder: Path) -> str:
    command = [sys.executable, "-c", "from indexer import caller; print(caller.twice(20))"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(folder)}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return ran.stdout.decode().strip()


@pytest.mark.parametrize(
    "kernel", ["from indexer.runtime.numba_jit import jit\n@jit\n", "import numba\n@numba.njit\n"]
)
def test_a_kernel_is_compiled_again_when_one_that_it_calls_has_changed(
    tmp_path: Path, kernel: str
) -> None:
    package = tmp_path / "indexer"
    (package / "runtime").mkdir(parents=True)
    for path in ("__init__.py", "runtime/__init__.py", "runtime/numba_jit.py"):
        shutil.copy(Path(numba_jit.__file__).parents[1] / path, package / path)
    start = "from indexer.runtime.numba_jit import jit\n"
    (package / "caller.py").write_text(
        f"{start}from indexer.called import plus\n@jit\ndef twice(x):\n    return 2 * plus(x)\n"
    )
    for added in (1, 2):
        (package / "called.py").write_text(f"{kernel}def plus(x):\n    return x + {added}\n")
        assert _answer(tmp_path) == str(2 * (20 + added))
    assert len(list((tmp_path / "cache/facesearch/kernels").iterdir())) == 2
