"""Objects below one address: made once, never changed, and compared with what was sent."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from facesearch.errors import GalleryError, InputError, PhotoError
from facesearch.images.remote.addresses import address_of
from facesearch.images.remote.objects import (
    StoredObject,
    objects_below,
    open_store,
    read_object,
    reason_of,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 4  # beyond those that the library of the store makes
SECONDS = 600.0  # for one object to be sent
THREADS = 8
_PAUSE = 0.2  # seconds, and twice as many each time

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class BucketError(GalleryError):
    """A store that refuses, does not answer, or does not keep what it was sent."""


class BucketStore:
    """The objects below ``address``, such as ``s3://bucket/my.gallery``. Thread-safe."""

    def __init__(self, address: str) -> None:
        """Raises InputError for an address of no store, or where its library is not installed."""
        self.address = address_of(address).rstrip("/")
        self._files, self._base = open_store(self.address)

    def listed(self, folder: str = "") -> dict[str, StoredObject]:
        """All objects below ``folder`` by their name in it; BucketError where the store refuses."""
        path = f"{self._base}/{folder}" if folder else self._base

        def ask() -> dict[str, StoredObject]:
            try:
                return {each.name: each for each in objects_below(self._files, path) if each.name}
            except FileNotFoundError:  # as some stores say of a folder without an object
                return {}

        return self._tried(ask, f"list {self.address}/{folder}")

    def make(self, name: str, data: bytes, *, is_listed: bool = False) -> None:
        """See that the object ``name``, which is named by its content, is there and holds ``data``.

        It is made where there is none (``is_listed``: there is one, so it is only read), and read
        back. One of other content, of which half arrived, is removed and made again. Raises
        BucketError where it cannot be made.
        """
        for attempt in range(ATTEMPTS):
            if attempt or not is_listed:
                self._create(name, data)
            if self._read(name) == data:
                return
            logger.warning("%s did not arrive whole: it is sent again", self._place(name))
            self.remove([name])
        raise BucketError(
            f"{self._place(name)} arrived damaged {ATTEMPTS} times; see what lies between this "
            "machine and the store, then run the command again"
        )

    def make_first(self, name: str, data: bytes) -> bool:
        """Make the object ``name`` unless another process has; whether it holds ``data`` now."""
        for _ in range(ATTEMPTS):
            self._create(name, data)
            found = self._read(name)
            if found == data:
                return True
            if not data.startswith(found):
                return False
            self.remove([name])  # half of what was sent
        return False

    def read(self, name: str, size: int, sha256: str | None = None) -> bytes:
        """The object of ``size`` bytes and this digest, if it is known.

        Raises BucketError where it cannot be read, or is another.
        """

        def ask() -> bytes:
            data = self._read_once(name, size)
            if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
                raise BucketError(f"{self._place(name)} is not what was sent")
            return data

        return self._tried(ask, f"read {self._place(name)}")

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects; those that are gone do not matter."""
        for name in names:
            try:
                self._tried(
                    lambda name=name: self._files.rm_file(f"{self._base}/{name}"),  # type: ignore[misc]
                    f"remove {self._place(name)}",
                )
            except FileNotFoundError:
                continue

    def _place(self, name: str) -> str:
        return f"{self.address}/{name}"

    def _create(self, name: str, data: bytes) -> None:
        """Send an object unless there is one; whose answer is lost may be there."""

        def ask() -> None:
            try:
                self._pipe(name, data)
            except FileExistsError:
                return

        self._tried(ask, f"write {self._place(name)}")

    def _pipe(self, name: str, data: bytes) -> None:
        path = f"{self._base}/{name}"
        try:
            if not self._files.async_impl:
                self._files.pipe_file(path, data, mode="create")
                return
            from fsspec.asyn import sync  # noqa: PLC0415 - of an extra

            sync(
                self._files.loop, self._files._pipe_file, path, data, mode="create", timeout=SECONDS
            )
        except (TypeError, NotImplementedError) as error:
            raise InputError(
                f"the store of {self.address} cannot make objects only where there are none, which "
                f"galleries need: {error}"
            ) from error

    def _read(self, name: str) -> bytes:
        """An object of any size."""
        path = f"{self._base}/{name}"

        def ask() -> bytes:
            self._files.invalidate_cache(path)
            return self._read_once(name, int(self._files.info(path)["size"]))

        return self._tried(ask, f"read {self._place(name)}")

    def _read_once(self, name: str, size: int) -> bytes:
        if not size:
            return b""
        try:
            return read_object(self._place(name), size, size)
        except PhotoError as error:
            raise BucketError(error.detail) from error

    def _tried(self, ask: Callable[[], _Result], what: str) -> _Result:
        """What the store answers, asked several times."""
        for attempt in range(ATTEMPTS):
            try:
                return ask()
            except (FileNotFoundError, InputError):
                raise
            except Exception as error:  # each store has its exceptions
                failure = error
                if isinstance(error, PermissionError):
                    break
            time.sleep(_PAUSE * 2**attempt)
        raise BucketError(f"cannot {what}: {reason_of(failure)}") from failure


def in_threads(work: Callable[[_Item], Any], items: Iterable[_Item]) -> None:
    """Do ``work`` for all items, several at a time; raises what the first to fail raised."""
    with ThreadPoolExecutor(THREADS, "bucket") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
