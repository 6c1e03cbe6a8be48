"""Files that are sent piece by piece, whole or in part (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from facesearch.service.server.problems import ProblemError

PIECE_BYTES = 1 << 18
_RANGE = re.compile(r"bytes\s*=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))\s*")


@dataclass(frozen=True)
class ByteRange:
    """``length`` bytes from ``first`` on, of a file of ``size`` bytes."""

    first: int
    length: int
    size: int

    @property
    def header(self) -> str:
        """The value of Content-Range."""
        return f"bytes {self.first}-{self.first + self.length - 1}/{self.size}"


def requested_range(request: Request, size: int, tag: str) -> ByteRange | None:
    """The bytes that a request asks for; None for the whole file.

    ``tag`` is the file's ETag: a range of another state of the file (If-Range) is answered with the
    whole file, as are several ranges, and what is no range. Raises ProblemError (416) for a range
    that begins after the end.
    """
    if request.headers.get("if-range", tag) != tag:
        return None
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None:
        return None
    if found[3] is not None:
        length = min(int(found[3]), size)
        first, last = size - length, size - 1
    else:
        first = int(found[1])
        last = min(int(found[2]), size - 1) if found[2] else size - 1
        if found[2] and int(found[2]) < first:
            return None  # is no range
    if first > last:
        raise ProblemError(
            416,
            "no-such-range",
            f"Expected a range of the {size:,} bytes of this file, got {found[0][:80]}.",
            "Ask for the file without a range.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return ByteRange(first, last - first + 1, size)


class OpenFileResponse(StreamingResponse):
    """The bytes of an open file, or a part of them; the file is closed when they are sent, and when
    the client has gone."""

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        part: ByteRange | None,
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        sent = ByteRange(0, size, size) if part is None else part
        more = {"Accept-Ranges": "bytes", "Content-Length": str(sent.length)}
        if part is not None:
            more["Content-Range"] = part.header
        super().__init__(
            _pieces(file, sent),
            200 if part is None else 206,
            {**headers, **more},
            media_type,
        )
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _pieces(file: BinaryIO, part: ByteRange) -> Iterator[bytes]:
    """The bytes of ``part``; raises OSError where the file has become shorter, which ends the
    connection: the client was promised more."""
    file.seek(part.first)
    left = part.length
    while left:
        piece = file.read(min(left, PIECE_BYTES))
        if not piece:
            raise OSError("a file became shorter while it was sent")
        left -= len(piece)
        yield piece
