"""The server itself: whom it refuses, slow clients, proxies, and being found by commands."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from facesearch.errors import GalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.service.announcement import FILE, announced, read_address
from facesearch.service.options import is_loopback
from facesearch.service.server.http_server import GuardedProtocol, require_safe
from facesearch.service.server.middleware import CONTENT_POLICY, MOST_HEADER_BYTES
from facesearch.service.server.web_assets import asset
from facesearch.service.views import served_gallery
from support.serving.services import (
    PASSWORD,
    ServedTest,
    clustered_gallery,
    listening,
    local_client,
    open_service,
    served,
)

API = "/api/v1"


@pytest.fixture(scope="module")
def url(folder: Path, gallery: Gallery) -> Iterator[str]:
    service = open_service(
        folder, gallery, header_seconds=0.5, body_seconds=0.5, keep_alive_seconds=0.5
    )
    with listening(service) as url:
        yield url


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)


def until_closed(connection: socket.socket) -> tuple[bytes, float]:
    """All that is sent, and after how many seconds the connection is closed."""
    began, data = time.monotonic(), b""
    while piece := connection.recv(65536):
        data += piece
    return data, time.monotonic() - began


def test_answers_leave_at_once(
    tmp_path: Path, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small body is not kept back until the client has acknowledged the headers."""
    seen = []

    def connection_made(protocol: GuardedProtocol, transport: asyncio.Transport) -> None:
        made(protocol, transport)
        accepted = transport.get_extra_info("socket")
        seen.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    made = GuardedProtocol.connection_made
    monkeypatch.setattr(GuardedProtocol, "connection_made", connection_made)
    with listening(open_service(tmp_path, gallery)) as url:
        local_client(url)
    assert seen and all(seen)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
def test_headers_that_never_end_are_not_waited_for(url: str, sent: bytes) -> None:
    with connected(url) as connection:
        connection.sendall(sent)
        data, seconds = until_closed(connection)
    assert data == b"" and seconds < 10


def test_a_second_request_that_never_ends_is_not_waited_for(url: str) -> None:
    with connected(url) as connection:
        whole = b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        connection.sendall(whole + b"GET /api/v1/he")
        data, seconds = until_closed(connection)
    assert data.startswith(b"HTTP/1.1 200") and seconds < 10


def test_a_body_that_never_comes_is_not_waited_for(url: str) -> None:
    client = local_client(url)
    csrf = client.transport.headers["X-CSRF-Token"]
    head = (
        f"POST {API}/galleries/my/people/p1/name HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"X-CSRF-Token: {csrf}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    with connected(url) as connection:
        connection.sendall(head.encode() + b'{"name":')
        data, seconds = until_closed(connection)
    assert data.startswith(b"HTTP/1.1 408") and b"too-slow" in data and seconds < 10
    assert client.gallery("my").history().total == 0


def test_a_body_that_comes_in_drops_is_not_waited_for(url: str) -> None:
    client = local_client(url)
    csrf = client.transport.headers["X-CSRF-Token"]
    head = (
        f"POST {API}/galleries/my/people/p1/name HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"X-CSRF-Token: {csrf}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
    )
    began, data = time.monotonic(), b""
    with connected(url) as connection:
        connection.sendall(head.encode() + b'{"name":"')
        connection.settimeout(0.1)
        while not data and time.monotonic() - began < 60:
            with suppress(OSError):
                connection.sendall(b"A")
                data = connection.recv(10_000)
    assert data.startswith(b"HTTP/1.1 408")
    assert client.gallery("my").history().total == 0


def test_others_are_answered_while_some_are_slow(url: str) -> None:
    slow = [connected(url) for _ in range(40)]
    try:
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\n")
        assert local_client(url).galleries()[0].id == "my"
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /assets/..%2f..%2fapp.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET //etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_what_is_no_request_of_ours(url: str, sent: bytes) -> None:
    with connected(url) as connection:
        connection.sendall(sent)
        data, _ = until_closed(connection)
    assert not data or data.split(b" ", 2)[1] in (b"400", b"404", b"405", b"413", b"421", b"431")
    assert b"root:" not in data
    assert local_client(url).galleries()


@pytest.mark.parametrize(
    "sent",
    [
        {"headers": {"X": "a" * MOST_HEADER_BYTES}},
        {"headers": {f"X-{number}": "a" * 1000 for number in range(40)}},
        {"headers": {f"X-{number:06}": "" for number in range(5000)}},
        {"params": {"x": "a" * MOST_HEADER_BYTES}},
    ],
)
def test_headers_are_bounded_however_they_arrive(
    tmp_path: Path, gallery: Gallery, sent: dict[str, dict[str, str]]
) -> None:
    with served(open_service(tmp_path, gallery)) as site:
        answer = site.client.get(f"{API}/health", **sent)  # type: ignore[arg-type]
        assert answer.status_code == 431
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        assert answer.json()["code"] == "headers-too-large"
        assert answer.headers["content-security-policy"] == CONTENT_POLICY
        less = {"X": "a" * (MOST_HEADER_BYTES - 1000)}
        assert site.client.get(f"{API}/health", headers=less).status_code == 200


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("127.8.9.1", True), ("0.0.0.0", False), ("::", False), ("192.168.1.5", False),
     ("::ffff:127.0.0.1", True), ("::ffff:192.168.1.5", False), ("example.org", False)],
)  # fmt: skip
def test_addresses_of_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


def test_others_need_an_account_or_a_token(tmp_path: Path, gallery: Gallery) -> None:
    service = open_service(tmp_path, gallery, host="0.0.0.0")
    with pytest.raises(InputError, match="accounts add"):
        require_safe(service)
    service.accounts.add("ada", PASSWORD, "administer")
    require_safe(service)
    service.close()


def test_galleries_that_are_none_are_refused(tmp_path: Path, gallery: Gallery) -> None:
    with pytest.raises(InputError, match="got none"):
        open_service(tmp_path)
    with pytest.raises(InputError, match="twice"):
        open_service(tmp_path, gallery, gallery)
    missing = Gallery(tmp_path / "nothing", gallery.contract, "float16")
    with pytest.raises(GalleryError, match="not a gallery"):
        open_service(tmp_path, missing)


def test_several_galleries_have_addresses_each(tmp_path: Path) -> None:
    galleries = []
    for name in ("a", "b"):
        folder = tmp_path / name
        galleries.append(clustered_gallery(folder, people=2 if name == "a" else 3))
    with served(open_service(tmp_path, *galleries)) as site:
        found = site.client.get(f"{API}/galleries").json()["galleries"]
        assert {each["id"]: each["people"] for each in found} == {"my": 2, "my-2": 3}


def test_behind_a_proxy(tmp_path: Path, gallery: Gallery) -> None:
    service = open_service(tmp_path, gallery, root_path="/faces", hosts=("photos.example.org",))
    service.accounts.add("ada", PASSWORD, "administer")
    with served(service) as site:
        headers = {"Host": "photos.example.org"}
        body = {"name": "ada", "password": PASSWORD}
        answer = site.client.post(f"{API}/auth/login", json=body, headers=headers)
        assert answer.status_code == 200
        assert "path=/faces/" in answer.headers["set-cookie"].lower()
        assert site.client.get(f"{API}/auth").status_code == 200
        described = site.client.get(f"{API}/openapi.json").json()
        assert {"url": "/faces"} in described["servers"]
        # Commands on this machine do not come through the proxy.
        assert site.client.get(f"/faces{API}/auth").json()["user"]["name"] == "ada"
        assert site.client.get("/").status_code == site.client.get("/faces/").status_code == 200


def test_every_answer_says_what_a_browser_may_do(tmp_path: Path, gallery: Gallery) -> None:
    with served(open_service(tmp_path, gallery)) as site:
        for path in (f"{API}/health", f"{API}/galleries/none", "/none", "/", f"{API}/galleries"):
            headers = site.client.get(path).headers
            assert headers["content-security-policy"] == CONTENT_POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
        assert "unsafe" not in CONTENT_POLICY


@pytest.mark.parametrize(
    "name",
    ["../secret.js", "a/../../secret.js", "/etc/passwd", "", ".", "..", ".hidden.js", "a//b.js",
     "link.js", "a\\..\\b.js", "a\0.js", "folder", "page.py", "x" * 5000 + ".js"],
)  # fmt: skip
def test_only_files_of_the_application_are_assets(tmp_path: Path, name: str) -> None:
    web = tmp_path / "web"
    (web / "folder").mkdir(parents=True)
    (web / "folder" / "a.js").write_text("1")
    (tmp_path / "secret.js").write_text("2")
    (web / ".hidden.js").write_text("3")
    (web / "page.py").write_text("4")
    (web / "link.js").symlink_to(tmp_path / "secret.js")
    assert asset(web, name) is None
    found = asset(web, "folder/a.js")
    assert found is not None and found.data == b"1" and "javascript" in found.media_type


def test_commands_find_the_service(tmp_path: Path, gallery: Gallery) -> None:
    service = open_service(tmp_path, gallery)
    assert read_address(gallery.folder) is None
    with announced(service, "127.0.0.1", 4321):
        path = gallery.folder / FILE
        assert path.stat().st_mode & 0o777 == 0o600
        address = read_address(gallery.folder)
        assert address is not None
        assert (address.port, address.gallery, address.pid) == (4321, "my", os.getpid())
        path.chmod(0o644)
        assert read_address(gallery.folder) is None
        path.chmod(0o600)
        for change in ({"host": "evil.example"}, {"port": "x"}, {"version": 2}, {"more": 1}):
            path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
            assert read_address(gallery.folder) is None
            path.write_text(json.dumps({"format": "facesearch-service", "version": 1,
                                        **vars(address)}))  # fmt: skip
    assert not path.exists()
    service.close()


def test_the_file_of_another_service_stays(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    service = open_service(tmp_path, gallery)
    with announced(service, "127.0.0.1", 1):
        address = read_address(gallery.folder)
        assert address is not None
        other = {"format": "facesearch-service", "version": 1}
        text = json.dumps({**other, **vars(replace(address, token="another"))})
        (gallery.folder / FILE).write_text(text)
    assert (gallery.folder / FILE).exists()
    service.close()


def test_the_pages_of_health_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_gallery, "_PATIENCE", 0.1)  # nothing new can be read in the end
    gallery = clustered_gallery(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:
        known = site.client.get(f"{API}/health").json()
        assert known["galleries"] == {"my": {"ready": True, "problem": None}}
        text = _figures(site)
        assert 'facesearch_faces{gallery="my"} 12.0' in text
        for number in range(30):
            site.client.get(f"{API}/galleries/my/faces/{number}")
            site.client.get(f"/nothing/{number}")
        text = _figures(site)
        assert text.count("facesearch_requests_total{") < 20  # by route, not by address
        site.service.accounts.add("ada", PASSWORD, "administer")
        unknown = site.client.get(f"{API}/health")
        assert unknown.json() == {
            "status": "ok", "version": known["version"], "galleries": None, "jobs": None,
        }  # fmt: skip
        (gallery.folder / "people.sqlite").write_bytes(b"no database" * 100)
        broken = site.client.get(f"{API}/health")
        assert broken.status_code in (200, 503) and str(tmp_path) not in broken.text


def _figures(site: ServedTest) -> str:
    answer = site.client.get(f"{API}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return str(answer.text)
