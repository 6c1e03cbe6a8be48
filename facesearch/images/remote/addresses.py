"""Addresses of object stores as paths: ``s3://bucket/key`` is the location ``s3:/bucket/key``.

Locations of photos are paths everywhere, and a path has no double slash. That of a local photo is
absolute, so it begins with a slash, and that of an object never does.
"""

from __future__ import annotations

import os
import re

_REMOTE = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)
_LOCAL = "file"


def is_remote(location: str | os.PathLike[str]) -> bool:
    """Whether a location, or what a user typed for one, is an address of an object store."""
    found = _REMOTE.fullmatch(os.fspath(location))
    return found is not None and found[1] != _LOCAL


def address_of(location: str | os.PathLike[str]) -> str:
    """``s3://bucket/key`` of a remote location; ValueError for a local one."""
    found = _REMOTE.fullmatch(os.fspath(location))
    if found is None or found[1] == _LOCAL:
        raise ValueError(f"expected an address such as s3://bucket/folder, got {location!s}")
    return f"{found[1]}://{found[2]}"


def local_path(location: str | os.PathLike[str]) -> str:
    """The local path that ``file:///folder`` means; any other as it is."""
    text = os.fspath(location)
    found = _REMOTE.fullmatch(text)
    return f"/{found[2]}" if found is not None and found[1] == _LOCAL else text
