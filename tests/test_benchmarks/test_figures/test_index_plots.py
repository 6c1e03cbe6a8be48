"""The plots of indices show every way that was measured, and are equal for equal figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.figures.index_plots import draw


def point(recall: float, speed: float, size: float) -> dict[str, Any]:
    return {
        "recall_at_1": recall,
        "rank_1": 0.97 * recall,
        "queries_per_second": speed,
        "bytes_each": size,
        "setting": "",
    }


def test_every_way_is_drawn(tmp_path: Path) -> None:
    ways = {
        f"way {number}": [point(0.9 + at / 100, 1e4 / (at + 1 + number), 32 * (number + 1))
                          for at in range(5)]
        for number in range(9)
    }  # fmt: skip
    runs = {1_000_000: ways, 100_000: {**ways, "empty": []}}
    paths = draw(runs, tmp_path)
    assert [path.name for path in paths] == ["recall-qps.svg", "bytes-rank1.svg"]
    first = [path.read_text() for path in paths]
    for text in first:
        assert text.index("100,000 faces") < text.index("1,000,000 faces")
        assert all(f">way {number}<" in text for number in range(9))
        assert "empty" not in text
    assert [path.read_text() for path in draw(runs, tmp_path)] == first
