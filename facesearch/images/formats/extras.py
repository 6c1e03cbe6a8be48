"""Formats that are read where a further package is installed."""

from __future__ import annotations

import importlib.util
from functools import cache

from facesearch.errors import PhotoError

# By kind of :func:`facesearch.images.sniff.sniff`: the module that reads it, and the extra.
EXTRAS = {"RAW": ("rawpy", "raw"), "JXL": ("pillow_jxl", "jxl")}


@cache
def is_readable(kind: str) -> bool:
    """Whether what reads ``kind`` is installed; it is not loaded for it."""
    if kind not in EXTRAS:
        return True
    module, _ = EXTRAS[kind]
    return importlib.util.find_spec(module) is not None


def how_to_read(kind: str) -> str:
    """What to install, as a command."""
    return f"pip install 'facesearch[{EXTRAS[kind][1]}]'"


def require_reader(kind: str, words: str) -> None:
    """Raise PhotoError where ``kind``, in words "a camera raw file", cannot be read."""
    if not is_readable(kind):
        raise PhotoError(
            "unsupported", f"{words}; to read it: {how_to_read(kind)}, then --retry-failed"
        )
