"""The similarity transform between two sets of points."""

from __future__ import annotations

from typing import Any

from indexer.runtime.numba_jit import jit


@jit
def similarity(source: Any, target: Any) -> Any:
    """The similarity x' = a x - b y + c, y' = b x + a y + d that best maps source to target.

    Gives (a, b, c, d) as float64. Points (n, 2); ``source`` must not be one point only. Least
    squares (Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", 1991), whose solution in two dimensions and without reflection is this closed form.
    """
    count = len(source)
    mean_sx = mean_sy = mean_tx = mean_ty = 0.0
    for i in range(count):
        mean_sx += source[i, 0]
        mean_sy += source[i, 1]
        mean_tx += target[i, 0]
        mean_ty += target[i, 1]
    mean_sx, mean_sy = mean_sx / count, mean_sy / count
    mean_tx, mean_ty = mean_tx / count, mean_ty / count
    spread = along = across = 0.0
    for i in range(count):
        sx, sy = source[i, 0] - mean_sx, source[i, 1] - mean_sy
        tx, ty = target[i, 0] - mean_tx, target[i, 1] - mean_ty
        spread += sx * sx + sy * sy
        along += sx * tx + sy * ty
        across += sx * ty - sy * tx
    a, b = along / spread, across / spread
    return a, b, mean_tx - (a * mean_sx - b * mean_sy), mean_ty - (b * mean_sx + a * mean_sy)
