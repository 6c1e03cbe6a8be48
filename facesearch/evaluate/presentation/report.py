"""An evaluation as report.md, report.json and plots in a folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.encoders.types import EncoderContract
from facesearch.evaluate.datasets.embedded_photos import PhotoFailure
from facesearch.evaluate.presentation.charts import Chart
from indexer.storage.atomic_files import write_atomically

_FAILURES_SHOWN = 50


@dataclass(frozen=True)
class Table:
    """Rows under a header; every cell is text as it is to be read."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Conditions:
    """What decided the vectors that were judged, and how many photos there were.

    ``face`` says which face of a photo counts, ``missing`` what became of photos without one.
    """

    contract: EncoderContract
    settings: dict[str, float]
    face: str
    missing: str
    photos: int
    without_face: int
    failures: tuple[PhotoFailure, ...]


@dataclass(frozen=True)
class Report:
    """What was measured: ``result`` holds every figure, ``tables`` those worth reading."""

    protocol: str
    conditions: Conditions
    result: Any
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]


def write_report(folder: Path, report: Report, *, plots: bool = True) -> list[Path]:
    """Write ``report.md``, ``report.json`` and, with ``plots``, the charts to ``folder``.

    Returns their paths. Raises :class:`facesearch.errors.InputError` where plots are wanted and
    matplotlib is missing, before anything is written.
    """
    from facesearch.evaluate.presentation.matplotlib_plots import require_matplotlib, save_charts  # noqa: PLC0415

    if plots:
        require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report_json(report), indent=2, allow_nan=False) + "\n"
    pages = {"report.md": markdown(report, plots=plots), "report.json": text}
    for name, page in pages.items():
        write_atomically(folder / name, page.encode("utf-8", "backslashreplace"))
    return [folder / name for name in pages] + (save_charts(report.charts, folder) if plots else [])


def report_json(report: Report) -> dict[str, Any]:
    """Everything but the tables and charts, which show the same figures, as JSON holds it."""
    return {
        "protocol": report.protocol,
        "conditions": json_value(report.conditions),
        "result": json_value(report.result),
    }


def json_value(value: Any) -> Any:
    """``value`` as JSON holds it: dataclasses as objects of their fields and properties, arrays
    as lists, and numbers that are not finite as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        names += [name for name, each in vars(type(value)).items() if isinstance(each, property)]
        return {name: json_value(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {str(name): json_value(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [json_value(each) for each in value]
    if isinstance(value, np.generic):
        return json_value(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def markdown(report: Report, *, plots: bool) -> str:
    """The page, with the pictures of its charts beside it if ``plots``."""
    parts = [f"# Evaluation: {report.protocol}", *conditions_text(report.conditions)]
    for table in report.tables:
        parts += [f"## {table.title}", _table(table.header, table.rows)]
        parts += [table.note] if table.note else []
    if plots:
        parts += [f"![{chart.title}]({chart.name}.svg)" for chart in report.charts]
    failures = report.conditions.failures
    if failures:
        shown = [(each.photo, each.reason, each.detail) for each in failures[:_FAILURES_SHOWN]]
        parts.append("## Photos that could not be used")
        parts.append(_table(("photo", "reason", "detail"), shown))
        if len(failures) > len(shown):
            parts.append(f"And {len(failures) - len(shown)} more, in report.json.")
    return "\n\n".join(parts) + "\n"


def conditions_text(conditions: Conditions) -> tuple[str, str]:
    """Two sentences on what was judged."""
    contract = conditions.contract
    settings = ", ".join(f"{name} {value:g}" for name, value in conditions.settings.items())
    return (
        f"Encoder {contract.name} ({contract.numerics}, {contract.preprocessing}), detector "
        f"{contract.detector}" + (f" ({settings})." if settings else "."),
        f"{conditions.photos:,} photos, of each {conditions.face}; {conditions.without_face} show "
        f"no face that was found ({conditions.missing}), {len(conditions.failures)} could not be "
        "used.",
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)
