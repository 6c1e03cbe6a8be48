"""Figures of indices: beside other libraries', and as galleries grow."""

from __future__ import annotations

from typing import Any

from benchmarks.common.markdown import measured_on, result, table

WANTED = 0.99  # recall@1 at which ways are compared
BEST = "cells 52 x 8 bits, ranked by vectors"  # as a gallery searches


def presets() -> str:
    """For each way the fastest setting that reaches WANTED, or the one with the most recall."""
    data = result("presets")
    tables = [_preset(int(count), run) for count, run in data["runs"].items()]
    return "\n\n".join([*tables, measured_on(data)])


def _preset(count: int, run: dict[str, Any]) -> str:
    best = {name: chosen(points) for name, points in run["ways"].items()}
    rows = [
        [
            name,
            point["setting"],
            f"{point['recall_at_1']:.3f}",
            f"{point['rank_1']:.3f}",
            f"{point['bytes_each']:.0f}",
            f"{point['queries_per_second']:,.0f}",
            f"{point['single_p50_ms']:.2f}",
            f"{run['build_seconds'][name]:.0f}",
        ]
        for name, point in best.items()
    ]
    header = (
        f"{count:,} faces", "setting", "recall@1", "rank-1", "bytes a face", "queries/s of 1,000",
        "ms for one", "build s",
    )  # fmt: skip
    return (
        table(header, rows)
        + f"\n\nRank-1 of exact search: {run['exact_rank_1']:.3f}. "
        + _best(best)
    )


def chosen(points: list[dict[str, Any]]) -> dict[str, Any]:
    """The fastest setting that reaches WANTED, or the one with the most recall."""
    reached = [point for point in points if point["recall_at_1"] >= WANTED]
    if reached:
        return max(reached, key=lambda point: point["queries_per_second"])
    return max(points, key=lambda point: (point["recall_at_1"], point["queries_per_second"]))


def _best(best: dict[str, dict[str, Any]]) -> str:
    """Ours beside the graphs, where both reach WANTED."""
    ours = {n: p for n, p in best.items() if n.startswith("cells")}
    graphs = {n: p for n, p in best.items() if "hnsw" in n.lower() or n.startswith("usearch")}
    reached = [p for p in ours.values() if p["recall_at_1"] >= WANTED]
    if not reached:
        return f"None of ours reaches a recall@1 of {WANTED}."
    fastest = max(reached, key=lambda point: point["queries_per_second"])
    speed, kept = fastest["queries_per_second"], fastest["bytes_each"]
    ratios = []
    for name, point in graphs.items():
        ratio = f"{speed / point['queries_per_second']:.1f} times {name}"
        if point["recall_at_1"] < WANTED:
            ratio += f" (which stops at {point['recall_at_1']:.3f})"
        ratios.append(ratio)
    return (
        f"With {kept:.0f} bytes a face, ours answers batches at a recall@1 of "
        f"{fastest['recall_at_1']:.3f} " + ", ".join(ratios) + "."
    )


def scale() -> str:
    """Building and searching, by number of faces."""
    data = result("scale")
    rows = [
        [
            f"{run['faces']:,}",
            f"{run['shards']['gib']:.2f}",
            f"{run['build']['seconds']:.0f}",
            f"{run['build']['peak_mib']:,}",
            f"{run['build']['measured']['bytes_each']:.0f}",
            f"{run['search']['peak_mib']:,}",
            f"{run['search']['single_p50_ms']:.1f}, {run['search']['single_p99_ms']:.1f}",
            f"{run['search']['queries_per_second']:,.0f}",
            f"{run['codes']['recall_at_1']:.3f}, {run['search']['recall_at_1']:.3f}",
            f"{run['codes']['rank_1']:.3f}, {run['search']['rank_1']:.3f}",
            f"{run['exact']['rank_1']:.3f}",
        ]
        for run in data["runs"].values()
    ]
    header = (
        "faces", "shards GiB", "build s", "peak MiB", "bytes a face", "peak MiB, searching",
        "ms for one: p50, p99", "queries/s of 1,000", "recall@1: codes, vectors",
        "rank-1: codes, vectors", "rank-1, exact",
    )  # fmt: skip
    grows = ", ".join(f"{name} {power:.2f}" for name, power in data["exponents"].items())
    return (
        table(header, rows)
        + f"\n\nSeconds grow with these powers of the number: {grows}.\n\n{measured_on(data)}"
    )
