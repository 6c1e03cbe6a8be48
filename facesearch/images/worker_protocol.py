"""What goes over the socket between the decoding pool and a worker.

A message is a length (4 bytes, big endian), that many bytes of JSON, and, where the JSON has a
``shape``, as many bytes of pixels. JSON rather than pickle: a worker parses hostile files, and
should one of them take it over, it must not be able to run code in the parent.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 1 << 20

Message = dict[str, Any]


def send(channel: socket.socket, message: Message, pixels: NDArray[np.uint8] | None = None) -> None:
    """Send ``message`` and the bytes of ``pixels``, whose shape is added to it."""
    if pixels is not None:
        message = {**message, "shape": pixels.shape}
    # ASCII escapes carry names that are not UTF-8 through as they are.
    header = json.dumps(message).encode("ascii")
    channel.sendall(_LENGTH.pack(len(header)) + header)
    if pixels is not None:
        channel.sendall(np.ascontiguousarray(pixels).data.cast("B"))


def receive(channel: socket.socket, seconds: float | None = None) -> Message:
    """The next message's JSON; EOFError if the other side is gone.

    Raises TimeoutError if it does not arrive whole in ``seconds`` (None: waits for ever) and
    ValueError if it is no message.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    (length,) = _LENGTH.unpack(_receive_bytes(channel, _LENGTH.size, deadline))
    if length > _LONGEST_HEADER:
        raise ValueError(f"expected a header of at most {_LONGEST_HEADER} bytes, got {length}")
    message = json.loads(_receive_bytes(channel, length, deadline))
    if not isinstance(message, dict):
        raise ValueError(f"expected a JSON object, got {type(message).__name__}")
    return cast(Message, message)


def receive_pixels(
    channel: socket.socket, shape: list[int], seconds: float, most: int
) -> NDArray[np.uint8]:
    """The RGB pixels (h, w, 3) that follow a message; ValueError if over ``most`` pixels."""
    valid = len(shape) == 3 and all(isinstance(side, int) and side > 0 for side in shape)
    if not valid or shape[2] != 3 or math.prod(shape[:2]) > most:
        raise ValueError(f"expected a shape (h, w, 3) of at most {most} pixels, got {shape}")
    pixels = np.empty(shape, np.uint8)
    _fill(channel, pixels.data.cast("B"), time.monotonic() + seconds)
    return pixels


def _receive_bytes(channel: socket.socket, count: int, deadline: float | None) -> bytes:
    buffer = bytearray(count)
    _fill(channel, memoryview(buffer), deadline)
    return bytes(buffer)


def _fill(channel: socket.socket, view: memoryview, deadline: float | None) -> None:
    """Fill ``view`` from the channel. Waits in the kernel, so other threads run meanwhile."""
    while len(view):
        if deadline is not None:
            channel.settimeout(max(0.001, deadline - time.monotonic()))
        count = channel.recv_into(view)
        if count == 0:
            raise EOFError("the other side closed the channel")
        view = view[count:]
