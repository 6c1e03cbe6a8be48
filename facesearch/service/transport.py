"""HTTP to a service with nothing but the standard library: quick to import, for commands."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from facesearch.errors import FacesearchError

API = "/api/v1"
_SECONDS = 60.0


class ServiceProblemError(FacesearchError):
    """An answer that is an error; ``document`` is the problem as the service sent it."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        detail, action = str(document.get("detail", "")), str(document.get("action", ""))
        super().__init__(f"{detail} {action}".strip() or f"the service answered {status}")
        self.status = status
        self.code = str(document.get("code", ""))
        self.document = document


@dataclass(frozen=True)
class UploadPart:
    """A file of a form: the field's name, the file's name, its bytes."""

    field: str
    name: str
    data: bytes


@dataclass(frozen=True)
class ServiceAnswer:
    """Status, headers with small letters, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class ServiceTransport:
    """Requests to one service. Not for several threads at once."""

    def __init__(self, url: str, token: str | None = None, seconds: float = _SECONDS) -> None:
        """``url`` is where the page is, such as http://127.0.0.1:8484; ``token`` one that may."""
        parts = urlsplit(url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=seconds)
        self._path = parts.path.rstrip("/") + API
        self.headers: dict[str, str] = {}
        if token is not None:
            self.headers["Authorization"] = f"Bearer {token}"

    def connect(self) -> None:
        """Connect now, not at the first request; raises OSError."""
        self._connection.connect()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        files: Sequence[UploadPart] = (),
        headers: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> ServiceAnswer:
        """Ask ``path`` below the service's addresses; None in ``query`` is left out.

        ``body`` is sent as JSON, ``form`` and ``files`` as a form. What finds the connection closed
        is sent ``again``, since a connection that was idle may be. Raises ServiceProblemError for
        an answer of 400 and above, OSError where there is no answer.
        """
        sent = {**self.headers, **(headers or {})}
        data: bytes | None = None
        if files or form:
            boundary = secrets.token_hex(16)
            data = _form(boundary, form or {}, files)
            sent["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        elif body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        asked = {name: _text(each) for name, each in (query or {}).items() if each is not None}
        url = f"{self._path}/{path}" + (f"?{urlencode(asked)}" if asked else "")
        try:
            answer = self._exchange(method, url, data, sent)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            if not again:
                raise
            self._connection.close()
            answer = self._exchange(method, url, data, sent)
        if answer.status >= 400:
            raise ServiceProblemError(answer.status, _problem(answer))
        return answer

    def _exchange(
        self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]
    ) -> ServiceAnswer:
        try:
            self._connection.request(method, url, data, dict(headers))
            response = self._connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            self._connection.close()
            if isinstance(error, http.client.RemoteDisconnected):
                raise
            raise ConnectionError(f"the service gave no answer: {error}") from error
        names = {name.lower(): value for name, value in response.getheaders()}
        return ServiceAnswer(response.status, names, body)


def _form(boundary: str, form: Mapping[str, str], files: Sequence[UploadPart]) -> bytes:
    parts = []
    for name, value in form.items():
        head = f'Content-Disposition: form-data; name="{name}"'
        parts.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + value.encode() + b"\r\n")
    for each in files:
        shown = each.name.replace('"', "_").replace("\r", "_").replace("\n", "_")
        head = f'Content-Disposition: form-data; name="{each.field}"; filename="{shown}"'
        kind = "Content-Type: application/octet-stream"
        start = f"--{boundary}\r\n{head}\r\n{kind}\r\n\r\n".encode("utf-8", "replace")
        parts.append(start + each.data + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def _text(value: Any) -> str:
    return (
        {True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, bool)
        else (str(value))
    )


def _problem(answer: ServiceAnswer) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"detail": f"the service said {answer.status}"}
