"""The HTTP server: where it listens, whom it refuses, how long it waits for slow clients."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from facesearch.errors import InputError
from facesearch.service.announcement import announced
from facesearch.service.face_service import FaceService
from facesearch.service.options import ServiceOptions, is_loopback
from facesearch.service.server.app import create_app
from facesearch.service.server.middleware import MOST_HEADER_BYTES
from facesearch.service.uploads import remove_left_uploads

logger = logging.getLogger(__name__)

_SHUTDOWN_SECONDS = 10


def require_safe(service: FaceService) -> None:
    """Raise InputError where others could reach the service, and nobody has to log in."""
    host = service.options.host
    if is_loopback(host) or service.needs_login():
        return
    raise InputError(
        f"expected an account or a token before the service can be reached at {host}; make one "
        f"with: facesearch accounts add NAME --role administer --state {service.options.state}"
    )


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 where answers leave at once, and headers must arrive in time: uvicorn itself waits
    for them for ever."""

    header_seconds = 10.0
    keep_alive_seconds = 5.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.timeout_keep_alive = self.keep_alive_seconds  # type: ignore[assignment]
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        # asyncio does so for sockets that it made, not for one that is handed to it: without it an
        # answer's body waits some 40 ms for the client to acknowledge the headers.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is waited for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes; what is no whole request yet must go on arriving."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.header_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def server_config(service: FaceService) -> uvicorn.Config:
    """How the service is served."""
    options = service.options
    limits = {
        "header_seconds": options.header_seconds,
        "keep_alive_seconds": options.keep_alive_seconds,
    }
    protocol = type("ServiceProtocol", (GuardedProtocol,), limits)
    return uvicorn.Config(
        create_app(service),
        host=options.host,
        port=options.port,
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=options.proxies,
        limit_concurrency=options.connections,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
    )


def serve(
    options: ServiceOptions,
    service: FaceService | None = None,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve until the process is interrupted; ``ready`` hears the address of the page.

    Raises InputError where others could reach the service without a login, OSError where the
    address cannot be used.
    """
    remove_left_uploads(options.state)
    service = service or FaceService(options)
    require_safe(service)
    config = server_config(service)
    bound = config.bind_socket()
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in str(host) else host
    scheme = "https" if options.secure else "http"
    with ExitStack() as until_the_end:

        def listens() -> None:
            until_the_end.enter_context(announced(service, str(host), int(port)))
            ready(f"{scheme}://{shown}:{port}{options.root_path}/")

        AnnouncingServer(config, listens).run(sockets=[bound])


class AnnouncingServer(uvicorn.Server):
    """Calls ``listens`` once it takes requests."""

    def __init__(self, config: uvicorn.Config, listens: Callable[[], None]) -> None:
        super().__init__(config)
        self._listens = listens

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._listens()
