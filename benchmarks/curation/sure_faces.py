"""Which faces may a name confirm: how often is a face right, by its confidence in its group?

    python -m benchmarks.curation.sure_faces --choose LFW.npz --lfw LFW_FOLDER NAME=FACES.npz ...

Files hold ``vectors`` and ``names`` of main faces, that of ``--choose`` also ``paths``. The
confidence was chosen on the people of LFW's View 1 and is reported on all others: the people of LFW
that View 1 does not have, and other sets. A face is right that shows whom most of its group show.
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
from facesearch.curation.editor import SURE
from facesearch.encoders import encoder_spec

LEVELS = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
LIMIT = encoder_spec("dlib-resnet-v1").thresholds(True).cluster


def main() -> None:
    """Measure each set and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--choose", type=Path, required=True, metavar="LFW.npz")
    parser.add_argument("--lfw", type=Path, required=True, help="folder with the lists of View 1")
    parser.add_argument("sets", nargs="*", metavar="NAME=FILE")
    args = parser.parse_args()
    data = np.load(args.choose)
    chosen = np.isin([path.partition("/")[0] for path in data["paths"].tolist()], view1(args.lfw))
    sets = {
        "LFW View 1 (chosen on)": (data["vectors"][chosen], data["names"][chosen]),
        "LFW, all others": (data["vectors"][~chosen], data["names"][~chosen]),
    }
    for name, _, path in (each.partition("=") for each in args.sets):
        found = np.load(path)
        sets[name] = (found["vectors"], found["names"])
    result: dict[str, Any] = {"sure": SURE, "levels": LEVELS, "sets": {}}
    for name, (vectors, names) in sets.items():
        result["sets"][name] = study(vectors.astype(np.float32), names)
        print(name, result["sets"][name], flush=True)
    record("sure_faces", result)


def view1(folder: Path) -> list[str]:
    """The people of LFW's View 1."""
    people: set[str] = set()
    for name in ("pairsDevTrain.txt", "pairsDevTest.txt"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines()[1:]:
            parts = line.split("\t")
            people |= {parts[0], *(parts[2:3] if len(parts) == 4 else ())}
    return sorted(people)


def study(vectors: NDArray[np.float32], names: NDArray[Any]) -> dict[str, Any]:
    """Of the faces in groups of two or more: how many reach each level, and are right there."""
    truth = np.unique(names, return_inverse=True)[1]
    learnt = adaptive_merges(vectors, LIMIT)
    if learnt is None:
        raise SystemExit("too few faces or people")
    alone = learnt.rule.distance(1, 1)
    found = clusters_at(np.arange(len(vectors)), vectors, learnt.dendrogram, 0.0, alone=alone)
    right = np.zeros(len(vectors), np.bool_)
    for label in range(found.count):
        rows = np.flatnonzero(found.labels == label)
        right[rows] = truth[rows] == np.bincount(truth[rows]).argmax()
    grouped = np.bincount(found.labels)[found.labels] > 1
    levels = []
    for level in LEVELS:
        sure = grouped & (found.confidence >= level)
        unsure = grouped & ~sure
        levels.append(
            {
                "from": level,
                "share": round(float(sure.sum() / grouped.sum()), 4),
                "right": round(float(right[sure].mean()), 4),
                "right_below": round(float(right[unsure].mean()), 4) if unsure.any() else None,
                "wrong": int((sure & ~right).sum()),
            }
        )
    return {
        "faces": int(grouped.sum()),
        "right": round(float(right[grouped].mean()), 4),
        "wrong": int((grouped & ~right).sum()),
        "levels": levels,
    }


if __name__ == "__main__":
    main()
