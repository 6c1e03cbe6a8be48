"""Numba compilation as this project's kernels need it: without the GIL, kept on disk if possible.

Machine code is cached in ``kernels/`` of the cache folder (``$XDG_CACHE_HOME/facesearch``, by
default ``~/.cache/facesearch``; below ``$NUMBA_CACHE_DIR`` where that is set), in a folder for each
state of the kernels' sources. Numba by itself looks only at the file of the function that is
called: it would go on with old code of the kernels that this one calls, from other files. Where
nothing can be written each process compiles again, which is slower to start and otherwise the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core import config

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("indexer", "cluster", "facesearch")
_settings: Any = config


def jit(kernel: _Kernel) -> _Kernel:
    """``kernel`` compiled on its first call; floating-point operations keep their order."""
    return _njit(kernel)


def jit_fastmath(kernel: _Kernel) -> _Kernel:
    """``kernel`` compiled so that sums may be reordered to vectorise, and division never raises.

    Infinities, NaN and comparisons keep their meaning.
    """
    return _njit(kernel, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")


def _njit(kernel: _Kernel, **options: Any) -> _Kernel:
    before = _settings.CACHE_DIR
    try:
        _settings.CACHE_DIR = str(_cache_folder())
        result: _Kernel = njit(cache=True, nogil=True, **options)(kernel)
    except RuntimeError:  # no home folder, or "cannot cache function: no locator available"
        result = njit(nogil=True, **options)(kernel)
    finally:
        _settings.CACHE_DIR = before
    return result


@cache
def _cache_folder() -> Path:
    """The folder for machine code of the sources as they are: named by a digest of all that
    contain kernels."""
    sources = (path for name in _PACKAGES for path in sorted((_ROOT / name).rglob("*.py")))
    digest = hashlib.sha256()
    for path in sources:
        content = path.read_bytes()
        if b"numba" in content:  # kernels, and what writes instructions into them
            digest.update(hashlib.sha256(content).digest())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = _settings.CACHE_DIR or Path(base) / "facesearch" / "kernels"
    return Path(folder) / digest.hexdigest()[:16]
