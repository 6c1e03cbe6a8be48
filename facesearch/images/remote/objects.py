"""Objects of any store that fsspec knows: listed, and read whole within a time.

Credentials and settings come from the environment, as the store's library reads them
(``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ``GOOGLE_APPLICATION_CREDENTIALS``) or as fsspec does
(``FSSPEC_S3``, a JSON object of settings).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from facesearch.errors import InputError, PhotoError
from facesearch.images.remote.addresses import address_of

# Libraries try again by themselves after some errors of the server and of the network. These are
# tries beyond: for other errors, and for bodies that end early without one.
ATTEMPTS = 3
SECONDS = 120.0  # for one object, tries and all
_LEAST_SECONDS = 0.1
_FOR_GOOD = (FileNotFoundError, PermissionError)  # no other answer is to be expected
_TIMES = ("LastModified", "mtime", "updated", "last_modified", "created")


@dataclass(frozen=True)
class StoredObject:
    """An object: its name below the folder asked for ("" for that itself), bytes, mtime in ns."""

    name: str
    size: int
    mtime_ns: int


def object_exists(location: str) -> bool:
    """Whether there is an object or a folder; InputError where the store does not say."""
    files, path = open_store(location)
    try:
        return bool(files.exists(path))
    except Exception as error:  # each store has its exceptions
        raise InputError(f"cannot read {address_of(location)}: {reason_of(error)}") from error


def list_objects(location: str) -> Iterator[StoredObject]:
    """All objects below a folder, or the one that is named, in bytewise order of their names.

    Raises InputError where the store refuses.
    """
    files, path = open_store(location)
    try:
        found = objects_below(files, path)
    except Exception as error:  # each store has its exceptions
        raise InputError(f"cannot list {address_of(location)}: {reason_of(error)}") from error
    yield from found


def objects_below(files: Any, path: str) -> list[StoredObject]:
    """As :func:`list_objects`, of ``path`` in the file system ``files``; raises its errors."""
    files.invalidate_cache()
    found: dict[str, Any] = files.find(path, detail=True)
    base = path.rstrip("/")
    objects = []
    for full in sorted(found, key=str.encode):
        info = found[full]
        name = "" if full.rstrip("/") == base else full[len(base) :].lstrip("/")
        objects.append(StoredObject(name, int(info.get("size") or 0), _modified(info)))
    return objects


def read_object(
    location: str, max_bytes: int, size: int | None = None, seconds: float | None = None
) -> bytes:
    """An object's bytes; ``size`` is how many there should be, where that is known.

    All tries together may take ``seconds``, None: :data:`SECONDS`.

    Raises PhotoError: "too-large" for more than ``max_bytes``, "empty", or "unreadable" where the
    store refuses, does not answer in time, or sends fewer bytes than there are.
    """
    try:
        files, path = open_store(location)
        if size is None:
            size = int(files.info(path)["size"])
        if size > max_bytes:
            raise PhotoError("too-large", f"{size} bytes, the limit is {max_bytes}")
        if size == 0:
            raise PhotoError("empty", "the file has no bytes")
        data = _tried(files, path, size, SECONDS if seconds is None else seconds)
    except PhotoError:
        raise
    except Exception as error:  # each store has its exceptions
        raise PhotoError("unreadable", reason_of(error)) from error
    if len(data) != size:
        raise PhotoError("unreadable", f"expected {size} bytes, got {len(data)} of them")
    return data


def _tried(files: Any, path: str, size: int, seconds: float) -> bytes:
    """What the last try gave, or its error; the first that gives ``size`` bytes is the last."""
    end = time.monotonic() + seconds
    data = b""
    for attempt in range(1, ATTEMPTS + 1):
        left = end - time.monotonic()
        try:
            data = _read(files, path, max(left, _LEAST_SECONDS))
        except _FOR_GOOD:
            raise
        except Exception:
            if attempt == ATTEMPTS or time.monotonic() >= end:
                raise
            continue
        if len(data) == size:
            break
    return data


def _read(files: Any, path: str, seconds: float) -> bytes:
    if not files.async_impl:
        return bytes(files.cat_file(path))
    from fsspec.asyn import sync  # noqa: PLC0415 - of an extra

    return bytes(sync(files.loop, files._cat_file, path, timeout=seconds))


def open_store(location: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    address = address_of(location)
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - of an extra

        files, path = url_to_fs(address)
    except ImportError as error:
        raise InputError(
            f"cannot read {address}: {error}; install what reads it: pip install 'facesearch[ray]' "
            "(for gs:// also gcsfs)"
        ) from error
    except ValueError as error:
        raise InputError(f"cannot read {address}: {error}") from error
    return files, str(path)


def _modified(info: dict[str, Any]) -> int:
    """When an object was written, in ns since 1970; 0 where the store does not say."""
    value = next((info[name] for name in _TIMES if info.get(name)), 0)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = value.timestamp()
    return round(float(value) * 1e9)


def reason_of(error: Exception) -> str:
    """What went wrong, in one line."""
    name = type(error).__name__
    text = " ".join(str(error).split())
    return f"{name}: {text}" if text else name
