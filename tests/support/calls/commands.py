"""``facesearch`` commands run in the process of the tests, which loads networks once for all."""

from __future__ import annotations

import functools
import io
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

from facesearch.cli.main import main
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.engine_options import EngineOptions

_CREATE = EngineOptions.create


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


def run_command(words: Sequence[object]) -> Done:
    """Run ``facesearch`` with ``words``; engines of equal options are one and the same."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.object(EngineOptions, "create", _created_once),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.object(logging.root, "handlers", []),  # the command sets up what it logs to
    ):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
    return Done(code, _text(out), _text(err))


def _created_once(
    options: EngineOptions, contract: EncoderContract | None = None, *, callers: int = 1
) -> FaceEngine:
    return _created(options, contract, callers)


@functools.cache
def _created(options: EngineOptions, contract: EncoderContract | None, callers: int) -> FaceEngine:
    return _CREATE(options, contract, callers=callers)


def _text(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
