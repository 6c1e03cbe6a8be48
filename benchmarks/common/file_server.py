"""A web server on this machine that serves one file, and misbehaves on request."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_POLL_SECONDS = 0.01  # how late the server may notice that it is to end


@dataclass
class Behaviour:
    """What the server has and how it answers; ``requests`` are the Range headers it was sent."""

    body: bytes = b""
    etag: str | None = '"1"'
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)  # answered first, one a request
    cuts: list[int] = field(default_factory=list)  # bytes after which connections end, in turn
    length: bool = True
    location: str = ""
    shift: int = 0  # bytes by which ranges begin later than was asked for
    requests: list[str | None] = field(default_factory=list)


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """The address of the file while the server runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            behaviour.requests.append(asked)
            if behaviour.statuses and (status := behaviour.statuses.pop(0)) != 200:
                self.send_response(status)
                if behaviour.location:
                    self.send_header("Location", behaviour.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            unchanged = self.headers.get("If-Range") == behaviour.etag
            if asked and behaviour.ranges and unchanged:
                start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])  # type: ignore[index]
                if start >= len(behaviour.body):
                    self.send_error(416)
                    return
            self._answer(start)

        def _answer(self, start: int) -> None:
            at = start + behaviour.shift if start else 0
            body = behaviour.body[at:]
            self.send_response(206 if start else 200)
            if start:
                end, size = len(behaviour.body) - 1, len(behaviour.body)
                self.send_header("Content-Range", f"bytes {at}-{end}/{size}")
            if behaviour.length:
                self.send_header("Content-Length", str(len(body)))
            if behaviour.etag:
                self.send_header("ETag", behaviour.etag)
            self.end_headers()
            if behaviour.cuts:
                body = body[: behaviour.cuts.pop(0)]
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/file.pt"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
