"""What becomes of poor faces: put to their own person, to another's, or to nobody?

    python -m benchmarks.clustering.poor_faces --vectors FACES.npz ...

``FACES.npz`` holds ``vectors``, ``names``, ``qualities`` and ``main``, the face of each photo that
its name speaks of. Faces of quality 0.3 or more form clusters, by the gallery's rule; main faces of
less are put to them as before, within the identification threshold, and as now, by the rule with a
margin to the next cluster. Faces that are not main stand for those nobody knows: where they are
poor, which of them join whom is counted too.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from cluster.adaptive.clustering import adaptive_merges
from cluster.agglomerative import clusters_at
from cluster.attach_outliers import MARGIN, attach
from cluster.types import Clustering
from facesearch.encoders import encoder_spec
from facesearch.quality import MIN_QUALITY

LIMITS = encoder_spec("dlib-resnet-v1").thresholds(True)


def main() -> None:
    """Measure each file and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vectors", type=Path, nargs="+", required=True)
    args = parser.parse_args()
    result: dict[str, Any] = {"margin": MARGIN, "min_quality": MIN_QUALITY, "sets": {}}
    for path in args.vectors:
        found = study(path)
        result["sets"][path.stem] = found
        print(path.stem, found, flush=True)
    record("cluster_poor_faces", result)


def study(path: Path) -> dict[str, Any]:
    """What becomes of the poor faces of one set."""
    data = np.load(path)
    vectors = data["vectors"].astype(np.float32)
    truth = np.unique(data["names"], return_inverse=True)[1]
    poor, main = data["qualities"] < MIN_QUALITY, data["main"]
    ids = np.arange(len(vectors))
    learnt = adaptive_merges(vectors[~poor], LIMITS.cluster)
    if learnt is None:
        raise SystemExit(f"{path} has too few faces or people")
    alone = learnt.rule.distance(1, 1)
    formed = clusters_at(ids[~poor], vectors[~poor], learnt.dendrogram, 0.0, alone=alone)
    result: dict[str, Any] = {
        "faces": len(ids),
        "poor": int(poor.sum()),
        "poor_with_truth": int((poor & main).sum()),
    }
    for name, rule in (("before", None), ("now", learnt.rule)):
        joined = attach(
            formed,
            vectors[~poor],
            ids[poor],
            vectors[poor],
            LIMITS.identification,
            rule=rule,
        )
        result[name] = fates(joined, truth, main, int((~poor).sum()))
    return result


def fates(
    clustering: Clustering, truth: NDArray[np.int64], main: NDArray[np.bool_], good: int
) -> dict[str, int]:
    """How many of the poor faces, those after the first ``good``, came to whom."""
    people = truth[clustering.ids]
    counts = {"own": 0, "other": 0, "nobody": 0, "unknown_to_somebody": 0, "led_by_poor": 0}
    mains = main[clustering.ids]
    for label in range(clustering.count):
        rows = np.flatnonzero(clustering.labels == label)
        counts["led_by_poor"] += int(2 * (rows >= good).sum() > len(rows) > 1)
    for row in range(good, len(people)):
        label = clustering.labels[row]
        if label < 0:
            counts["nobody"] += int(mains[row])
            continue
        members = np.flatnonzero((clustering.labels[:good] == label) & mains[:good])
        if not mains[row]:
            counts["unknown_to_somebody"] += 1
            continue
        usual = np.bincount(people[members]).argmax() if len(members) else -1
        counts["own" if usual == people[row] else "other"] += 1
    return counts


if __name__ == "__main__":
    main()
