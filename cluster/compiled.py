"""Numba compilation as the kernels of this package need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# Sums may be reordered, so that they vectorise; infinities and comparisons keep their meaning.
_REORDER = {"reassoc", "contract", "nsz"}


def compiled(kernel: Callable[..., Any]) -> Any:
    """``kernel`` compiled on first call, to run without the GIL; kept on disk where possible.

    Where neither the package's folder nor the user's cache folder can be written, numba refuses to
    cache; the kernel is then compiled anew in every process.
    """
    try:
        return njit(cache=True, nogil=True, fastmath=_REORDER)(kernel)
    except RuntimeError:
        return njit(nogil=True, fastmath=_REORDER)(kernel)
