"""Plots of approximate indices beside exact ones, from ``results/presets.json``.

    python -m benchmarks.figures.index_plots

Draws ``docs/recall-qps.svg`` (recall@1 against queries a second) and ``docs/bytes-rank1.svg``
(bytes a face against rank-1 identification), a panel for every number of faces that was measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.common.markdown import result

DOCS = Path(__file__).parents[2] / "docs"
# Okabe and Ito's colours, which the colour-blind tell apart; markers tell the rest apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX<>*h"
STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "facesearch",  # equal figures, equal files
}

Ways = dict[str, list[dict[str, Any]]]


def main() -> None:
    """Draw both."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    runs = {int(count): run["ways"] for count, run in result("presets")["runs"].items()}
    for path in draw(runs, DOCS):
        print(path)


def draw(runs: dict[int, Ways], folder: Path) -> list[Path]:
    """Both plots as SVG in ``folder``; ``runs`` are the ways by number of faces."""
    with mpl.rc_context(STYLE):
        return [
            _plot(runs, folder / "recall-qps.svg", recall_and_speed),
            _plot(runs, folder / "bytes-rank1.svg", size_and_rank),
        ]


def recall_and_speed(axes: Axes, points: list[dict[str, Any]], style: dict[str, Any]) -> None:
    """A line through the settings of one way, up and to the right is better."""
    ordered = sorted(points, key=lambda point: point["recall_at_1"])
    axes.plot(
        [point["recall_at_1"] for point in ordered],
        [point["queries_per_second"] for point in ordered],
        **style,
    )
    axes.set(yscale="log", xlabel="recall@1", ylabel="queries a second")


def size_and_rank(axes: Axes, points: list[dict[str, Any]], style: dict[str, Any]) -> None:
    """The best setting of one way: what it finds does not depend on how long it looks."""
    top = max(points, key=lambda point: point["rank_1"])
    axes.plot([top["bytes_each"]], [top["rank_1"]], **{**style, "linestyle": "none"})
    axes.set(xscale="log", xlabel="bytes a face", ylabel="rank-1 identification rate")
    axes.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%d"))
    axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(base=2))


def _plot(
    runs: dict[int, Ways],
    path: Path,
    draw_way: Callable[[Axes, list[dict[str, Any]], dict[str, Any]], None],
) -> Path:
    names = list(dict.fromkeys(name for ways in runs.values() for name in ways))
    looks = dict(zip(names, zip(cycle(COLOURS), cycle(MARKERS), strict=False), strict=False))
    figure, panels = plt.subplots(
        1, len(runs), figsize=(5 * len(runs), 4.2), squeeze=False, layout="constrained"
    )
    for axes, (count, ways) in zip(panels[0], sorted(runs.items()), strict=True):
        axes.set_title(f"{count:,} faces")
        for name, points in ways.items():
            if points:
                colour, marker = looks[name]
                style = {"color": colour, "marker": marker, "label": name, "markersize": 6}
                draw_way(axes, points, style)
    handles = {
        label: handle
        for axes in panels[0]
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles, loc="outside lower center", ncols=min(3, len(handles) or 1),
        frameon=False,
    )  # fmt: skip
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    return path


if __name__ == "__main__":
    main()
