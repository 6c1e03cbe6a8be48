"""What the plots of a protocol show, as values: nothing here draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facesearch.evaluate.clustering import ClusteringStudy
from facesearch.evaluate.curves import Curve, Floats
from facesearch.evaluate.identification import IdentificationResult
from facesearch.evaluate.robustness import Robustness

LINEAR, LOG, DEVIATE = "linear", "log", "normal deviate"


@dataclass(frozen=True)
class Axis:
    """``scale`` is linear, log or normal deviate; the limits are values on it, None for free, and
    so are ``ticks``, none for those that suit the scale."""

    label: str
    scale: str = LINEAR
    low: float | None = None
    high: float | None = None
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Series:
    """A line through float64 (n,) points; ``marked``: the points are few and each is shown."""

    label: str
    x: Floats
    y: Floats
    marked: bool = False


@dataclass(frozen=True)
class Mark:
    """A vertical line at ``x`` with a label."""

    label: str
    x: float


@dataclass(frozen=True)
class Chart:
    """One plot; ``name`` is the stem of its files."""

    name: str
    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()


def roc_chart(curve: Curve, different_pairs: int, title: str) -> Chart:
    """TAR against FAR, FAR by powers of ten down to what the pairs resolve."""
    least = 1 / different_pairs
    kept = curve.far >= least * (1 - 1e-9)
    low = max(0.0, np.floor(float(curve.tar[kept].min()) * 20 - 0.2) / 20)
    return Chart(
        "roc",
        title,
        Axis("false accept rate (FAR)", LOG, least, 1.0),
        Axis("true accept rate (TAR)", LINEAR, float(low), 1 + (1 - low) * 0.02),
        (Series("", curve.far[kept], curve.tar[kept]),),
    )


def det_chart(curve: Curve, same_pairs: int, different_pairs: int, title: str) -> Chart:
    """False rejects against false accepts, both on a normal deviate scale.

    Martin, Doddington, Kamm, Ordowski and Przybocki, "The DET curve in assessment of detection task
    performance" (Eurospeech 1997). Rates that the pairs cannot tell from 0 and 1 are left out.
    """
    frr = 1 - curve.tar
    kept = (curve.far > 0) & (curve.far < 1) & (frr > 0) & (frr < 1)
    # More false rejects than accepted pairs are of no use, and leave no room for the rest.
    kept &= frr <= 0.5
    worst = float(frr[kept].max(initial=0.0))
    least = float(curve.far[kept].min(initial=0.5))
    return Chart(
        "det",
        title,
        _deviate_axis("false accept rate (FAR)", least, 0.5),
        _deviate_axis("false reject rate (1 - TAR)", 1 / same_pairs, min(0.5, 1.5 * worst)),
        (Series("", curve.far[kept], frr[kept]),),
    )


def identification_charts(found: IdentificationResult) -> tuple[Chart, ...]:
    """The DET curve of open-set identification, and the CMC."""
    fpir, fnir = found.det()
    splits = f"mean of {len(found.splits)} splits"
    ranks = np.arange(1, len(found.cmc) + 1, dtype=np.float64)
    low = max(0.0, float(np.floor(found.cmc.min() * 50 - 0.2) / 50))
    return (
        Chart(
            "identification_det",
            f"Open-set identification, {splits}",
            Axis("false positive identification rate (FPIR)", LOG, float(fpir[0]), 1.0),
            Axis("false negative identification rate (FNIR)", LINEAR, 0.0, None),
            (Series("", fpir, fnir),),
        ),
        Chart(
            "cmc",
            f"Cumulative match characteristic, {splits}",
            Axis("rank", LOG, 1.0, max(float(len(ranks)), 2.0), _ranks(len(ranks))),
            Axis("mate at this rank or before", LINEAR, low, 1.0),
            (Series("", ranks, found.cmc),),
        ),
    )


def clustering_charts(study: ClusteringStudy) -> tuple[Chart, ...]:
    """Precision, recall and F over the threshold."""
    x = np.array([each.threshold for each in study.sweep], np.float64)
    chosen = study.chosen[0].threshold
    lines = [
        ("BCubed precision", [each.bcubed.precision for each in study.sweep]),
        ("BCubed recall", [each.bcubed.recall for each in study.sweep]),
        ("BCubed F", [each.bcubed.f for each in study.sweep]),
        ("pairwise F", [each.pairwise.f for each in study.sweep]),
    ]
    return (
        Chart(
            "clustering",
            "Average linkage by threshold",
            Axis("threshold (mean squared distance)", LINEAR, float(x[0]), float(x[-1])),
            Axis("score", LINEAR, 0.0, 1.0),
            tuple(Series(label, x, np.array(y)) for label, y in lines),
            (Mark("threshold chosen elsewhere", chosen),) if chosen is not None else (),
        ),
    )


def robustness_charts(result: Robustness) -> tuple[Chart, ...]:
    """VAL by JPEG quality and by pixels; a chart each, where there are rows of the kind."""
    as_is = result.rows[0].validation_rate
    axes = {
        "jpeg": ("JPEG quality", LINEAR),
        "pixels": (f"size of the {result.of} in pixels, at most", LOG),
    }
    charts = []
    for kind, (label, scale) in axes.items():
        rows = [row for row in result.rows if row.degradation.kind == kind]
        x = np.array([row.degradation.value for row in rows], np.float64)
        order = np.argsort(x)
        lines: Sequence[tuple[str, Floats]] = (
            ("threshold of this FAR", np.array([row.validation_rate for row in rows])),
            ("threshold of photos as they are", np.array([r.kept_validation_rate for r in rows])),
            ("photos as they are", np.full(len(rows), as_is)),
        )
        if rows:
            charts.append(
                Chart(
                    f"robustness_{kind}",
                    f"Validation rate at FAR {result.far:g}",
                    Axis(label, scale, ticks=tuple(np.unique(x).tolist())),
                    Axis("validation rate", LINEAR, 0.0, 1.0),
                    tuple(
                        Series(name, x[order], y[order], marked=name != lines[2][0])
                        for name, y in lines
                    ),
                )
            )
    return tuple(charts)


def _ranks(last: int) -> tuple[float, ...]:
    """The ranks worth a tick."""
    return tuple(float(rank) for rank in (1, 2, 5, 10, 20, 50, 100, 200, 500) if rank <= last)


def _deviate_axis(label: str, least: float, most: float) -> Axis:
    """From somewhat below the least rate that differs measurably from 0, a decade wide or more."""
    low = min(max(least * 0.8, 1e-9), 0.05)
    return Axis(label, DEVIATE, low, max(most, 10 * low))
