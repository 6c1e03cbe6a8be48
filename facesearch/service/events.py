"""What happens, for pages that listen: a stream of server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_KEPT_EVENTS = 1000
_WAITING_EVENTS = 500  # of one listener; who is farther behind is cut off and asks again
BEAT_SECONDS = 15.0


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
        self, gallery: str | None, after: int | None, hello: Mapping[str, Any]
    ) -> AsyncIterator[bytes]:
        """The events of ``gallery`` (None: of all), from now on or after the event ``after``."""
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
            while not closed:
                try:
                    found = await asyncio.wait_for(listener.queue.get(), BEAT_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if found is None:
                    return
                yield found.encoded()
        finally:
            with self._lock:
                self._listeners.discard(listener)

    @staticmethod
    def _pass(listener: _Listener, event: ServiceEvent | None) -> None:
        try:
            listener.loop.call_soon_threadsafe(listener.put, event)
        except RuntimeError:  # its loop has ended
            return
