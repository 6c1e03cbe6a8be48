"""Arrays whose memory is a file without a name, for what is larger than memory.

The file is gone with the last use of its array, also where the process is killed.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.storage.atomic_files import storing


def scratch_array(folder: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array float32 of zeros of this shape, in a file of its size in ``folder``.

    Raises StorageError where there is no room for it.
    """
    size = 4 * math.prod(shape)
    if not size:
        return np.zeros(shape, np.float32)
    with storing(folder), tempfile.TemporaryFile(dir=folder) as file:
        # Else a disk that fills up would kill the process while it writes.
        os.posix_fallocate(file.fileno(), 0, size)
        return np.asarray(np.memmap(file, np.float32, "r+", shape=shape))
