"""One question about each of many photos, asked of the service that runs for the gallery."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.by_service import photo_bytes, service_address, transport_to

if TYPE_CHECKING:
    from facesearch.images import FoundPhoto
    from facesearch.service.announcement import ServiceAddress
    from facesearch.service.transport import ServiceTransport

logger = logging.getLogger(__name__)

Answer = dict[str, Any] | None

# So many are on their way at once: the service decodes one while it looks at another.
_AT_ONCE = 4
# What is wrong with a photo whoever reads it. The service has limits of its own for the rest.
_PLAIN_REASONS = {"empty", "not-an-image", "truncated", "corrupt"}
_ABOUT_THE_PHOTO = {413, 415, 422}


class PhotoQuestions:
    """Each of ``found`` with the answer, in their order.

    The answer has ``faces``, or the ``reason`` and ``detail`` why there are none. It is None where
    the service does not take the photo: a video, a large file, one beyond its limits. Once it
    answers no more ``is_over`` is true, and so it is for all that follows.
    """

    def __init__(
        self, gallery: Path, question: str, found: Iterable[FoundPhoto], **query: Any
    ) -> None:
        self.is_over = False
        self._address = service_address(gallery)
        self._question = question
        self._found = found
        self._query = query
        self._threads = threading.local()
        self._transports: list[ServiceTransport] = []

    def __iter__(self) -> Iterator[tuple[FoundPhoto, Answer]]:
        waiting: deque[tuple[FoundPhoto, Future[Answer]]] = deque()
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                try:
                    for photo in self._found:
                        waiting.append((photo, pool.submit(self._answer, photo)))
                        if len(waiting) >= _AT_ONCE:
                            yield _first(waiting)
                    while waiting:
                        yield _first(waiting)
                finally:  # what was not asked yet is not, if nobody wants to know
                    self.is_over = True
        finally:
            for transport in self._transports:
                transport.close()

    def _answer(self, photo: FoundPhoto) -> Answer:
        if self.is_over or self._address is None:
            self.is_over = True
            return None
        if photo.error:
            return {"reason": "unreadable", "detail": photo.error}
        if photo.video:
            return None
        try:
            data = photo_bytes(photo.location)
        except (OSError, ValueError):
            return None  # it is read, or refused, as without a service
        return self._ask(self._address, photo, data)

    def _ask(self, address: ServiceAddress, photo: FoundPhoto, data: bytes) -> Answer:
        from facesearch.service.transport import ServiceProblemError, UploadPart

        path = f"galleries/{address.gallery}/commands/{self._question}"
        file = UploadPart("photo", photo.location.name, data)
        try:
            answer = self._transport(address).send("POST", path, query=self._query, files=[file])
            return {"faces": answer.json()}
        except ServiceProblemError as error:
            reason = error.document.get("reason")
            if reason in _PLAIN_REASONS and not photo.second:
                return {"reason": reason, "detail": str(error.document.get("explanation", ""))}
            if error.status not in _ABOUT_THE_PHOTO:
                self._end(error)
        except (OSError, ValueError) as error:
            self._end(error)
        return None

    def _end(self, error: Exception) -> None:
        logger.info("going on without the service: %s", error)
        self.is_over = True

    def _transport(self, address: ServiceAddress) -> ServiceTransport:
        """The connection of this thread."""
        kept: ServiceTransport | None = getattr(self._threads, "transport", None)
        if kept is None:
            kept = self._threads.transport = transport_to(address)
            self._transports.append(kept)
        return kept


def _first(waiting: deque[tuple[FoundPhoto, Future[Answer]]]) -> tuple[FoundPhoto, Answer]:
    photo, coming = waiting.popleft()
    return photo, coming.result()
