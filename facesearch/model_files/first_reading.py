"""A model file of unknown origin is read by another process first, which may crash in our place.

Libraries that read models are parsers in C++; a damaged or hostile file can end their process. What
another process survived is noted by digest and not tried again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from facesearch.errors import WeightsError
from facesearch.model_files.download import cache_folder
from indexer.storage.atomic_files import write_atomically

_SECONDS = 60
_MOST_MEMORY = 4 << 30  # bytes
_LIMITS = f"""
import resource
resource.setrlimit(resource.RLIMIT_DATA, ({_MOST_MEMORY}, {_MOST_MEMORY}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""


def require_survived(data: bytes, path: Path, program: str) -> None:
    """Raise WeightsError where ``program``, given ``data`` as its input, crashes or never ends.

    ``program`` is Python that reads ``data``, the content of ``path``, from its standard input, and
    does with it what is to be done here. That it raises an error says nothing: that can be caught.
    """
    note = cache_folder() / "read-before" / _name(data, program)
    if note.exists():
        return
    died = _died(data, program)
    if died:
        raise WeightsError(
            f"{path} cannot be used: the program that read it first {died}; the file is damaged or "
            "made to do harm: fetch it again from where it comes from"
        )
    with suppress(OSError):  # then it is tried again next time
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, b"", durable=False)


def _died(data: bytes, program: str) -> str:
    """How the program ended, where not by itself."""
    command = [sys.executable, "-P", "-c", _LIMITS + program]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    try:
        ran = subprocess.run(
            command,
            input=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took more than {_SECONDS} seconds"
    return f"crashed by signal {-ran.returncode}" if ran.returncode < 0 else ""


def _name(data: bytes, program: str) -> str:
    return hashlib.sha256(hashlib.sha256(data).digest() + program.encode()).hexdigest()
