"""The figures of the format page are those of the committed result."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_float16_table_is_the_committed_result() -> None:
    page = (ROOT / "docs/format.md").read_text(encoding="utf-8")
    results = json.loads((ROOT / "benchmarks/results/float16.json").read_text(encoding="utf-8"))
    for dimension in (128, 512):
        result = results[f"synthetic, {dimension} dimensions"]
        size = result["bytes_per_face"]
        row = (
            f"| {dimension} | {size['float32']:.1f} -> {size['float16']:.1f} "
            f"| {result['distance_moved_max']:.1e} | {result['distance_moved_mean']:.1e} "
            f"| {result['recall_at_1']:.4f} | {result['recall_at_10']:.4f} |"
        )
        assert row in page
