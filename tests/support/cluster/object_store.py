"""A bucket on a local S3 server, behind a proxy that goes wrong where it is asked to.

The server is moto's, in a thread of this process; nothing leaves the machine.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

BUCKET = "photos"
_POLL_SECONDS = 0.02  # until the proxy notices that it is to end
_FAILED = b"<Error><Code>InternalError</Code></Error>"
ERROR, TRUNCATED, SHORT, HANGS = "error 500", "truncated", "short", "hangs"
LOST = "answer lost"
_ANYBODY = (  # the server does not look at signatures, but wants one
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=none"
)
_FAULTS = dict[str, tuple[str, int]]


@dataclass
class FaultyStore:
    """``faults`` maps keys, or patterns of them, to what goes wrong with GETs of them, the first
    ``times`` times, and ``put_faults`` with PUTs.

    TRUNCATED closes the connection in the middle of the body, SHORT says that half of the body is
    all of it, HANGS answers after ``hang_seconds``. A PUT that is TRUNCATED stores half of what was
    sent, and one that is LOST stores it all, but answers with an error.
    """

    server: str
    address: str = ""
    faults: _FAULTS = field(default_factory=dict)
    put_faults: _FAULTS = field(default_factory=dict)
    hang_seconds: float = 3.0
    gets: Counter[str] = field(default_factory=Counter)
    puts: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)

    def forget(self) -> None:
        """Nothing goes wrong, and nothing was asked."""
        for each in (self.faults, self.put_faults, self.gets, self.puts, self.stored):
            each.clear()

    def put(self, key: str, data: bytes) -> None:
        """Store an object."""
        # Not the default, a form, which the server would parse.
        headers = {"Content-Type": "application/octet-stream", "Authorization": _ANYBODY}
        request = urllib.request.Request(
            f"{self.server}/{BUCKET}/{key}", data, headers, method="PUT"
        )
        urllib.request.urlopen(request).close()

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Store all files below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def fault(self, key: str) -> str:
        """What is to go wrong this time with a GET."""
        return _due(key, self.faults, self.gets)

    def put_fault(self, key: str) -> str:
        """The same with a PUT."""
        return _due(key, self.put_faults, self.puts)


def _due(key: str, faults: _FAULTS, counts: Counter[str]) -> str:
    counts[key] += 1
    for pattern, (kind, times) in faults.items():
        if fnmatchcase(key, pattern):
            return kind if counts[key] <= times else ""
    return ""


@contextmanager
def faulty_store() -> Iterator[FaultyStore]:
    """A store with an empty bucket, and the environment in which s3fs finds it."""
    moto = pytest.importorskip("moto.server", reason="needs moto, of the extra dev")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    store = FaultyStore(f"http://{host}:{port}")
    request = urllib.request.Request(f"{store.server}/{BUCKET}", method="PUT")
    urllib.request.urlopen(request).close()
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(store))
    thread = threading.Thread(target=proxy.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    store.address = f"http://127.0.0.1:{proxy.server_address[1]}"
    try:
        yield store
    finally:
        proxy.shutdown()
        proxy.server_close()
        server.stop()


@contextmanager
def connected_store() -> Iterator[FaultyStore]:
    """A store, to which s3fs of this process is connected; tests are skipped without s3fs."""
    pytest.importorskip("s3fs", reason="needs s3fs, of the extra ray")
    with faulty_store() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in store_environment(store).items():
            patch.setenv(name, value)
        _forget_settings()
        yield store
    _forget_settings()


def _forget_settings() -> None:
    import fsspec.config
    import s3fs

    fsspec.config.conf.clear()
    fsspec.config.set_conf_env(fsspec.config.conf)
    s3fs.S3FileSystem.clear_instance_cache()


def store_environment(store: FaultyStore) -> dict[str, str]:
    """Settings for whoever is to read from the store; short times, lest tests wait."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": store.address,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",  # so that bodies are plain
        "FSSPEC_S3": '{"config_kwargs": {"read_timeout": 1, "retries": {"max_attempts": 1}}}',
    }


def _handler(store: FaultyStore) -> type[BaseHTTPRequestHandler]:
    class StoreHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body would wait for its headers to be acknowledged

        def do_GET(self) -> None:
            key = self.path.partition("?")[0].removeprefix(f"/{BUCKET}").lstrip("/")
            fault = store.fault(key) if key else ""
            if fault == ERROR:
                self._answer(500, _FAILED, {})
                return
            if fault == HANGS:
                time.sleep(store.hang_seconds)
            status, body, headers = self._forwarded("GET")
            self._answer(status, body, headers, fault)

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.path.partition("?")[0].removeprefix(f"/{BUCKET}").lstrip("/")
            fault = store.put_fault(key)
            if fault == HANGS:
                time.sleep(store.hang_seconds)
            if fault == ERROR:
                self._answer(500, _FAILED, {})
                return
            sent = body[: len(body) // 2] if fault == TRUNCATED else body
            status, answer, headers = self._forwarded("PUT", sent)
            store.stored[key] += status == 200
            if fault == LOST:
                status, answer = 500, _FAILED
            self._answer(status, answer, headers)

        def do_DELETE(self) -> None:
            status, body, headers = self._forwarded("DELETE")
            self._answer(status, body, headers)

        def do_HEAD(self) -> None:
            status, _, headers = self._forwarded("HEAD")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def _forwarded(
            self, method: str, data: bytes | None = None
        ) -> tuple[int, bytes, dict[str, str]]:
            wanted = {
                name: value
                for name, value in self.headers.items()
                if name.lower() in ("range", "host", "authorization", "if-none-match")
                or name.lower().startswith("x-amz-")
            }
            if data is not None:  # else it would be taken for a form
                wanted["Content-Type"] = "application/octet-stream"
            request = urllib.request.Request(store.server + self.path, data, wanted, method=method)
            try:
                answer: Any = urllib.request.urlopen(request)
            except HTTPError as error:
                answer = error
            with answer:
                kept = ("content-type", "last-modified", "etag", "content-length", "content-range")
                headers = {k: v for k, v in answer.headers.items() if k.lower() in kept}
                return int(answer.status), answer.read(), headers

        def _answer(
            self, status: int, body: bytes, headers: dict[str, str], fault: str = ""
        ) -> None:
            sent = body[: len(body) // 2] if fault in (TRUNCATED, SHORT) else body
            length = len(sent) if fault == SHORT else len(body)
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(sent)
            self.close_connection = fault == TRUNCATED

        def log_message(self, *_: Any) -> None:
            pass

    return StoreHandler
