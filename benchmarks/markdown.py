"""Committed results, and tables in Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from benchmarks.record import RESULTS


def result(name: str) -> Any:
    """The document of ``results/<name>.json``."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of equal length under a header."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
