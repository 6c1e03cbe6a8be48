"""What holds for every request: which hosts may be asked for, how much and how slowly may be sent,
what browsers may do with the answer, and how it is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facesearch.service.metrics import ServiceMetrics
from facesearch.service.options import ServiceOptions
from facesearch.service.server.problems import ProblemError, problem_response

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self'; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_SMALL_BODY = 1 << 20
MOST_HEADER_BYTES = 1 << 15


class GuardMiddleware:
    """Refuses what no client of ours sends, and adds the headers of security to all answers."""

    def __init__(
        self,
        app: ASGIApp,
        options: ServiceOptions,
        metrics: ServiceMetrics,
        require_sender: Callable[[Request], object],
    ) -> None:
        """``require_sender`` raises ProblemError for who may not send photos."""
        self._app = app
        self._require_sender = require_sender
        self._options = options
        self._metrics = metrics
        self._hosts = _LOCAL_HOSTS | {host.lower() for host in options.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._options.root_path:
            # Proxies take it off the address; links and cookies must have it.
            scope["root_path"] = self._options.root_path
        began, status = time.perf_counter(), 500

        async def guarded_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_headers(message.get("headers", ()))
            await send(message)

        problem = self._problem(scope) or await self._problem_of_sender(scope)
        if problem is not None:
            await problem_response(problem)(scope, receive, guarded_send)
        else:
            body = _Body(receive, _limit(scope, self._options), self._options)
            try:
                await self._app(scope, body.receive, guarded_send)
            except ProblemError as error:  # of a body that is read before any handler is there
                await problem_response(error)(scope, receive, guarded_send)
        self._count(scope, status, time.perf_counter() - began)

    def _problem(self, scope: Scope) -> ProblemError | None:
        if _header_bytes(scope) > MOST_HEADER_BYTES:
            return ProblemError(
                431,
                "headers-too-large",
                f"Expected an address and headers of at most {MOST_HEADER_BYTES:,} bytes together.",
                "Send fewer headers or cookies, and long texts in the body.",
                headers={"Connection": "close"},
            )
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host if host.startswith("[") and host.endswith("]") else host.rpartition(":")[0]
        if "*" not in self._hosts and not {host, name} & self._hosts:
            # Another name that leads here is how a foreign page would ask as this machine's user.
            return ProblemError(
                421,
                "wrong-host",
                f"Expected a request for this machine, got one for {host[:80] or 'no host'}.",
                "Start the service with --allow-host and the name that it is called by.",
            )
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > _limit(scope, self._options):
            return too_large(_limit(scope, self._options))
        return None

    async def _problem_of_sender(self, scope: Scope) -> ProblemError | None:
        """What is wrong with who sends photos, asked before a byte of them is kept: forms are read
        whole before the handlers of their addresses look at who sends them."""
        if not _is_form(scope):
            return None
        try:
            await run_sync(self._require_sender, Request(scope))
        except ProblemError as error:
            return replace(error, headers={**error.headers, "Connection": "close"})
        return None

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"].isalpha() else "none"
        method = method if len(method) <= len("OPTIONS") else "none"
        self._metrics.requests.labels(method, route, str(status)).inc()
        if not route.endswith("/events"):
            self._metrics.seconds.labels(method, route).observe(seconds)


def _header_bytes(scope: Scope) -> int:
    """The bytes of the address and the headers. The server below bounds only what it has to wait
    for: headers that arrive with their end in one piece are read however long they are."""
    address = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return address + sum(len(name) + len(value) for name, value in scope["headers"])


def _limit(scope: Scope, options: ServiceOptions) -> int:
    """How many bytes a request may have: many only where photos are sent."""
    return options.upload_bytes if _is_form(scope) else _SMALL_BODY


def _is_form(scope: Scope) -> bool:
    kind = dict(scope["headers"]).get(b"content-type", b"").lower().lstrip()
    return bool(kind.startswith(b"multipart/form-data"))


def too_large(limit: int) -> ProblemError:
    """The answer to more than ``limit`` bytes."""
    return ProblemError(
        413,
        "too-large",
        f"Expected a request of at most {limit:,} bytes.",
        "Send fewer or smaller photos.",
        headers={"Connection": "close"},
    )


def _with_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    found = list(headers)
    there = {name.lower() for name, _ in found}
    found += [each for each in _HEADERS if each[0] not in there]
    if b"cache-control" not in there:
        found.append((b"cache-control", b"no-store"))
    return found


class _Body:
    """The body of a request as it arrives: no larger than ``limit`` bytes, no piece waited for
    longer than ``body_seconds``, and all of it no slower than ``body_rate``."""

    def __init__(self, receive: Receive, limit: int, options: ServiceOptions) -> None:
        self._receive = receive
        self._limit = limit
        self._seconds = options.body_seconds
        self._rate = options.body_rate
        self._bytes = 0
        self._waited = 0.0  # for the client only: not for who keeps what it sends
        self._complete = False

    async def receive(self) -> Message:
        """The next piece, or the end of the connection."""
        if self._complete:
            return await self._receive()  # waits until the client has gone
        left = self._seconds + self._bytes / self._rate - self._waited
        began = time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), min(self._seconds, max(0.0, left)))
        except TimeoutError:
            raise ProblemError(
                408,
                "too-slow",
                f"Expected a request at {self._rate:,.0f} bytes a second or more, with no pause of "
                f"{self._seconds:g} seconds; it came slower.",
                "Send the request again.",
                headers={"Connection": "close"},
            ) from None
        self._waited += time.monotonic() - began
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._bytes > self._limit:
                raise too_large(self._limit)
        return message
