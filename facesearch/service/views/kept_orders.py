"""Rows of a list in its order, sorted once for each state of a gallery, however it is paged."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
_MOST_ROWS = 1 << 24  # 128 MiB
_MOST_LISTS = 256


class KeptOrders:
    """Lists of one state of a gallery; those that were asked for last are kept."""

    def __init__(self, most_rows: int = _MOST_ROWS, most_lists: int = _MOST_LISTS) -> None:
        """``most_rows`` are kept of all lists together, but one list always is."""
        self._most_rows = most_rows
        self._most_lists = most_lists
        self._kept: OrderedDict[Hashable, Rows] = OrderedDict()
        self._rows = 0
        self._lock = threading.Lock()

    def rows(self, name: Hashable, make: Callable[[], Rows]) -> memoryview:
        """The rows of the list ``name``, int64 (n,), as ``make`` has them the first time.

        As a memoryview, whose parts are taken without looking at the rest.
        """
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
        if found is None:
            found = np.ascontiguousarray(make(), np.int64)
            self._keep(name, found)
        return found.data

    def _keep(self, name: Hashable, rows: Rows) -> None:
        with self._lock:
            if name in self._kept:  # another thread was as quick
                return
            self._kept[name] = rows
            self._rows += len(rows)
            while len(self._kept) > 1 and (
                self._rows > self._most_rows or len(self._kept) > self._most_lists
            ):
                _, oldest = self._kept.popitem(last=False)
                self._rows -= len(oldest)
