"""A service in a process of its own, to be killed at any moment, and started again."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from facesearch.gallery.gallery import Gallery
from facesearch.service.client import ServiceClient
from support.processes import fork_server


def serve_fake(gallery: str, folder: str, address: str) -> None:
    """Serve a gallery with the fake engine; the file ``address`` says where."""
    from facesearch.service.server.http_server import serve
    from support.serving.services import open_service

    service = open_service(Path(folder), Gallery.open(gallery), port=0)

    def ready(url: str) -> None:
        partial = Path(f"{address}.partial")
        partial.write_text(url, encoding="utf-8")
        partial.replace(address)

    serve(service.options, service, ready)


class KilledService:
    """The service of a gallery; ``client`` asks it while it runs."""

    def __init__(self, gallery: Gallery, folder: Path) -> None:
        self._gallery = gallery
        self._folder = folder
        self._address = folder / "address"
        self._process: BaseProcess | None = None

    def start(self) -> ServiceClient:
        """Start it, and wait until it answers."""
        self._address.unlink(missing_ok=True)
        self._process = fork_server.start(
            serve_fake, str(self._gallery.folder), str(self._folder), str(self._address)
        )
        until = time.monotonic() + 240
        while not self._address.exists():
            assert self._process.is_alive() and time.monotonic() < until
            time.sleep(0.02)
        client = ServiceClient(self._address.read_text(encoding="utf-8"), seconds=60)
        client.be_local()
        return client

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        assert self._process is not None and self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
