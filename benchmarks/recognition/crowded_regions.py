"""Where two people are near, is a name less sure? Wrong and right names by how near the next is.

    python -m benchmarks.recognition.crowded_regions --lfw LFW.npz --view1 FOLDER --many MANY.npz

Files hold ``vectors`` and ``names``, that of ``--lfw`` also ``paths``. So many people are enrolled
with two faces each, and a threshold for 1% of strangers is learnt as ``identify`` does it. Their
other faces and strangers are asked about. Counted are right names and wrong ones (of strangers, and
of enrolled people named as another), and which of them would be called unsure: those where the next
person is within so many times the threshold. The factor was chosen on the people of LFW's View 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from benchmarks.curation.sure_faces import view1
from facesearch.encoders import encoder_spec
from facesearch.recognition.templates import RULE
from indexer.errors import TooFewImpostorsError
from indexer.open_set.group_distances import VectorGroups
from indexer.open_set.threshold import open_set_threshold, search_each_other, search_strangers

LIMITS = encoder_spec("dlib-resnet-v1").thresholds(True)
RATE = 0.01
RUNS = 20
ENROLLED = 2  # faces of each person
UNNAMED = 300  # people in the gallery without a name, of whom is learnt too
FACTORS = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2.0)

Faces = tuple[NDArray[np.float32], NDArray[np.int64]]


def main() -> None:
    """Measure each gallery and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--view1", type=Path, required=True, help="folder with LFW's lists")
    parser.add_argument("--many", type=Path, required=True)
    args = parser.parse_args()
    lfw, many = np.load(args.lfw), np.load(args.many)
    chosen = np.isin([path.partition("/")[0] for path in lfw["paths"].tolist()], view1(args.view1))
    first, rest, others = (
        (np.ascontiguousarray(data["vectors"][rows], np.float32), data["names"][rows])
        for data, rows in ((lfw, chosen), (lfw, ~chosen), (many, slice(None)))
    )
    galleries = {
        "LFW View 1, 200 people (chosen on)": (first, first, 200),
        "LFW, all others, 200 people": (rest, rest, 200),
        "many, 50 people, strangers of LFW": (others, rest, 50),
    }
    result = {}
    for name, (enrolled, strangers, people) in galleries.items():
        result[name] = study(enrolled, strangers, people)
        print(name, result[name], flush=True)
    record("crowded_regions", {"rate": RATE, "runs": RUNS, "factors": FACTORS, "galleries": result})


def study(enrolled: Faces, others: Faces, people: int) -> dict[str, Any]:
    """Names given in all runs, right and wrong, and how many of them each factor calls unsure."""
    right, wrong = [np.zeros(0)], [np.zeros(0)]
    asked = 0
    for seed in range(RUNS):
        found = asked_about(enrolled, others, people, np.random.default_rng(seed))
        if found is None:
            continue
        nearness, is_right, count = found
        right.append(nearness[is_right])
        wrong.append(nearness[~is_right])
        asked += count
    rights, wrongs = np.concatenate(right), np.concatenate(wrong)
    return {
        "asked": asked,
        "right": len(rights),
        "wrong": len(wrongs),
        "unsure": [
            {
                "factor": factor,
                "right": int((rights <= factor).sum()),
                "wrong": int((wrongs <= factor).sum()),
            }
            for factor in FACTORS
        ],
    }


def asked_about(
    enrolled: Faces, others: Faces, people: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_], int] | None:
    """Of each name given: the next person's distance by the threshold, and whether it is right; and
    how many faces were asked about. None where too little is known to learn from."""
    vectors, names = enrolled
    sizes = np.bincount(names)
    chosen = rng.permutation(np.flatnonzero(sizes > ENROLLED))[:people]
    rows = [rng.permutation(np.flatnonzero(names == person)) for person in chosen]
    template = np.concatenate([each[:ENROLLED] for each in rows])
    labels = np.repeat(np.arange(len(chosen)), ENROLLED)
    groups = VectorGroups(np.ascontiguousarray(vectors[template]), labels, RULE)
    probes = np.concatenate([each[ENROLLED : 2 * ENROLLED] for each in rows])
    whose = np.concatenate(
        [np.full(len(each[ENROLLED : 2 * ENROLLED]), row) for row, each in enumerate(rows)]
    )
    order = rng.permutation(len(others[1]))
    if others[1] is names:
        order = order[~np.isin(others[1][order], chosen)]
    _, one = np.unique(others[1][order], return_index=True)
    single = rng.permutation(order[one])
    unnamed, strangers = single[:UNNAMED], single[UNNAMED:]
    samples = [
        search_each_other(np.ascontiguousarray(vectors[template]), labels, RULE),
        search_strangers(groups, others[0][unnamed], np.arange(len(unnamed)), LIMITS.cluster),
    ]
    try:
        threshold = open_set_threshold(samples, len(chosen), RATE).threshold
    except TooFewImpostorsError:
        return None
    asked = np.concatenate([vectors[probes], others[0][strangers]])
    truth = np.concatenate([whose, np.full(len(strangers), -1)])
    nearest = groups.nearest_two(np.ascontiguousarray(asked))
    named = nearest.distances[:, 0] <= threshold
    nearness = nearest.distances[named, 1].astype(np.float64) / threshold
    return nearness, nearest.groups[named, 0] == truth[named], len(asked)


if __name__ == "__main__":
    main()
