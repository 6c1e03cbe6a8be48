"""What a command prints of a folder that stands for another place: the name of that place."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def shown_as(text: str, shown: str) -> Iterator[None]:
    """Print ``shown`` where a command says ``text``."""
    if json.dumps(shown)[1:-1] != shown:  # what is printed may be JSON
        yield
        return
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_Renaming(each, text, shown) for each in before)
    logs = [
        each
        for each in logging.root.handlers
        if isinstance(each, logging.StreamHandler) and each.stream is before[1]
    ]
    for each in logs:
        each.setStream(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for each in logs:
            each.setStream(sys.stderr)


class _Renaming:
    """A stream that writes one text in place of another."""

    def __init__(self, stream: Any, text: str, shown: str) -> None:
        self._stream, self._text, self._shown = stream, text, shown

    def write(self, text: str) -> int:
        return int(self._stream.write(text.replace(self._text, self._shown)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
