"""Arrays as the compiled kernels want them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def readonly(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous read-only view (a copy only if not contiguous).

    Numba compiles once for arrays that can be written and once for those that cannot; decoded
    photos come as either, so all are shown to the kernels as the latter.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
