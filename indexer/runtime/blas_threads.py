"""Matrix products of one thread each, where threads of ours share the cores already."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_controller: ThreadpoolController | None = None
_limiter: Any = None


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Have BLAS use one thread in this process until the last of its users is done.

    threadpoolctl's own limits are the process's, so that two which overlap would leave it limited.
    """
    global _users, _controller, _limiter  # noqa: PLW0603 - BLAS is the process's, too
    with _lock:
        if _users == 0:
            if _controller is None:
                _controller = ThreadpoolController()  # looking for them takes long
            _limiter = _controller.limit(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limiter.restore_original_limits()
