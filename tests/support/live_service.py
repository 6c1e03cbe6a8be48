"""The service as it runs, with the fake engine, in a thread of the tests."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from facesearch.service.face_service import FaceService
from facesearch.service.options import ServiceOptions
from facesearch.service.server.http_server import server_config
from support.fake_job import fake_engine

FAKE_JOBS = (sys.executable, "-m", "support.fake_job")
_PATIENCE = 60.0


@dataclass(frozen=True)
class LiveService:
    """A service that answers at ``address``, which ends with a slash."""

    address: str
    service: FaceService


@contextmanager
def live_service(
    folder: Path,
    galleries: Sequence[Path],
    *,
    real: bool = False,
    **options: Any,
) -> Iterator[LiveService]:
    """Serve ``galleries`` at a free port; what is no gallery's is kept in ``folder``.

    Photos are looked at by the fake engine, or with ``real`` by the encoder of the gallery.
    """
    asked = ServiceOptions(tuple(galleries), folder / "state", port=0, poll_seconds=0.2, **options)
    fake: dict[str, Any] = {"make_engine": lambda gallery: fake_engine(), "job_command": FAKE_JOBS}
    service = FaceService(asked, **({} if real else fake))
    config = server_config(service)
    config.timeout_graceful_shutdown = 1  # pages keep a stream of events open
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + _PATIENCE
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the service did not start"
        time.sleep(0.02)
    try:
        yield LiveService(f"http://127.0.0.1:{socket.getsockname()[1]}/", service)
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
