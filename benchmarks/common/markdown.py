"""Committed results, and tables in Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from benchmarks.common.record import RESULTS


def result(name: str) -> Any:
    """The document of ``results/<name>.json``."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def result_or_none(name: str) -> Any:
    """As :func:`result`; None where none is committed."""
    return result(name) if (RESULTS / f"{name}.json").exists() else None


def not_committed(script: str) -> str:
    """What a page says in place of the figures that ``script`` makes."""
    return f"No result is committed yet: `python -m {script}` makes it."


def measured_on(document: Any) -> str:
    """The processor of a result, in a sentence."""
    about = document["machine"]
    return (
        f"{about['cpu']} ({', '.join(about['vector_instructions'])}), {about['cores']} cores, "
        f"{about['memory_gib']} GiB."
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of equal length under a header."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
