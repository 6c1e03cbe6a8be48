"""The quality score: fitted, and judged beside what one might have used in its place.

    python -m benchmarks.recognition.quality_score fit --cache DIR
    python -m benchmarks.recognition.quality_score report --cache DIR --album PHOTOS --truth
    identities.csv

``fit`` prints the models for :mod:`facesearch.quality`: "recognised" fitted to LFW View 1, whose
photos are taken as they are and degraded (target: the share of the other View 1 photos of the same
person that are within the encoder's verification threshold), "face" to the 60 photos of WIDER FACE
that nothing is reported on. ``report`` judges the models in force on LFW View 2, the other 100
photos of WIDER FACE and an album:

- Error versus discard: as the pairs of the poorest photos are left out (a pair is as poor as its
  poorer photo), how the rate of false non-matches falls at the threshold that gave FAR 0.001 with
  all pairs. The second photo of each pair is taken as it is, and degraded in seven ways, two of
  which the models were not fitted to. Of the ideal, the pairs left out are all false non-matches.
- The detector's false finds against its true ones.
- Groups with poor faces taking part and not. The least quality was chosen on View 1.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from benchmarks.jobs.album import our_quality, read_truth
from benchmarks.recognition.quality_data import (
    DATA,
    RatedFaces,
    load_faces,
    photos_of,
    view1_pairs,
    view2_pairs,
)
from benchmarks.recognition.quality_fit import fit
from cluster.agglomerative import agglomerative
from cluster.attach_outliers import attach
from cluster.metrics import bcubed_scores, pairwise_scores
from facesearch.encoders import encoder_spec
from facesearch.engine import EncoderChoice, create_engine
from facesearch.evaluate.verification import area_under_roc, threshold_at_far
from facesearch.quality import MIN_QUALITY, QualityModel, quality_model, sharpness_and_noise

ENCODER, DETECTOR = "dlib-resnet-v1", "yunet"
PIXELS = ("size", "sharpness", "silence", "yaw", "pitch", "upright")
KINDS = {
    "UNSCORED": PIXELS,
    "SCORED": (*PIXELS, "certainty"),
    "SCORED_AND_NORMED": (*PIXELS, "certainty", "norm"),
}
FAR = 1e-3
DISCARDED = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
LEAST = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
SEED = 0


def run_fit(args: argparse.Namespace) -> None:
    """Print the models of a detector and an encoder."""
    sets = Sets(args.cache, args.detector, args.encoder)
    clean, found = sets["view1"], sets["wider-fitted"]
    fitted = [clean, sets["view1-degraded"], sets["view1-turned"]]
    mates = _mates(clean)
    threshold = encoder_spec(args.encoder).flipped.verification
    rows, targets = zip(*(_targets(each, clean, mates, threshold) for each in fitted), strict=True)
    parts = [each.components() for each in fitted]
    joined = {
        name: np.concatenate([part[name][row] for part, row in zip(parts, rows, strict=True)])
        for name in parts[0]
    }
    for kind, names in KINDS.items():
        print(f"{kind} = QualityModel(")
        scored = [name for name in names if name in ("certainty", "norm", "upright")]
        judged = found.components()
        face = fit(judged, scored, found.real.astype(np.float64)) if len(scored) > 1 else None
        print(f"    face={face},")
        print(f"    recognised={fit(joined, names, np.concatenate(targets))},\n)")
    turned = sets["view1-turned"].components()
    for kind, names in KINDS.items():
        model = QualityModel(None, fit(joined, names, np.concatenate(targets)))
        share = (model.quality(turned) < MIN_QUALITY).mean()
        print(f"{kind}: {share:.3f} of turned faces are below {MIN_QUALITY}")


def run_report(args: argparse.Namespace) -> None:
    """Judge the models in force and record it."""
    sets = Sets(args.cache)
    view2 = photos_of([view2_pairs()])
    result = {
        "data": "LFW View 2 (deep-funneled), 100 photos of WIDER FACE, 675 photos of an album",
        "settings": {"far": FAR, "discarded": DISCARDED, "min_quality": MIN_QUALITY, "seed": SEED},
        "faces": {name: len(sets[name]) for name in ("lfw", "view2-degraded", "wider-reported")},
        "error_versus_discard": {
            name: error_versus_discard(sets["lfw"], sets[name])
            for name in ("lfw", "view2-degraded")
        },
        "false_finds": false_finds(sets["wider-reported"]),
        "groups_of_view2_half_degraded": groups(sets, view2, "view2-degraded", (0.0, MIN_QUALITY)),
        "groups_of_wider": wider_groups(sets["wider-reported"]),
        "album": album(args.album, args.truth),
        "milliseconds_a_chip": milliseconds_a_chip(),
    }
    print(json.dumps(result, indent=2))
    print(record("quality", result))


class Sets:
    """Sets of faces by name, each loaded once and embedded where the cache has it not."""

    def __init__(self, cache: Path, detector: str = DETECTOR, encoder: str = ENCODER) -> None:
        engine: Any = functools.cache(lambda: create_engine(detector, EncoderChoice(encoder)))
        cache = cache / f"{detector}-{encoder}"
        self._load = functools.cache(lambda name: load_faces(name, cache, engine))

    def __getitem__(self, name: str) -> RatedFaces:
        return self._load(name)


def _model() -> QualityModel:
    return quality_model(f"{DETECTOR}-", ENCODER)


def _mates(clean: RatedFaces) -> dict[str, list[int]]:
    """Rows of each person's photos of View 1."""
    view1 = set(photos_of(view1_pairs()))
    mates: dict[str, list[int]] = {}
    for row, name in enumerate(clean.names.tolist()):
        if name in view1:
            mates.setdefault(_person(name), []).append(row)
    return mates


def _targets(
    faces: RatedFaces, clean: RatedFaces, mates: dict[str, list[int]], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows of ``faces`` with a mate, and the share of their mates that are recognised in them."""
    view1 = set(photos_of(view1_pairs()))
    rows, targets = [], []
    for row, name in enumerate(faces.names.tolist()):
        others = [mate for mate in mates.get(_person(name), []) if clean.names[mate] != name]
        if others and name in view1:
            distances = 2 - 2 * clean.vectors[others] @ faces.vectors[row]
            rows.append(row)
            targets.append(float((distances <= threshold).mean()))
    return np.array(rows), np.array(targets)


def _person(name: str) -> str:
    return name.partition("/")[0]


def baselines(faces: RatedFaces) -> dict[str, NDArray[Any]]:
    """What could serve as a quality: ours, single components, and chance."""
    parts, model = faces.components(), _model()
    generator = np.random.default_rng(SEED)
    return {
        "quality": model.quality(parts),
        "without score and norm": quality_model("another", "another").quality(parts),
        "detection score": faces.scores,
        "pixels between the eyes": parts["size"],
        "sharpness": parts["sharpness"],
        "norm": parts["norm"],
        "random": generator.permutation(len(faces)),
    }


def error_versus_discard(first: RatedFaces, second: RatedFaces) -> dict[str, Any]:
    """The rate of false non-matches by the share of same pairs left out, for every measure."""
    pairs = view2_pairs()
    rows = first.rows(), second.rows()
    found = np.array(
        [a in rows[0] and b in rows[1] for a, b in zip(pairs.first, pairs.second, strict=True)]
    )
    sides = [
        np.array([row[name] for name, there in zip(names, found, strict=True) if there])
        for row, names in zip(rows, (pairs.first, pairs.second), strict=True)
    ]
    same = pairs.same[found]
    distances = 2 - 2 * np.einsum("ij,ij->i", first.vectors[sides[0]], second.vectors[sides[1]])
    threshold = threshold_at_far(distances, same, FAR)
    missed = (distances > threshold)[same]
    measures = baselines(first), baselines(second)
    curves = {}
    for name in measures[0]:
        worth = np.minimum(measures[0][name][sides[0]], measures[1][name][sides[1]])[same]
        curves[name] = _curve(missed[np.argsort(worth, kind="stable")])
    curves["ideal"] = _curve(np.sort(missed)[::-1])
    return {
        "pairs": len(same),
        "pairs_without_face": int((~found).sum()),
        "threshold": threshold,
        "false_non_match_rate": curves,
    }


def _curve(missed: NDArray[np.bool_]) -> dict[str, float]:
    """The rate after leaving out each share, the poorest first; and its mean up to a fifth."""
    kept = np.cumsum(missed[::-1])[::-1] / np.arange(len(missed), 0, -1)
    at = {str(share): round(float(kept[int(share * len(kept))]), 4) for share in DISCARDED}
    return at | {"mean to 0.2": round(float(kept[: len(kept) // 5].mean()), 4)}


def false_finds(faces: RatedFaces) -> dict[str, Any]:
    """How well each measure tells true finds from false ones, and what the least quality costs."""
    poor = _model().quality(faces.components()) < MIN_QUALITY
    areas = {
        name: round(area_under_roc(-np.asarray(worth, np.float64), faces.real), 4)
        for name, worth in baselines(faces).items()
    }
    return {
        "finds": len(faces),
        "false": int((~faces.real).sum()),
        "area_under_roc": areas,
        "false_below_min_quality": int((poor & ~faces.real).sum()),
        "true_below_min_quality": int((poor & faces.real).sum()),
    }


def groups(sets: Sets, names: list[str], degraded: str, least: tuple[float, ...]) -> dict[str, Any]:
    """Scores of the groups of photos, a half of which are replaced by degraded copies."""
    clean, worse = sets["lfw"], sets[degraded]
    rows, worse_rows = clean.rows(), worse.rows()
    generator = np.random.default_rng(SEED)
    swapped = {name for name in names if name in worse_rows and generator.random() < 0.5}
    kept = [name for name in names if name in rows]
    vectors = np.array(
        [
            worse.vectors[worse_rows[name]] if name in swapped else clean.vectors[rows[name]]
            for name in kept
        ]
    )
    model = _model()
    of_clean, of_worse = (model.quality(each.components()) for each in (clean, worse))
    quality = np.array(
        [of_worse[worse_rows[name]] if name in swapped else of_clean[rows[name]] for name in kept]
    )
    people = np.unique([_person(name) for name in kept], return_inverse=True)[1]
    return {
        "photos": len(kept),
        "degraded": len(swapped),
        "by_min_quality": {str(q): _group_scores(vectors, quality, people, q) for q in least},
    }


def _group_scores(
    vectors: NDArray[np.float32], quality: NDArray[Any], people: NDArray[Any], least: float
) -> dict[str, float]:
    labels = _grouped(vectors, quality, least)
    pairwise, bcubed = pairwise_scores(people, labels), bcubed_scores(people, labels)
    return {
        "below": int((quality < least).sum()),
        "noise": int((labels < 0).sum()),
        "pairwise_precision": round(pairwise.precision, 4),
        "pairwise_recall": round(pairwise.recall, 4),
        "pairwise_f": round(pairwise.f, 4),
        "bcubed_precision": round(bcubed.precision, 4),
        "bcubed_f": round(bcubed.f, 4),
    }


def _grouped(
    vectors: NDArray[np.float32], quality: NDArray[Any], least: float
) -> NDArray[np.int32]:
    """Labels int32 (n,) as ``facesearch cluster`` gives them."""
    ids, poor = np.arange(len(vectors)), quality < least
    defaults = encoder_spec(ENCODER).flipped
    formed = agglomerative(ids[~poor], vectors[~poor], defaults.cluster)
    near = min(defaults.cluster, defaults.identification)
    whole = attach(formed, vectors[~poor], ids[poor], vectors[poor], near)
    return np.asarray(whole.labels[np.argsort(whole.ids)])


def wider_groups(faces: RatedFaces) -> dict[str, Any]:
    """What becomes of true and false finds of crowded photos: alone, in a group, or noise."""
    quality = _model().quality(faces.components())
    result = {}
    for least in (0.0, MIN_QUALITY):
        labels = _grouped(faces.vectors, quality, least)
        sizes = np.bincount(labels[labels >= 0], minlength=1)[labels]
        fate = {"noise": labels < 0, "alone": (labels >= 0) & (sizes == 1)}
        fate["in groups"] = (labels >= 0) & (sizes > 1)
        result[f"min quality {least}"] = {
            name: {"true": int((rows & faces.real).sum()), "false": int((rows & ~faces.real).sum())}
            for name, rows in fate.items()
        }
    return result


def album(photos: Path, truth: Path) -> dict[str, Any]:
    """An album's groups by the commands a user runs, without and with the least quality."""
    command = [sys.executable, "-m", "facesearch.cli.main"]
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        gallery = Path(scratch) / "album.gallery"
        made = [*command, "index", str(photos), "--gallery", str(gallery), "--quiet"]
        subprocess.run(made, check=True, stdout=sys.stderr)
        for least in (0.0, MIN_QUALITY):
            done = subprocess.run(
                [*command, "cluster", str(gallery), "--min-quality", str(least), "--json"],
                check=True,
                capture_output=True,
            )
            facts = json.loads(done.stdout)
            (scores,) = our_quality(gallery, read_truth(truth)).values()
            Path(facts["file"]).unlink()
            counts = {key: facts[key] for key in ("groups", "groups_of_one", "noise")}
            result[f"min quality {least}"] = counts | scores
    return result


def milliseconds_a_chip() -> list[float]:
    """What measuring sharpness and noise costs on one thread, five times."""
    import cv2

    cv2.setNumThreads(1)
    chips = np.random.default_rng(SEED).integers(0, 256, (500, 150, 150, 3), np.uint8)
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        sharpness_and_noise(chips)
        spent.append(round((time.perf_counter() - start) / len(chips) * 1000, 4))
    return spent


def main() -> None:
    """Fit the models, or judge them."""
    parser = TimingParser(__doc__)
    commands = parser.add_subparsers(required=True)
    fitting, report = commands.add_parser("fit"), commands.add_parser("report")
    fitting.set_defaults(run=run_fit)
    report.set_defaults(run=run_report)
    report.add_argument("--album", type=Path, default=DATA / "album" / "photos")
    report.add_argument("--truth", type=Path, default=DATA / "album" / "identities.csv")
    for command in (fitting, report):
        command.add_argument("--detector", default=DETECTOR)
        command.add_argument("--encoder", default=ENCODER)
        command.add_argument("--cache", type=Path, required=True, help="outside the repository")
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
