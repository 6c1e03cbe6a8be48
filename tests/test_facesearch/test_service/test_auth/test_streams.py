"""Streams of events end when who listens may no longer look."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from facesearch.gallery.gallery import Gallery
from facesearch.service import events
from facesearch.service.client import ServiceClient
from facesearch.service.face_service import FaceService
from support.serving.services import PASSWORD, listening, open_service

SECONDS = 30.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ACCESS_SECONDS", 0.05)
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.05)


@pytest.fixture
def service(tmp_path: Path, gallery: Gallery) -> FaceService:
    return open_service(tmp_path, gallery)


@pytest.fixture
def url(service: FaceService) -> Iterator[str]:
    with listening(service) as url:
        yield url


class Stream:
    """A stream that somebody with these headers listens to."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=SECONDS
        )
        self._connection.request("GET", "/api/v1/events", headers=headers or {})
        self._answer = self._connection.getresponse()
        self.status = self._answer.status

    def lines(self, count: int) -> list[bytes]:
        """The next lines."""
        return [self._answer.readline() for _ in range(count)]

    def ends(self) -> bool:
        """Read to the end; it raises TimeoutError where there is none."""
        while self._answer.readline():
            pass
        return True

    def close(self) -> None:
        self._connection.close()


@contextmanager
def much_happens(service: FaceService) -> Iterator[None]:
    """Events, one after the other, so that the stream never rests."""
    over = threading.Event()

    def publish() -> None:
        while not over.is_set():
            service.events.publish("gallery", "my", {})
            time.sleep(0.002)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def token_of(service: FaceService, days: float | None = None) -> tuple[dict[str, str], str]:
    token, kept = service.tokens.make("a program", "view", "ada", days)
    return {"Authorization": f"Bearer {token}"}, kept.id


@pytest.mark.parametrize("busy", [False, True])
def test_a_revoked_token_hears_no_more(service: FaceService, url: str, busy: bool) -> None:
    others, _ = token_of(service)
    headers, token = token_of(service)
    stream, other = Stream(url, headers), Stream(url, others)
    assert stream.status == 200 and stream.lines(1)
    if busy:
        with much_happens(service):
            service.tokens.revoke(token)
            assert stream.ends()
    else:
        service.tokens.revoke(token)
        assert stream.ends()
    assert Stream(url, headers).status == 401
    service.events.publish("gallery", "my", {"it": "goes on"})
    while b"goes on" not in (line := other.lines(1)[0]):
        assert line
    other.close()


def test_a_token_that_expires_hears_no_more(
    service: FaceService, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, _ = token_of(service, days=1)
    stream = Stream(url, headers)
    assert stream.lines(1)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86_401)
    assert stream.ends()


def log_out(service: FaceService, client: ServiceClient) -> None:
    client.transport.send("POST", "auth/logout")


def remove_account(service: FaceService, client: ServiceClient) -> None:
    service.accounts.remove("ben")


def change_password(service: FaceService, client: ServiceClient) -> None:
    service.accounts.change("ben", password="another long password")


@pytest.mark.parametrize("end", [log_out, remove_account, change_password])
def test_a_session_that_ended_hears_no_more(
    service: FaceService, url: str, end: Callable[[FaceService, ServiceClient], None]
) -> None:
    service.accounts.add("ada", PASSWORD, "administer")
    service.accounts.add("ben", PASSWORD, "view")
    client = ServiceClient(url)
    client.login("ben", PASSWORD)
    stream = Stream(url, {"Cookie": client.transport.headers["Cookie"]})
    assert stream.lines(1)
    end(service, client)
    assert stream.ends()


def test_who_is_here_hears_no_more_once_there_are_accounts(service: FaceService, url: str) -> None:
    stream = Stream(url)
    assert stream.lines(1)
    service.accounts.add("ada", PASSWORD, "administer")
    assert stream.ends()


def test_nobody_is_left_listening(service: FaceService, url: str) -> None:
    headers, token = token_of(service)
    streams = [Stream(url, headers) for _ in range(5)]
    assert all(stream.lines(1) for stream in streams)
    assert service.events.count == 5
    service.tokens.revoke(token)
    assert all(stream.ends() for stream in streams)
    deadline = time.monotonic() + SECONDS
    while service.events.count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert service.events.count == 0
