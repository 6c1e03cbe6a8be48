"""Charts drawn by matplotlib, to PNG and to SVG that is the same byte for byte each time.

matplotlib comes with ``pip install 'facesearch[plots]'``. No window system, no state of pyplot and
no setting of the caller is touched.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from facesearch.errors import InputError
from facesearch.evaluate.presentation.charts import DEVIATE, LINEAR, LOG, Axis, Chart

# Colours that stay apart for the colour-blind (Okabe and Ito 2008), and dashes for print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#666666")
_DASHES = ("-", "--", "-.", ":")
# Rates worth a tick, the most wanted first, each of which keeps others away that are too near.
_RATES = (
    0.5,
    0.1,
    0.01,
    1e-3,
    1e-4,
    1e-5,
    1e-6,
    1e-7,
    1e-8,
    0.2,
    0.05,
    0.02,
    0.3,
    0.005,
    0.002,
    0.4,
)
_TICK_DISTANCE = 1 / 13  # of the axis
_SETTINGS = {"svg.hashsalt": "facesearch", "svg.fonttype": "path"}


def save_charts(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Write ``NAME.png`` and ``NAME.svg`` of each chart; returns their paths.

    Raises :class:`InputError` with the command that installs matplotlib where it is missing.
    """
    matplotlib = require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for chart in charts:
        # Around the drawing too: text takes its font when it is made.
        with matplotlib.rc_context({**_defaults(matplotlib), **_SETTINGS}):
            figure = draw(chart)
            for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
                path = folder / f"{chart.name}.{kind}"
                figure.savefig(path, format=kind, dpi=160, metadata=metadata)
                written.append(path)
    return written


def draw(chart: Chart) -> Any:
    """The chart as a matplotlib Figure of its own, known to no window system."""
    require_matplotlib()
    from matplotlib.figure import Figure  # noqa: PLC0415 - an optional package

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set_title(chart.title, fontsize=11)
    for number, series in enumerate(chart.series):
        axes.plot(
            series.x,
            series.y,
            label=series.label,
            color=_COLOURS[number % len(_COLOURS)],
            linestyle=_DASHES[number % len(_DASHES)],
            marker="o" if series.marked else "",
            markersize=4,
            linewidth=1.6,
        )
    for mark in chart.marks:
        axes.axvline(mark.x, color="#999999", linewidth=1, label=mark.label)
    _set_axis(axes.xaxis, axes.set_xlim, chart.x)
    _set_axis(axes.yaxis, axes.set_ylim, chart.y)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if any(series.label for series in chart.series):
        axes.legend(fontsize=9)
    return figure


def _set_axis(axis: Any, set_limits: Any, wanted: Axis) -> None:
    axis.set_label_text(wanted.label)
    set_scale = getattr(axis.axes, f"set_{axis.axis_name}scale")
    if wanted.scale == LOG:
        set_scale("log")
    elif wanted.scale == DEVIATE:
        set_scale("function", functions=(_deviate, ndtr))
        ticks = _rate_ticks(wanted.low or min(_RATES), wanted.high or max(_RATES))
        axis.set_ticks(
            ticks, [np.format_float_positional(round(100 * t, 6), trim="-") + " %" for t in ticks]
        )
    elif wanted.scale != LINEAR:
        raise ValueError(f"expected a scale of {LINEAR}, {LOG} or {DEVIATE}, got {wanted.scale!r}")
    if wanted.ticks:
        axis.set_ticks(wanted.ticks, [f"{tick:,g}" for tick in wanted.ticks])
        axis.set_ticks([], minor=True)
    set_limits(wanted.low, wanted.high)


def _rate_ticks(low: float, high: float) -> list[float]:
    """Rates from ``low`` to ``high`` whose labels do not touch on a normal deviate scale."""
    least = float(_deviate(high) - _deviate(low)) * _TICK_DISTANCE
    ticks: list[float] = []
    for rate in _RATES:
        apart = [abs(float(_deviate(rate) - _deviate(tick))) for tick in ticks]
        if low <= rate <= high and min(apart, default=np.inf) >= least:
            ticks.append(rate)
    return sorted(ticks)


def _defaults(matplotlib: Any) -> dict[str, Any]:
    """matplotlib's own settings, without the one that would choose a window system."""
    return {name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"}


def _deviate(rates: Any) -> Any:
    """Standard normal quantiles, finite for what matplotlib tries at the ends."""
    return ndtri(np.clip(rates, 1e-12, 1 - 1e-12))


def require_matplotlib() -> Any:
    """The package; :class:`InputError` with the command that installs it where it is missing."""
    try:
        return importlib.import_module("matplotlib")
    except ImportError as error:
        raise InputError(
            f"plots need matplotlib, which cannot be imported ({error}); install it with: "
            "pip install 'facesearch[plots]', or leave plots out with --no-plots"
        ) from error
