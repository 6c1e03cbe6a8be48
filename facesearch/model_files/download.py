"""Model files from the network: fetched once, resumed, checked by digest, kept in a cache folder.

Nothing is downloaded unless a user asks for it (``facesearch encoders fetch``). A file appears
under its name only when it is whole and its SHA-256 is right; until then it is ``NAME.partial``,
which the next attempt goes on from. (Libraries such as pooch begin again after a cut, and know no
limit of size, no digest recorded by the first fetch and no other process that fetches the same
file.)
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from facesearch.errors import WeightsError
from indexer.storage.atomic_files import sha256_of, sync_folder, write_atomically

CACHE_VARIABLE = "FACESEARCH_CACHE"
DATA_VARIABLE = "FACESEARCH_DATA"
ATTEMPTS = 4
TIMEOUT = 30.0  # seconds without a byte
LARGEST = 4 << 30  # bytes: no model file is larger
_PIECE = 1 << 20
_PAGE_BYTES = 512

Progress = Callable[[int, int | None], None]


def data_folder() -> Path:
    """Where what a user added is kept: $FACESEARCH_DATA, else in the user's data folder."""
    if named := os.environ.get(DATA_VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "facesearch"


def cache_folder() -> Path:
    """Where fetched files are kept: $FACESEARCH_CACHE, else in the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "facesearch"


@dataclass(frozen=True)
class DownloadedFile:
    """A file on the network, and what is known of it beforehand.

    ``sha256`` None: no digest was published; the first fetch records what it got, and later ones
    must agree. ``size`` in bytes, where known.
    """

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None

    @property
    def path(self) -> Path:
        """Where the file is once it was fetched."""
        return cache_folder() / self.name

    @property
    def present(self) -> bool:
        """Whether the file was fetched, its digest not yet checked."""
        return self.path.exists()

    @property
    def recorded(self) -> Path:
        """Where the digest of a first fetch is kept."""
        return self.path.with_name(self.name + ".sha256")

    def expected_sha256(self) -> str | None:
        """The pinned digest, else the one recorded at the first fetch, else None."""
        if self.sha256 is not None or not self.recorded.exists():
            return self.sha256
        words = self.recorded.read_text(encoding="ascii", errors="replace").split()
        return words[0] if words else None

    def locate(self) -> Path:
        """The fetched file, its digest checked; raises WeightsError when it is not there."""
        if not self.path.exists():
            raise WeightsError(f"{self.name} has not been fetched")
        found, expected = sha256_of(self.path), self.expected_sha256()
        if expected is None:
            raise WeightsError(
                f"{self.path} was not fetched by this program, and no digest of it is known; "
                "delete it and fetch it, or name it with --weights"
            )
        if found != expected:
            raise WeightsError(
                f"{self.path} is damaged: expected SHA-256 {expected}, found {found}; "
                "delete it and fetch it again"
            )
        return self.path


@dataclass(frozen=True)
class Fetched:
    """What a fetch left: ``first_use`` when the digest was recorded for want of a pinned one."""

    path: Path
    sha256: str
    first_use: bool


def fetch(
    file: DownloadedFile,
    url: str | None = None,
    progress: Progress = lambda done, total: None,
    pause: float = 1.0,
) -> Fetched:
    """Bring ``file`` into the cache, from ``url`` in place of its own if given.

    A cut connection is taken up again where it broke, up to four times with growing pauses (the
    first of ``pause`` seconds). ``progress`` gets bytes so far and the total, None while unknown.
    Raises WeightsError: not found, refused, too large, of another digest, disk full.
    """
    address = url or file.url
    _check_address(address)
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file.path):
            if not file.path.exists():
                _download(file, address, progress, pause)
                return _accept(file, address)
        return Fetched(file.locate(), sha256_of(file.path), first_use=False)
    except OSError as error:
        raise WeightsError(
            f"cannot store {file.name} in {file.path.parent}: {error.strerror or error}; "
            f"what was fetched is kept and the next attempt goes on; {CACHE_VARIABLE} names "
            "another folder"
        ) from error


def adopt(file: DownloadedFile, source: Path) -> Fetched:
    """Bring a copy of ``file`` that is on this machine already into the cache.

    Raises WeightsError where ``source`` cannot be read or has another digest or size.
    """
    try:
        found = sha256_of(source)
        if file.sha256 is not None and found != file.sha256:
            raise WeightsError(
                f"{source} is not {file.name}: expected SHA-256 {file.sha256}, found {found}"
            )
        file.path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file.path):
            if not file.path.exists():
                shutil.copyfile(source, _partial(file))
                return _accept(file, str(source))
        return Fetched(file.locate(), sha256_of(file.path), first_use=False)
    except OSError as error:
        raise WeightsError(f"cannot copy {source}: {error.strerror or error}") from error


def _check_address(address: str) -> None:
    try:
        parts = urllib.parse.urlsplit(address)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname)
        fine = fine and (parts.port is None or parts.port > 0)  # reading it checks it
    except ValueError:
        fine = False
    # What an address may hold is ASCII without spaces; the rest is written as %XX.
    if not fine or not address.isascii() or any(letter <= " " for letter in address):
        raise WeightsError(f"expected an http or https address, got {address!r}")


def _download(file: DownloadedFile, address: str, progress: Progress, pause: float) -> None:
    for attempt in range(ATTEMPTS):
        try:
            _attempt(file, address, progress)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 or attempt == ATTEMPTS - 1:
                raise WeightsError(_status_text(address, error)) from error
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            if attempt == ATTEMPTS - 1:
                raise WeightsError(
                    f"cannot fetch {address}: {reason}; what came is kept: try again"
                ) from error
        else:
            return
        time.sleep(pause * 2**attempt)


def _attempt(file: DownloadedFile, address: str, progress: Progress) -> None:
    partial, tag = _partial(file), _partial(file).with_suffix(".etag")
    start = partial.stat().st_size if partial.exists() and tag.exists() else 0
    headers = {"User-Agent": "facesearch"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": tag.read_text(encoding="latin-1")}
    try:
        response = _opener().open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send, or the file there is shorter: start again
            partial.unlink()
            raise ConnectionError("the server has no such range") from error
        raise
    with response:
        start = start if response.status == 206 else 0
        if start and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            partial.unlink()
            raise ConnectionError("the server sent another range than was asked for")
        total = _total(response, start)
        _refuse_size(file, address, total)
        tag.write_text(response.headers.get("ETag", ""), encoding="latin-1", errors="replace")
        if not response.headers.get("ETag", "").startswith('"'):
            tag.unlink()  # without a strong tag nothing says that it is still the same file
        _receive(file, response, start, total, progress)


def _receive(
    file: DownloadedFile,
    response: HTTPResponse,
    start: int,
    total: int | None,
    progress: Progress,
) -> None:
    done = start
    with _partial(file).open("ab" if start else "wb") as out:
        while piece := response.read1(_PIECE):
            out.write(piece)
            done += len(piece)
            _refuse_size(file, response.url, done, at_most=True)
            progress(done, total)
        out.flush()
        os.fsync(out.fileno())
    if total is not None and done < total:
        raise ConnectionError(f"the connection ended after {done} of {total} bytes")


def _refuse_size(
    file: DownloadedFile, address: str, size: int | None, at_most: bool = False
) -> None:
    limit = file.size if file.size is not None else LARGEST
    wrong = size is not None and (
        size > limit or (file.size is not None and not at_most and size != limit)
    )
    if wrong:
        _discard(file)
        raise WeightsError(
            f"{address} has {size} bytes where {file.name} has {limit}; it is another file"
        )


def _accept(file: DownloadedFile, address: str) -> Fetched:
    partial, expected = _partial(file), file.expected_sha256()
    found = sha256_of(partial)
    if expected is not None and found != expected:
        _discard(file)
        raise WeightsError(
            f"{address} is not {file.name}: expected SHA-256 {expected}, found {found}; "
            f"it was deleted{_first_fetch_advice(file)}"
        )
    if expected is None:
        _require_no_page(file, address)
        write_atomically(file.recorded, f"{found}  {file.name}\n".encode())
    partial.replace(file.path)
    partial.with_suffix(".etag").unlink(missing_ok=True)
    sync_folder(file.path.parent)
    return Fetched(file.path, found, first_use=expected is None)


def _first_fetch_advice(file: DownloadedFile) -> str:
    if file.sha256 is not None:
        return ""
    return f"; if the first fetch got a wrong file, delete {file.recorded} too, then fetch again"


def _require_no_page(file: DownloadedFile, address: str) -> None:
    """Raise WeightsError where the network answered with a page of its own, as hotels' do."""
    with _partial(file).open("rb") as found:
        start = found.read(_PAGE_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--", b"{")):
        _discard(file)
        raise WeightsError(
            f"{address} answered with a page in place of {file.name}; it was deleted: log in to "
            "the network, or name another place with --url"
        )


def _discard(file: DownloadedFile) -> None:
    _partial(file).unlink(missing_ok=True)
    _partial(file).with_suffix(".etag").unlink(missing_ok=True)


def _partial(file: DownloadedFile) -> Path:
    return file.path.with_name(file.name + ".partial")


def _total(response: HTTPResponse, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to the web, and nowhere else."""

    def redirect_request(self, *args: Any) -> urllib.request.Request | None:
        address = str(args[-1])
        if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
            raise WeightsError(f"refused: the server points to {address!r}, which is not the web")
        return super().redirect_request(*args)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_WebOnly())


def _status_text(address: str, error: urllib.error.HTTPError) -> str:
    what = "is not there" if error.code in (404, 410) else "was refused by its server"
    if error.code < 400:
        what = "is said to have moved to what is not the web"
    return f"{address} {what} (HTTP {error.code}); name another place with --url"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process fetches the same file."""
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
