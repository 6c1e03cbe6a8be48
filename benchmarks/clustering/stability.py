"""Do people stay as they are when photos are added, or strangers in another folder?

    python -m benchmarks.clustering.stability --lfw LFW.npz --album ALBUM.npz --many MANY.npz

Galleries grow by 200 photos at each of twenty sizes; how much F of the photos before moves is told
for the rule and for the threshold by size. Then 10,000 made strangers come to the album.

In small galleries one merge moves F by more than a hundredth, so these are drawn ten times. The
photos that come also tell something: they link photos of a person that were apart. So the photos
before are clustered alone by the rule that the gallery has after, too: what F differs by that is of
the rule, and the rest is of the photos, as it is where a fixed threshold cuts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import Labels, load
from benchmarks.clustering.rules import at_thresholds
from benchmarks.clustering.size_threshold import gallery_threshold
from benchmarks.common.markdown import result as recorded
from benchmarks.common.mixed_galleries import SEED, Labelled, joined, made_faces, part, singles
from benchmarks.common.record import record
from cluster.adaptive.clustering import adaptive_merges, groups_by_rule
from cluster.metrics import bcubed_scores, pairwise_scores
from facesearch.encoders import encoder_spec

STEP = 200
SIZES = 20
SMALL = (400, 700)
DRAWS = 10
FIXED = 0.13
STRANGERS = 10_000
BEYOND = encoder_spec("dlib-resnet-v1").thresholds(True).cluster

Groups = NDArray[np.int32]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("lfw", "album", "many"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument(
        "--rule-only",
        action="store_true",
        help="measure the rule, and keep what the result has of the threshold by size",
    )
    args = parser.parse_args()
    lfw, album, many = (load(path) for path in (args.lfw, args.album, args.many))
    kept = recorded("cluster_stability") if args.rule_only else None
    result: dict[str, Any] = {"beyond": BEYOND, "seed": SEED, "fixed": FIXED}
    whole = joined(album, many, lfw)
    result["small"] = [small(whole, count) for count in SMALL]
    order = np.random.default_rng(SEED).permutation(len(whole[1]))
    steps = []
    for number, count in enumerate(np.linspace(400, 6100, SIZES).astype(int).tolist()):
        before, after = part(whole, order[:count]), part(whole, order[: count + STEP])
        steps.append({"faces": count, **moved(before, after, kept and kept["steps"][number])})
        print(steps[-1], flush=True)
    result["steps"] = steps
    strangers = singles(made_faces(40_000), STRANGERS)
    result["strangers_beside_album"] = moved(
        album, joined(album, strangers), kept and kept["strangers_beside_album"]
    )
    print(result["strangers_beside_album"], flush=True)
    record("cluster_stability", result)


def moved(
    before: Labelled, after: Labelled, kept: dict[str, Any] | None = None
) -> dict[str, dict[str, float]]:
    """F of the faces before, alone and within the gallery after; by the rule and by size.

    What is ``kept`` of an earlier result is not measured again by size.
    """
    truth = before[1]
    methods = {"rule": by_rule} | ({} if kept else {"threshold_by_size": by_size})
    found = {
        name: {
            f"{kind}_{when}": f
            for when, groups in (("before", method(before[0])), ("after", method(after[0])))
            for kind, f in scores(truth, groups).items()
        }
        for name, method in methods.items()
    }
    return found | ({"threshold_by_size": kept["threshold_by_size"]} if kept else {})


def small(whole: Labelled, count: int) -> dict[str, Any]:
    """How F moves in galleries of ``count`` faces that 200 are added to, each of the draws."""
    draws = []
    for seed in range(DRAWS):
        order = np.random.default_rng(seed).permutation(len(whole[1]))
        draws.append(parts(part(whole, order[:count]), part(whole, order[: count + STEP])))
        print(count, draws[-1], flush=True)
    return {"faces": count, "draws": draws}


def parts(before: Labelled, after: Labelled) -> dict[str, dict[str, float]]:
    """F of the faces before: ``alone``, alone by the ``other_rule`` of the gallery after, and
    ``within`` that gallery; and at a fixed threshold alone and within."""
    vectors, truth = before
    one, two = adaptive_merges(vectors, BEYOND), adaptive_merges(after[0], BEYOND)
    if one is None or two is None:
        raise SystemExit(f"{len(truth)} faces are too few for a rule")
    groups = {
        "alone": one.dendrogram.groups(0.0),
        "other_rule": groups_by_rule(vectors, two.rule),
        "within": two.dendrogram.groups(0.0),
        "fixed_alone": at_thresholds(vectors, [FIXED])[FIXED],
        "fixed_within": at_thresholds(after[0], [FIXED])[FIXED],
    }
    return {name: scores(truth, each) for name, each in groups.items()}


def scores(truth: Labels, groups: Groups) -> dict[str, float]:
    """F of the first faces, those with a ``truth``."""
    kinds = (("pairwise", pairwise_scores), ("bcubed", bcubed_scores))
    return {kind: round(score(truth, groups[: len(truth)]).f, 4) for kind, score in kinds}


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
