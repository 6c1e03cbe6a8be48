"""Do people stay as they are when photos are added, or strangers in another folder?

    python -m benchmarks.clustering.stability --lfw LFW.npz --album ALBUM.npz --many MANY.npz

Galleries grow by 200 photos at each of twenty sizes; how much F of the photos before moves is told
for the rule and for the threshold by size. Then 10,000 made strangers come to the album.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import load
from benchmarks.clustering.rules import at_thresholds
from benchmarks.clustering.size_threshold import gallery_threshold
from benchmarks.common.mixed_galleries import SEED, Labelled, joined, made_faces, part, singles
from benchmarks.common.record import record
from cluster.adaptive.clustering import adaptive_merges
from cluster.metrics import bcubed_scores, pairwise_scores
from facesearch.encoders import encoder_spec

STEP = 200
SIZES = 20
STRANGERS = 10_000
BEYOND = encoder_spec("dlib-resnet-v1").thresholds(True).cluster

Groups = NDArray[np.int32]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("lfw", "album", "many"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    lfw, album, many = (load(path) for path in (args.lfw, args.album, args.many))
    result: dict[str, Any] = {"beyond": BEYOND, "seed": SEED}
    whole = joined(album, many, lfw)
    order = np.random.default_rng(SEED).permutation(len(whole[1]))
    steps = []
    for count in np.linspace(400, 6100, SIZES).astype(int).tolist():
        before, after = part(whole, order[:count]), part(whole, order[: count + STEP])
        steps.append({"faces": count, **moved(before, after)})
        print(steps[-1], flush=True)
    result["steps"] = steps
    strangers = singles(made_faces(40_000), STRANGERS)
    result["strangers_beside_album"] = moved(album, joined(album, strangers))
    print(result["strangers_beside_album"], flush=True)
    record("cluster_stability", result)


def moved(before: Labelled, after: Labelled) -> dict[str, dict[str, float]]:
    """F of the faces before, alone and within the gallery after; by the rule and by size."""
    truth = before[1]
    return {
        name: {
            f"{kind}_{when}": round(score(truth, groups[: len(truth)]).f, 4)
            for when, groups in (("before", method(before[0])), ("after", method(after[0])))
            for kind, score in (("pairwise", pairwise_scores), ("bcubed", bcubed_scores))
        }
        for name, method in (("rule", by_rule), ("threshold_by_size", by_size))
    }


def by_rule(vectors: NDArray[np.float32]) -> Groups:
    """Groups by the gallery's own rule."""
    found = adaptive_merges(vectors, BEYOND)
    if found is None:
        return by_size(vectors)
    return found.dendrogram.groups(0.0)


def by_size(vectors: NDArray[np.float32]) -> Groups:
    """Groups by the threshold of so many faces."""
    threshold = gallery_threshold(vectors, BEYOND) or BEYOND
    return at_thresholds(vectors, [threshold])[threshold]


if __name__ == "__main__":
    main()
