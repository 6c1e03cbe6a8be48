"""Numba compilation as this project's kernels need it: without the GIL, kept on disk if possible.

The machine code is cached beside the source or in numba's own cache folder. Where neither can be
written numba refuses to decorate at all; then each process compiles again, which is slower to
start and otherwise the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def jit(kernel: _Kernel) -> _Kernel:
    """``kernel`` compiled on its first call; floating-point operations keep their order."""
    return _njit(kernel)


def jit_fastmath(kernel: _Kernel) -> _Kernel:
    """``kernel`` compiled so that sums may be reordered to vectorise, and division never raises.

    Infinities, NaN and comparisons keep their meaning.
    """
    return _njit(kernel, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")


def _njit(kernel: _Kernel, **options: Any) -> _Kernel:
    try:
        result: _Kernel = njit(cache=True, nogil=True, **options)(kernel)
    except RuntimeError:  # "cannot cache function: no locator available"
        result = njit(nogil=True, **options)(kernel)
    return result
