"""The album's plots as inline SVG: sizes of people, distances, and trees of the largest people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from scipy.cluster.hierarchy import dendrogram

from facesearch.album.figures import Histogram, Tree
from facesearch.album.model import Album

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 44
_JOINED = {
    "average": "below the threshold on the average, so pairs may lie beyond it",
    "complete": "where their farthest two faces are below the threshold, so only what was decided "
    "and faces of low quality put pairs beyond it",
    "single": "where their nearest two faces are below the threshold, so pairs may lie beyond it",
}
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Plot:
    """One drawing, what it shows in words for who cannot see it, and its numbers as a table."""

    title: str
    note: str
    svg: Markup
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plots_of(album: Album) -> list[Plot]:
    """The plots that ``album`` has figures for."""
    plots = [_sizes(album)] if album.people else []
    if album.figures is not None:
        plots.append(
            _distances(album.figures.distances, album.about.threshold, album.about.linkage)
        )
        # The trees are of average linkage, and the threshold of another says nothing of them.
        cut = album.about.threshold if album.about.linkage == "average" else None
        labels = {person.key: person.label for person in album.people}
        plots += [_tree(tree, labels[tree.key], cut) for tree in album.figures.trees]
    return plots


def _sizes(album: Album) -> Plot:
    """How many people have so many photos, by powers of two."""
    counts = np.array([person.photo_count for person in album.people])
    bins = np.ceil(np.log2(counts)).astype(int)  # 1, 2, 3 to 4, 5 to 8
    people = np.bincount(bins)
    names = [_size_name(power) for power in range(len(people))]
    scale = _Scale(0, _nice_end(float(people.max())), HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / len(people)
    parts = [_grid(scale)]
    for place, (name, number) in enumerate(zip(names, people.tolist(), strict=True)):
        x, y = LEFT + place * step, scale.at(number)
        parts.append(_rect("bar", (x + step * 0.12, y, step * 0.76, HEIGHT - BOTTOM - y)))
        parts.append(_text(x + step / 2, HEIGHT - BOTTOM + 18, name))
        if number:
            parts.append(_text(x + step / 2, y - 4, f"{number:,}", "value"))
    parts.append(_text((LEFT + WIDTH) / 2, HEIGHT - 6, "photos of one person", "axis"))
    rows = tuple((name, f"{number:,}") for name, number in zip(names, people.tolist(), strict=True))
    return Plot(
        "Photos of each person",
        f"{len(counts):,} people, the one seen most on {int(counts.max()):,} photos.",
        _svg(parts, "Number of people by how many photos they are on"),
        ("Photos", "People"),
        rows,
    )


def _size_name(power: int) -> str:
    low, high = 2 ** (power - 1) + 1 if power else 1, 2**power
    return str(high) if low >= high else f"{low}\u2013{high}"


def _distances(found: Histogram, threshold: float | None, linkage: str) -> Plot:
    """Both histograms as areas, each to its own greatest height, with the threshold."""
    across = _Scale(float(found.edges[0]), float(found.edges[-1]), LEFT, WIDTH - RIGHT)
    most = max(float(found.within.max(initial=0)), float(found.between.max(initial=0)), 1e-9)
    up = _Scale(0, _nice_end(100 * most), HEIGHT - BOTTOM, TOP)
    parts = [_grid(up, "%"), _ticks(across)]
    for kind, shares in (("between", found.between), ("within", found.within)):
        points = [(across.at(found.edges[0]), up.at(0))]
        for low, high, share in zip(found.edges[:-1], found.edges[1:], shares, strict=True):
            points += [(across.at(low), up.at(100 * share)), (across.at(high), up.at(100 * share))]
        points.append((across.at(found.edges[-1]), up.at(0)))
        parts.append(_polygon(kind, points))
    if threshold is not None:
        parts.append(
            _line("threshold", (across.at(threshold), TOP, across.at(threshold), up.at(0)))
        )
        parts.append(
            _text(across.at(threshold) + 5, TOP + 10, f"threshold {threshold:.3g}", "start")
        )
    parts.append(_text((LEFT + WIDTH) / 2, HEIGHT - 6, "squared distance", "axis"))
    return Plot(
        "Distances between faces",
        "Share of pairs drawn at random: two faces of one person (dark), of two people (light). "
        f"People are joined {_JOINED[linkage]}.",
        _svg(parts, "Histograms of distances within one person and between two"),
        ("Squared distance", "One person", "Two people"),
        tuple(
            (f"{low:.2f}\u2013{high:.2f}", f"{100 * one:.2f}%", f"{100 * two:.2f}%")
            for low, high, one, two in zip(
                found.edges[:-1], found.edges[1:], found.within, found.between, strict=True
            )
            if one or two
        ),
    )


def _tree(tree: Tree, label: str, threshold: float | None) -> Plot:
    """A dendrogram: the distance at which a person's faces come together."""
    drawn = dendrogram(tree.linkage, no_plot=True)
    highest = max(float(tree.linkage[:, 2].max()), threshold or 0.0)
    up = _Scale(0, _nice_end(highest), HEIGHT - 14, TOP)
    across = _Scale(0, 10.0 * tree.count, LEFT, WIDTH - RIGHT)
    parts = [_grid(up)]
    for xs, ys in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        points = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in zip(xs, ys, strict=True))
        parts.append(Markup('<polyline class="branch" points="{}"/>').format(points))
    if threshold is not None:
        parts.append(_line("threshold", (LEFT, up.at(threshold), WIDTH - RIGHT, up.at(threshold))))
    some = f" ({tree.count} of them drawn)" if tree.count < tree.of else ""
    return Plot(
        f"How {label} comes together",
        f"{tree.of:,} faces{some}; the last two groups join at {tree.linkage[-1, 2]:.3f}.",
        _svg(parts, f"Dendrogram of the faces of {label}"),
        ("Faces together", "Mean squared distance"),
        tuple((f"{int(size)}", f"{height:.3f}") for height, size in tree.linkage[::-1][:12, 2:]),
    )


@dataclass(frozen=True)
class _Scale:
    """Values from ``low`` to ``high`` at pixels ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / max(self.high - self.low, 1e-12)
        return float(self.start + share * (self.end - self.start))

    def ticks(self) -> list[float]:
        step = _nice_end((self.high - self.low) / 5)
        return [
            self.low + step * place
            for place in range(int((self.high - self.low) / step + 1e-6) + 1)
        ]


def _nice_end(value: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is no less than ``value``."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(each * power for each in _NICE if each * power >= value * (1 - 1e-9)))


def _svg(parts: Sequence[Markup], label: str) -> Markup:
    head = Markup('<svg class="plot" role="img" aria-label="{}" viewBox="0 0 {} {}">')
    return head.format(label, WIDTH, HEIGHT) + Markup("").join(parts) + Markup("</svg>")


def _grid(scale: _Scale, unit: str = "") -> Markup:
    lines = []
    for tick in scale.ticks():
        y = scale.at(tick)
        lines.append(_line("grid", (LEFT, y, WIDTH - RIGHT, y)))
        lines.append(_text(LEFT - 8, y + 4, f"{tick:g}{unit}", "end"))
    return Markup("").join(lines)


def _ticks(scale: _Scale) -> Markup:
    y = HEIGHT - BOTTOM + 18
    return Markup("").join(_text(scale.at(tick), y, f"{tick:g}") for tick in scale.ticks())


def _line(kind: str, ends: tuple[float, float, float, float]) -> Markup:
    x1, y1, x2, y2 = (f"{end:.1f}" for end in ends)
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, x1, y1, x2, y2)


def _rect(kind: str, box: tuple[float, float, float, float]) -> Markup:
    x, y, width, height = (f"{edge:.1f}" for edge in box)
    shape = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
    return shape.format(kind, x, y, width, height)


def _polygon(kind: str, points: Sequence[tuple[float, float]]) -> Markup:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polygon class="{}" points="{}"/>').format(kind, text)


def _text(x: float, y: float, text: str, kind: str = "tick") -> Markup:
    shape = Markup('<text class="{}" x="{}" y="{}">{}</text>')
    return shape.format(kind, f"{x:.1f}", f"{y:.1f}", escape(text))
