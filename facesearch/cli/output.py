"""Tables and facts for people, JSON for programs, and progress bars."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.text import display_width, printable

if TYPE_CHECKING:
    from facesearch.embed import EmbedReport
    from facesearch.search.knn_graph import GraphFacts
    from indexer.index.manifest import IndexManifest

CELL_LIMIT = 60


def print_json(value: Any) -> None:
    """Print one JSON document; dataclasses become objects, paths strings.

    Numbers that JSON has none of (NaN, infinities) become null. Bytes of a file name that are not
    UTF-8 appear as lone surrogates (``\\udc..``).
    """
    try:
        text = json.dumps(value, default=_plain, indent=2, allow_nan=False)
    except ValueError:
        text = json.dumps(value, default=_plain)
        text = json.dumps(json.loads(text, parse_constant=lambda _: None), indent=2)
    print(text)


def print_json_line(value: Any) -> None:
    """Print one JSON document as one line, at once: one of many, for who reads them one by one."""
    print(json.dumps(value, default=_plain), flush=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines with names that anybody may have given."""
    for line in lines:
        print(printable(line))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns; numbers to the right, long cells cut at their beginning."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(display_width(line[column]) for line in (header, *cells))
        for column in range(len(header))
    ]
    right = [
        bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(header))
    ]
    for line in [list(header), *cells]:
        padded = [
            _padded(text, width, to_right)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ]
        print("  ".join(padded).rstrip())


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Print one line for each name and value; a float is rounded to four digits."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(printable(f"{name.ljust(width)}  {text}").rstrip())


def box_text(box: Sequence[float]) -> str:
    """A box as x0,y0 width x height in whole pixels."""
    x0, y0, x1, y1 = box
    return f"{x0:.0f},{y0:.0f} {x1 - x0:.0f}x{y1 - y0:.0f}"


def known(value: float) -> float | None:
    """A number for JSON, which has no NaN: None stands for what was not measured."""
    return None if math.isnan(value) else value


def embed_progress(quiet: bool) -> Callable[[EmbedReport, int], None]:
    """A progress callback with photos/s, faces, failures and time left, on standard error."""
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def show(report: EmbedReport, total: int) -> None:
        if not bars:  # not before the job has begun, lest an error message follows a bar
            bars.append(
                tqdm(
                    unit=" photos",
                    file=sys.stderr,
                    disable=quiet,
                    dynamic_ncols=True,
                    mininterval=0.2,
                )
            )
        (bar,) = bars
        bar.total = total
        rate = report.faces / elapsed if (elapsed := bar.format_dict["elapsed"]) > 0 else 0.0
        bar.set_postfix_str(f"{rate:.1f} faces/s, {report.failed} failed", refresh=False)
        bar.update(report.done - bar.n)
        if report.done >= total:
            bar.close()

    return show


def counting_progress(quiet: bool, unit: str) -> Callable[[int, int], None]:
    """A progress callback that takes what is done and its total, on standard error."""
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def show(done: int, total: int) -> None:
        if not bars:
            bars.append(tqdm(unit=unit, file=sys.stderr, disable=quiet, dynamic_ncols=True))
        bar = bars[0]
        bar.total = total
        bar.update(done - bar.n)
        if done >= total:
            bar.close()
            bars.clear()

    return show


def stage_progress(quiet: bool) -> Callable[[str, int], None]:
    """A progress callback that prints each stage of a long job, on standard error."""
    started = time.monotonic()
    seen: set[str] = set()

    def show(stage: str, done: int) -> None:
        if stage not in seen and not quiet and sys.stderr.isatty():
            print(f"{time.monotonic() - started:7.1f} s: {stage} ...", file=sys.stderr)
        seen.add(stage)

    return show


def size_text(size: int) -> str:
    """``31 KiB``, ``1.2 GiB``."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = min(max(0, size.bit_length() - 1) // 10, len(units) - 1)
    value = size / 1024**power
    return (
        f"{value:.1f} {units[power]}" if power > 0 and value < 10 else f"{value:.0f} {units[power]}"
    )


def description_facts(description: IndexManifest) -> list[tuple[str, object]]:
    """What a saved index is, as facts to print."""
    measured, settings = description.measured, description.parameters
    if not measured:
        return [("index", "exact")]
    kept = f"{settings['components']} components of {settings['bits']} bits"
    recall = f"{measured['recall_at_1']:.3f} of {measured['queries']} searches"
    interval = f"{measured['recall_at_1_low']:.3f} to {measured['recall_at_1_high']:.3f}"
    single = f"{1e3 * measured['single_seconds']:.2f} ms for one"
    return [
        ("index", f"approximate: {kept}, {measured['bytes_each']:.0f} bytes for each face"),
        ("cells searched", f"{settings['probes']} of {settings['cells']}"),
        ("recall at 1", f"{recall} (95% interval {interval})"),
        ("speed", f"{measured['queries_per_second']:.0f} searches/s in batches, {single}"),
    ]


def graph_text(graph: GraphFacts) -> str:
    """What a graph is, in words."""
    text = f"{graph.k} neighbours of {graph.faces} faces, "
    if graph.exact:
        return text + "exact"
    text += "approximate"
    if graph.index_recall is None:
        return text
    return f"{text}, with a recall of {graph.index_recall:.3f}"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    raise TypeError(f"cannot print {type(value).__name__} as JSON")


def _cell(value: object) -> str:
    text = printable(f"{value:.3f}" if isinstance(value, float) else value)
    if display_width(text) <= CELL_LIMIT:
        return text
    while display_width(text) > CELL_LIMIT - 3 or not display_width(text[0]):
        text = text[1:]  # from the left, and never between a letter and its marks
    return f"...{text}"


def _padded(text: str, width: int, to_right: bool) -> str:
    space = " " * (width - display_width(text))
    return space + text if to_right else text + space


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
