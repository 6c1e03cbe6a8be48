"""What happens, for pages that listen: a stream of server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_KEPT_EVENTS = 1000
_WAITING_EVENTS = 500  # of one listener; who is farther behind is cut off and asks again
BEAT_SECONDS = 15.0
# Between two looks at whether who listens still may: a token may be revoked, a session end.
ACCESS_SECONDS = 2.0


@dataclass(frozen=True)
class ServiceEvent:
    """One event; ``gallery`` is the one that it is about, "" if none."""

    id: int
    name: str
    gallery: str
    data: Mapping[str, Any]

    def encoded(self) -> bytes:
        """As it is sent."""
        text = json.dumps(dict(self.data))
        return f"id: {self.id}\nevent: {self.name}\ndata: {text}\n\n".encode()


@dataclass(eq=False)
class _Listener:
    loop: asyncio.AbstractEventLoop
    gallery: str | None
    queue: asyncio.Queue[ServiceEvent | None] = field(
        default_factory=lambda: asyncio.Queue(_WAITING_EVENTS + 1)
    )

    def put(self, event: ServiceEvent | None) -> None:
        """From the listener's loop; ``None`` ends the stream."""
        if event is not None and self.queue.qsize() >= _WAITING_EVENTS:
            event = None
        if not self.queue.full():
            self.queue.put_nowait(event)


class EventHub:
    """Passes events on to all who listen; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[ServiceEvent] = deque(maxlen=_KEPT_EVENTS)
        self._listeners: set[_Listener] = set()
        self._last = 0
        self._closed = False

    def publish(self, name: str, gallery: str, data: Mapping[str, Any]) -> None:
        """Tell all who listen to ``gallery``, or to all."""
        with self._lock:
            self._last += 1
            event = ServiceEvent(self._last, name, gallery, data)
            self._recent.append(event)
            for listener in self._listeners:
                if listener.gallery in (None, gallery):
                    self._pass(listener, event)

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            self._closed = True
            for listener in self._listeners:
                self._pass(listener, None)

    @property
    def count(self) -> int:
        """How many listen."""
        with self._lock:
            return len(self._listeners)

    async def stream(
        self,
        gallery: str | None,
        after: int | None,
        hello: Mapping[str, Any],
        may_listen: Callable[[], Awaitable[bool]],
    ) -> AsyncIterator[bytes]:
        """The events of ``gallery`` (None: of all), from now on or after the event ``after``.

        ``may_listen`` is asked every :data:`ACCESS_SECONDS`; where it says no, the stream ends.
        """
        listener = _Listener(asyncio.get_running_loop(), gallery)
        with self._lock:
            missed = [
                event
                for event in self._recent
                if after is not None and event.id > after and gallery in (None, event.gallery)
            ]
            self._listeners.add(listener)
            last, closed = self._last, self._closed
        try:
            yield ServiceEvent(last if after is None else after, "hello", "", hello).encoded()
            for event in missed:
                yield event.encoded()
            if not closed:
                async for sent in _listened(listener, may_listen):
                    yield sent
        finally:
            with self._lock:
                self._listeners.discard(listener)

    @staticmethod
    def _pass(listener: _Listener, event: ServiceEvent | None) -> None:
        try:
            listener.loop.call_soon_threadsafe(listener.put, event)
        except RuntimeError:  # its loop has ended
            return


async def _listened(
    listener: _Listener, may_listen: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """What a listener is sent as it happens, and a sign of life where nothing does."""
    sent = allowed = time.monotonic()
    while True:
        try:
            event = await asyncio.wait_for(listener.queue.get(), ACCESS_SECONDS)
        except TimeoutError:
            event = None
        else:
            if event is None:
                return
        now = time.monotonic()
        if now - allowed >= ACCESS_SECONDS:
            if not await may_listen():
                return
            allowed = now
        if event is not None or now - sent >= BEAT_SECONDS:
            sent = now
            yield b": still here\n\n" if event is None else event.encoded()
