"""Suggestions: probabilities fitted on some people, and what the first ones are worth on others.

    python -m benchmarks.clustering.suggestions --choose LFW.npz [--report ALBUM.npz]

Files are those of ``benchmarks/common/labelled_vectors.py``. The people of ``--choose`` are split
as ``benchmarks/clustering/quality.py`` splits them. On galleries drawn from the first half,
clustered at several thresholds, the three logistic functions of
``cluster/review/review_suggestions.py`` are fitted; their constants are printed. What is in the
code is measured on galleries of the second half and on ``--report``, clustered at the encoder's
default.

A cluster's person is the one most of its faces show. A merge is right where both clusters have
one person, a mixture where its two parts have two, a face is wrong where it shows another person
than its cluster has.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.clustering.quality import Labels, album_like, drawn, load
from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from cluster.constraints import Constraints
from cluster.labels import ordered_labels
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.review import review_suggestions
from cluster.review.membership import clusters_of, membership_of
from cluster.review.review_suggestions import Logistic, suggest
from cluster.review.silhouette import silhouette_confidence
from facesearch.encoders import encoder_spec

# What benchmarks/common/labelled_vectors.py embeds with: a gallery of such vectors is clustered at
# SCALE.
ENCODER = "dlib-resnet-v1"
FLIP = True
SCALE = encoder_spec(ENCODER).thresholds(FLIP).cluster
RELATIVE_THRESHOLDS = (0.7, 0.85, 1.0, 1.15, 1.3)  # of the encoder's, for fitting
# For measuring: the encoder's threshold, and a tighter one as large galleries want.
CUTS = {"encoder's threshold": 1.0, "0.7 of it": 0.7}
TOPS = (10, 25, 50, 100)
SEED = 0
MADE_CLUSTERS = (10_000, 100_000)


@dataclass(frozen=True)
class Examples:
    """Features float64 (p, w) of one kind, and whether each is so, bool (p,)."""

    features: NDArray[np.float64]
    truth: NDArray[np.bool_]


def main() -> None:
    """Fit, measure, time, record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--choose", type=Path, required=True)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--times", action="store_true", help="also time on made clusters")
    parser.add_argument("--note", default="", help="what the vectors are; kept in the result")
    args = parser.parse_args()
    vectors, truth = load(args.choose)
    rng = np.random.default_rng(SEED)
    first = rng.random(truth.max() + 1) < 0.5
    fitted = fit(vectors, truth, np.flatnonzero(first), SCALE, rng)
    for name, model in fitted.items():
        weights = ", ".join(f"{weight:.3f}" for weight in model.weights)
        print(f"{name} = Logistic({model.intercept:.3f}, ({weights}))")
    others = np.flatnonzero(~first)
    galleries = {
        f"other half, {name} people": rows for name, rows in drawn(truth, others, rng).items()
    }
    galleries["other half, album-like"] = album_like(truth, others, rng)
    result: dict[str, Any] = {
        "note": args.note,
        "seed": SEED,
        "faces": len(truth),
        "people": int(truth.max()) + 1,
        "threshold": SCALE,
        "fitted": {name: [each.intercept, *each.weights] for name, each in fitted.items()},
        "galleries": {
            name: measure([(vectors[each], truth[each]) for each in rows], SCALE)
            for name, rows in galleries.items()
        },
    }
    if args.report:
        result["galleries"]["report"] = measure([load(args.report)], SCALE)
    if args.times:
        result["seconds_of_made_clusters"] = {str(count): seconds(count) for count in MADE_CLUSTERS}
    print(json.dumps(result, indent=2))
    print(f"recorded in {record('suggestions', result)}")


def fit(
    vectors: NDArray[np.float32],
    truth: Labels,
    people: NDArray[np.intp],
    scale: float,
    rng: np.random.Generator,
) -> dict[str, Logistic]:
    """The three functions, from galleries of ``people`` clustered at several thresholds."""
    galleries = [*drawn(truth, people, rng).values(), album_like(truth, people, rng)]
    found: dict[str, list[Examples]] = {}
    for rows in (each for several in galleries for each in several):
        for relative in RELATIVE_THRESHOLDS:
            labels = clustered(vectors[rows], relative * scale)
            for name, each in examples(vectors[rows], truth[rows], labels, scale).items():
                found.setdefault(name, []).append(each)
    return {name: fitted_to(each) for name, each in found.items()}


def clustered(vectors: NDArray[np.float32], threshold: float) -> NDArray[np.int32]:
    """Labels by average linkage cut at ``threshold``."""
    groups = cut(average_linkage(vectors, threshold), len(vectors), threshold)
    return ordered_labels(np.arange(len(vectors)), groups)


def examples(
    vectors: NDArray[np.float32], truth: Labels, labels: NDArray[np.int32], scale: float
) -> dict[str, Examples]:
    """What the code sees of a clustered gallery, by the name of the function, with the truth."""
    clusters = clusters_of(vectors, labels)
    people = person_of(truth, labels)
    pairs = review_suggestions.candidates(labels, clusters, Constraints())
    half_labels, split = review_suggestions.parted(vectors, labels)
    halves = clusters_of(vectors, half_labels, near=0)
    half_people = person_of(truth, half_labels)
    wrong = review_suggestions.wrong_features(
        membership_of(vectors, labels, clusters), labels, clusters, scale
    )
    known = ~np.isnan(wrong).any(axis=1)
    found = {"WRONG": Examples(wrong[known], (truth != people[labels])[known])}
    if len(pairs):
        features = review_suggestions.same_features(clusters, pairs, scale)
        found["SAME"] = Examples(features, people[pairs[:, 0]] == people[pairs[:, 1]])
    if len(split):
        features = review_suggestions.mixed_features(halves, len(people), scale)
        found["MIXED"] = Examples(features, half_people[::2] != half_people[1::2])
    return found


def person_of(truth: Labels, labels: NDArray[np.int32]) -> Labels:
    """The person of each cluster: the one most of its faces show, the first of several."""
    kept = labels >= 0
    if not kept.any():
        return np.zeros(0, np.int64)
    keys, counts = np.unique(
        np.column_stack([labels[kept], truth[kept]]), axis=0, return_counts=True
    )
    order = np.lexsort((-counts, keys[:, 0]))
    first = np.flatnonzero(np.diff(keys[order, 0], prepend=-1))
    people: Labels = keys[order[first], 1]
    return people


def fitted_to(parts: Iterable[Examples]) -> Logistic:
    """The logistic function of greatest likelihood."""
    parts = list(parts)
    features = np.concatenate([each.features for each in parts])
    truth = np.concatenate([each.truth for each in parts])
    model = LogisticRegression(C=1e4, max_iter=2000).fit(features, truth)
    return Logistic(float(model.intercept_[0]), tuple(model.coef_[0].tolist()))


def measure(galleries: list[tuple[NDArray[np.float32], Labels]], scale: float) -> dict[str, Any]:
    """How many of the first suggestions are right, in the mean over ``galleries``, for each cut."""
    return {
        name: mean_of([measured(*gallery, relative * scale, scale) for gallery in galleries])
        for name, relative in CUTS.items()
    }


def measured(
    vectors: NDArray[np.float32], truth: Labels, threshold: float, scale: float
) -> dict[str, Any]:
    """The figures of one gallery, clustered at ``threshold``."""
    labels = clustered(vectors, threshold)
    people = person_of(truth, labels)
    found = suggest(vectors, labels, scale)
    merges = np.array([people[each.one] == people[each.two] for each in found.merges], bool)
    mixtures = np.array([mixed(truth, labels, each) for each in found.mixtures], bool)
    known = ~np.isnan(found.doubt)
    wrong = (truth != people[labels])[known]
    measures = {
        "1 - confidence": 1 - silhouette_confidence(vectors, labels, scale)[known],
        "to the others": found.belonging.within[known],
        "to the direction of the others' mean": found.belonging.towards[known],
        "-margin": -np.nan_to_num(found.belonging.margin[known], nan=2.0),
        "doubt": found.doubt[known],
    }
    return {
        "faces": len(truth),
        "clusters": len(people),
        "right_merges_of_first": first_right(merges),
        "right_mixtures_of_first": first_right(mixtures),
        "merges": about(merges, [each.probability for each in found.merges]),
        "mixtures": about(mixtures, [each.probability for each in found.mixtures]),
        "wrong_faces": {
            "count": int(wrong.sum()),
            "expected": float(found.doubt[known].sum()),
            "auc": {name: float(roc_auc_score(wrong, values)) for name, values in measures.items()}
            if 0 < wrong.sum() < len(wrong)
            else None,
        },
        "shares_of_right_faces": shares(truth, labels, found.quality),
    }


def shares(
    truth: Labels, labels: NDArray[np.int32], stated: NDArray[np.float32]
) -> dict[str, dict[str, float]]:
    """Of clusters of one person, of two and of more: the mean share of faces that are right, the
    one that is ``told`` (k,), and how far that is off in the mean."""
    kept = labels >= 0
    table = np.zeros((len(stated), int(truth.max()) + 1), np.int64)
    np.add.at(table, (labels[kept], truth[kept]), 1)
    right, people = table.max(axis=1) / table.sum(axis=1), (table > 0).sum(axis=1)
    kinds = {"of one": people == 1, "of two": people == 2, "of more": people > 2}
    known = ~np.isnan(stated)
    return {
        name: {
            "clusters": int((kind & known).sum()),
            "right": float(right[kind & known].mean()),
            "told": float(stated[kind & known].mean()),
            "off": float(np.abs(stated - right)[kind & known].mean()),
        }
        for name, kind in kinds.items()
        if (kind & known).any()
    }


def mixed(
    truth: Labels, labels: NDArray[np.int32], mixture: review_suggestions.MixtureSuggestion
) -> bool:
    """Whether the parts of ``mixture`` are of two people."""
    rest = np.setdiff1d(np.flatnonzero(labels == mixture.label), mixture.rows)
    one, two = (np.bincount(truth[rows]).argmax() for rows in (mixture.rows, rest))
    return bool(one != two)


def first_right(right: NDArray[np.bool_]) -> dict[str, float]:
    """The share that is right among the first so many, where there are as many."""
    return {str(top): float(right[:top].mean()) for top in TOPS if len(right) >= top}


def about(right: NDArray[np.bool_], probabilities: list[float]) -> dict[str, float]:
    """How many are suggested, are right, and were expected to be."""
    return {"count": len(right), "right": int(right.sum()), "expected": float(sum(probabilities))}


def mean_of(parts: list[Any]) -> Any:
    """The mean of equal structures of numbers, leaf by leaf; of what is there, where some lack."""
    known = [each for each in parts if each is not None]
    if known and isinstance(known[0], dict):
        names = dict.fromkeys(name for each in known for name in each)
        return {name: mean_of([each[name] for each in known if name in each]) for name in names}
    return round(float(np.mean(known)), 4) if known else None


def seconds(count: int) -> float:
    """Seconds to suggest for ``count`` made clusters of five vectors on average."""
    rng = np.random.default_rng(SEED)
    labels = rng.integers(0, count, 5 * count)
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    centres = rng.normal(size=(count, 128)).astype(np.float32)
    vectors = centres[labels] + 0.4 * rng.normal(size=(len(labels), 128)).astype(np.float32)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    started = time.perf_counter()
    suggest(vectors.astype(np.float32), labels, SCALE)
    return round(time.perf_counter() - started, 2)


if __name__ == "__main__":
    main()
