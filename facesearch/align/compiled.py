"""Numba compilation as the kernels here need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


def compiled(kernel: Callable[..., Any]) -> Any:
    """``kernel`` compiled on first call, to run without the GIL; kept on disk where possible.

    Where neither the package's folder nor the user's cache folder can be written, numba refuses to
    cache; the kernel is then compiled anew in every process.
    """
    try:
        return njit(cache=True, nogil=True)(kernel)
    except RuntimeError:
        return njit(nogil=True)(kernel)


def readonly(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous read-only view (a copy only if not contiguous).

    Numba compiles once for arrays that can be written and once for those that cannot; decoded
    photos come as either, so all are shown to the kernels as the latter.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
