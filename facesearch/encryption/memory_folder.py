"""A folder in memory that goes when the process ends, however it ends."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facesearch.errors import InputError

PLACE = Path("/dev/shm")
_MOUNTS = Path("/proc/self/mounts")
_SPARE = 64 << 20  # bytes
# Ends when the pipe to it is closed, also by the death of the process that holds it.
_REMOVE = 'read _; rm -rf -- "$1"'


@contextmanager
def memory_folder(size: int) -> Iterator[Path]:
    """An empty folder for files of ``size`` bytes together, for this user alone.

    It is in memory; where the computer swaps, parts of it may get to the swap space. Raises
    InputError where there is no such place, or too little of it.
    """
    if not _is_in_memory(PLACE):
        raise InputError(
            f"expected a file system in memory (tmpfs) at {PLACE}, where encrypted galleries are "
            "used; decrypt the gallery to use it on this computer"
        )
    free = shutil.disk_usage(PLACE).free
    if free < size + _SPARE:
        raise InputError(
            f"the gallery needs {size + _SPARE} bytes in memory at {PLACE}, where {free} are free; "
            f"make it larger, as with: mount -o remount,size={(size + _SPARE) * 5 // 4} {PLACE}"
        )
    folder = Path(tempfile.mkdtemp(prefix="facesearch-", dir=PLACE))
    remover = subprocess.Popen(
        ["/bin/sh", "-c", _REMOVE, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # what interrupts a command on a terminal does not reach it
    )
    try:
        yield folder
    finally:
        assert remover.stdin is not None
        remover.stdin.close()
        remover.wait()


def _is_in_memory(place: Path) -> bool:
    try:
        mounts = [line.split(" ") for line in _MOUNTS.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return False
    kinds = [words[2] for words in mounts if words[1] == str(place)]
    return kinds[-1:] in (["tmpfs"], ["ramfs"])
