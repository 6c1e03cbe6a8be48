"""Compiling numeric loops with numba, machine code kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """``function`` compiled on its first call for this machine; it releases the GIL.

    The machine code is cached beside the source or in numba's own cache folder. Where neither can
    be written numba refuses to decorate at all; then each process compiles again, which is slower
    to start and otherwise the same.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": {"contract", "reassoc", "nsz", "nnan"},  # infinities keep their meaning
        "error_model": "numpy",
    }
    try:
        result: _Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        result = numba.njit(**options)(function)
    return result
