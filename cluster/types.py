"""The result of a clustering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOISE = -1


@dataclass(frozen=True)
class Clustering:
    """Ids int64 (n,), labels int32 (n,), confidence float32 (n,) in [0, 1].

    Labels count from 0 without gaps; -1 only for noise, where confidence is 0. The methods of this
    package number the largest cluster first (ties by smallest id).
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]

    def __post_init__(self) -> None:
        expected = {"ids": np.int64, "labels": np.int32, "confidence": np.float32}
        for name, dtype in expected.items():
            array = getattr(self, name)
            if array.shape != (len(self.ids),) or array.dtype != dtype:
                raise ValueError(
                    f"expected {name} {np.dtype(dtype)} ({len(self.ids)},), "
                    f"got {array.dtype} {array.shape}"
                )
        if len(self.labels) and self.labels.min() < NOISE:
            raise ValueError(f"expected labels of -1 or more, got {self.labels.min()}")

    @property
    def count(self) -> int:
        """How many clusters there are, noise not counted."""
        return int(self.labels.max()) + 1 if len(self.labels) else 0
