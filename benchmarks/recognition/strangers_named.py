"""How many strangers does identify name, with the encoder's threshold and calibrated by itself?

    python -m benchmarks.recognition.strangers_named --lfw LFW.npz --many MANY.npz

Files hold ``vectors`` and ``names``. So many people are enrolled with two faces each; the
calibration learns from them among each other, and from single faces of other people beyond 0.14, as
a gallery of that many people makes it itself. Strangers are people of neither. A run is inside its
interval where the interval that the calibration states meets that of the share of strangers named
(both of 95%; Clopper and Pearson's for the strangers).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clustering.quality import load
from benchmarks.common.mixed_galleries import Labelled, made_faces
from benchmarks.common.record import record
from facesearch.encoders import encoder_spec
from facesearch.recognition.templates import RULE
from indexer.errors import TooFewImpostorsError
from indexer.open_set.group_distances import VectorGroups
from indexer.open_set.threshold import (
    clopper_pearson,
    open_set_threshold,
    search_each_other,
    search_strangers,
)

LIMITS = encoder_spec("dlib-resnet-v1").thresholds(True)
RATES = (0.01, 0.001)
RUNS = 20
OTHERS = 600  # people whose faces are in the gallery without a name
FACES = 2  # enrolled of each person


def main() -> None:
    """Measure each gallery and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--many", type=Path, required=True)
    args = parser.parse_args()
    lfw, many = load(args.lfw), load(args.many)
    galleries: dict[str, tuple[Labelled, Labelled, int]] = {
        f"LFW, {people} people": (lfw, lfw, people) for people in (34, 100, 270, 1000)
    }
    galleries["many, 50 people, strangers of LFW"] = (many, lfw, 50)
    made = made_faces(40_000)
    galleries["made, 1,000 people"] = (made, made, 1000)
    result = {}
    for name, (enrolled, others, people) in galleries.items():
        result[name] = study(enrolled, others, people)
        print(name, result[name], flush=True)
    record("strangers_named", {"runs": RUNS, "others": OTHERS, "galleries": result})


def study(enrolled: Labelled, others: Labelled, people: int) -> dict[str, Any]:
    """Shares of strangers named, over runs."""
    encoder, found = [], {rate: [] for rate in RATES}
    inside = dict.fromkeys(RATES, 0)
    for seed in range(RUNS):
        groups, labels, vectors, strangers, unnamed = _drawn(enrolled, others, people, seed)
        distances = groups.nearest_two(strangers).distances[:, 0]
        encoder.append(float((distances <= LIMITS.identification).mean()))
        samples = [
            search_each_other(vectors, labels, RULE),
            search_strangers(groups, unnamed, np.arange(len(unnamed)), LIMITS.cluster),
        ]
        for rate in RATES:
            try:
                learnt = open_set_threshold(samples, people, rate)
            except TooFewImpostorsError:
                continue
            named = int((distances <= learnt.threshold).sum())
            found[rate].append(named / len(distances))
            low, high = clopper_pearson(named, len(distances))
            inside[rate] += low <= learnt.high and high >= learnt.low
    return {
        "encoder": round(float(np.mean(encoder)), 5),
        "strangers": len(distances),
        "calibrated": {
            str(rate): {
                "named": round(float(np.mean(found[rate])), 5),
                "inside": int(inside[rate]),
                "runs": len(found[rate]),
            }
            for rate in RATES
        },
    }


def _drawn(enrolled: Labelled, others: Labelled, people: int, seed: int) -> tuple[Any, ...]:
    """Enrolled groups, their labels and vectors, strangers, and faces without a name."""
    rng = np.random.default_rng(seed)
    sizes = np.bincount(enrolled[1])
    chosen = rng.permutation(np.flatnonzero(sizes >= FACES))[:people]
    rows = [rng.permutation(np.flatnonzero(enrolled[1] == person))[:FACES] for person in chosen]
    vectors = np.ascontiguousarray(enrolled[0][np.concatenate(rows)])
    labels = np.repeat(np.arange(len(chosen)), FACES)
    order = rng.permutation(len(others[1]))
    if others[1] is enrolled[1]:
        order = order[~np.isin(others[1][order], chosen)]
    _, first = np.unique(others[1][order], return_index=True)
    single = rng.permutation(order[first])
    unnamed, strangers = single[:OTHERS], single[OTHERS:]
    groups = VectorGroups(vectors, labels, RULE)
    return groups, labels, vectors, others[0][strangers], others[0][unnamed]


if __name__ == "__main__":
    main()
