"""Compiled kernels work where nothing can be cached."""

from __future__ import annotations

import numba.core.caching
import pytest

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
