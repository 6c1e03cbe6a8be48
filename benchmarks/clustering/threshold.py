"""The threshold that a gallery's own impostors give, where it is known who the people are.

    python -m benchmarks.clustering.threshold --lfw LFW.npz [--counts N ...]

``benchmarks/clustering/size_threshold.py`` was fitted on half of LFW's people and on made
galleries; here are the other half, whole and in parts, and made galleries of another seed. For
each: the share of pairs of two people within the distances at which the gallery's law, which does
not know who they are, has 1e-3, 1e-4 and 1e-5 of them; and how average linkage does at the
gallery's threshold, beside the best of all thresholds on a grid, which only the truth can choose.
``LFW.npz`` holds ``vectors`` and ``names`` (``benchmarks/common/labelled_vectors.py``).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import SEED, Labels, load, members, scores
from benchmarks.clustering.size_threshold import gallery_threshold
from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import record
from cluster.adaptive.impostor_law import impostor_law
from cluster.graph.approximate_knn import NEIGHBOURS, approximate_knn_graph
from cluster.linkage.average_linkage import cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from facesearch.encoders import encoder_spec

COUNTS = (20_000, 50_000, 200_000)
PARTS = (2000, 4000)  # faces, about, of the other half of LFW
MADE_SEED = 77
SHARES = (1e-3, 1e-4, 1e-5)
THRESHOLDS = np.round(np.arange(0.09, 0.1601, 0.005), 4).tolist()
LOOSEST = THRESHOLDS[-1]
ROWS, OTHERS = 4096, 65_536  # drawn, each of the first paired with each of the second

Vectors = NDArray[np.float32]


def main() -> None:
    """Measure each gallery and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="*", default=list(COUNTS))
    args = parser.parse_args()
    galleries = {}
    for name, (vectors, truth) in lfw_parts(*load(args.lfw)).items():
        galleries[name] = study(vectors, truth)
        print(name, json.dumps(galleries[name], indent=2), flush=True)
    for count in args.counts:
        galleries[f"made, {count:,}"] = study(*made(count))
        print(count, json.dumps(galleries[f"made, {count:,}"], indent=2), flush=True)
    record("cluster_threshold", {"seed": SEED, "made_seed": MADE_SEED, "galleries": galleries})


def lfw_parts(vectors: Vectors, truth: Labels) -> dict[str, tuple[Vectors, Labels]]:
    """The half of the people that chose nothing, and random people of it with so many faces."""
    rng = np.random.default_rng(SEED)
    first = rng.random(truth.max() + 1) < 0.5
    people = rng.permutation(np.flatnonzero(~first))
    faces = np.cumsum(np.bincount(truth)[people])
    parts = {f"LFW, about {wanted:,}": people[faces <= wanted * 1.05] for wanted in PARTS}
    parts["LFW, the other half"] = people
    return {name: members(vectors, truth, chosen) for name, chosen in parts.items()}


def made(count: int) -> tuple[Vectors, Labels]:
    gallery = MadeGallery(count, FaceModel.load(), seed=MADE_SEED)
    vectors = np.concatenate([block.vectors for block in gallery.blocks()])
    return vectors, gallery.people(np.arange(count))


def study(vectors: Vectors, truth: Labels) -> dict[str, Any]:
    """Law beside truth, and threshold beside the best."""
    encoder = encoder_spec("dlib-resnet-v1").thresholds(True).cluster
    law, from_gallery = impostor_law(vectors, encoder), gallery_threshold(vectors, encoder)
    result: dict[str, Any] = {"faces": len(truth), "people": len(np.unique(truth))}
    result["own_threshold"] = from_gallery
    threshold = encoder if from_gallery is None else from_gallery
    if law is not None:
        distances = {share: law.distance_of(share) for share in SHARES}
        observed_shares = impostor_shares(vectors, truth, list(distances.values()))
        result["law"] = [
            {"share": share, "distance": distances[share], "observed": observed}
            for share, observed in zip(SHARES, observed_shares, strict=True)
        ]
    graph = approximate_knn_graph(vectors, NEIGHBOURS)
    linkage = graph_average_linkage(vectors, graph, LOOSEST)
    found = {each: scores(truth, cut(linkage, len(truth), each)) for each in THRESHOLDS}
    best = max(found, key=lambda each: found[each]["pairwise_f"] + found[each]["bcubed_f"])
    result["at_own"] = scores(truth, cut(linkage, len(truth), threshold))
    result["best_threshold"], result["at_best"] = best, found[best]
    return result


def impostor_shares(vectors: Vectors, truth: Labels, distances: list[float]) -> list[float]:
    """The share of random pairs of two people within each squared distance."""
    rng = np.random.default_rng(SEED)
    rows, others = (rng.permutation(len(truth))[:most] for most in (ROWS, OTHERS))
    within, pairs = np.zeros(len(distances), np.int64), 0
    for part in np.array_split(rows, max(1, len(rows) // 128)):
        apart = truth[part][:, None] != truth[others]
        squared = (2 - 2 * (vectors[part] @ vectors[others].T))[apart]
        within += [int((squared <= distance).sum()) for distance in distances]
        pairs += len(squared)
    return (within / pairs).tolist()


if __name__ == "__main__":
    main()
