"""Does "95% sure" mean that 95% are right? The share shown of each person, beside the truth.

    python -m benchmarks.clustering.sureness --vectors NAME=FACES.npz ...

The album shows for each person of two or more faces which share of them is expected to be right
(``cluster/review/review_suggestions.py``). Files hold ``vectors`` and ``names``. Faces are counted
by that share, and by whether they show whom most of their group show; groups are those of the
threshold by size, and those of the gallery's own rule.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import Labels, load
from benchmarks.clustering.stability import BEYOND, by_rule, by_size
from benchmarks.common.record import record
from cluster.labels import ordered_labels
from cluster.review.review_suggestions import suggest

LEVELS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 1.0)


def main() -> None:
    """Measure each set and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vectors", nargs="+", required=True, metavar="NAME=FILE")
    args = parser.parse_args()
    result: dict[str, Any] = {"levels": LEVELS, "sets": {}}
    for name, _, path in (each.partition("=") for each in args.vectors):
        vectors, truth = load(Path(path))
        found = {
            kind: curve(vectors, truth, groups(vectors))
            for kind, groups in (("threshold_by_size", by_size), ("rule", by_rule))
        }
        result["sets"][name] = found
        print(name, found, flush=True)
    record("cluster_sureness", result)


def curve(
    vectors: NDArray[np.float32], truth: Labels, groups: NDArray[np.int32]
) -> list[dict[str, Any]]:
    """Of each band of shares shown: how many faces, the mean share shown, and the share right."""
    labels = ordered_labels(np.arange(len(truth)), groups, 1)
    shown = suggest(vectors, labels, BEYOND).quality[labels]
    right = np.zeros(len(truth), np.bool_)
    for label in np.flatnonzero(np.bincount(labels) > 1):
        rows = np.flatnonzero(labels == label)
        right[rows] = truth[rows] == np.bincount(truth[rows]).argmax()
    bands = []
    for low, high in itertools.pairwise(LEVELS):
        rows = np.flatnonzero((shown >= low) & ((shown < high) | (high == LEVELS[-1])))
        if len(rows):
            bands.append(
                {
                    "from": low,
                    "faces": len(rows),
                    "shown": round(float(shown[rows].mean()), 4),
                    "right": round(float(right[rows].mean()), 4),
                }
            )
    return bands


if __name__ == "__main__":
    main()
