"""Real faces in groups: ours beside others', settings chosen on other people than those reported.

    python -m benchmarks.clustering.peers --lfw LFW.npz --album ALBUM.npz

Both files hold ``vectors`` and ``names`` (``benchmarks/common/labelled_vectors.py``). The people of
LFW are split in two halves; every method's setting is that of the greatest sum of pairwise and
BCubed F on the first, and the second and the album report. All methods get the same vectors, so
what differs is the grouping. ``face_recognition`` users run Chinese whispers at 0.5 or 0.6 on
descriptors that are not of unit length, so these are other distances; ``benchmarks/jobs/album.py``
runs it so.
"Photos kept apart" draws faces of strangers into made photos of three, for LFW has one a photo.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import SEED, Labels, load, scores
from benchmarks.clustering.scale import made_photos
from benchmarks.clustering.size_threshold import gallery_threshold
from benchmarks.common.record import record, versions
from cluster.agglomerative import agglomerative
from cluster.constraints import Constraints
from cluster.hdbscan_clustering import DensitySettings, hdbscan_clustering
from facesearch.clustering.options import REFINE
from facesearch.encoders import encoder_spec

Vectors = NDArray[np.float32]
# Squared distances for average linkage, distances for radii, as each is used.
THRESHOLDS = tuple(np.round(np.arange(0.10, 0.171, 0.01), 3).tolist())
RADII = tuple(np.round(np.arange(0.20, 0.361, 0.02), 3).tolist())
WHISPERS = (0.28, 0.3, 0.32, 0.34, 0.36, 0.4, 0.5, 0.6)
SIZES = tuple((size, samples) for size in (2, 3, 5) for samples in (1, 2, 3))


@dataclass(frozen=True)
class Method:
    """``group`` gives labels of vectors at a setting; ``usual`` ones are reported besides."""

    group: Callable[[Vectors, Any, Labels], Labels]
    settings: tuple[Any, ...]
    usual: tuple[Any, ...] = ()


def peer_threshold(vectors: Vectors) -> float:
    """As ``facesearch cluster`` has it by default."""
    album = encoder_spec("dlib-resnet-v1").thresholds(True).cluster
    found = gallery_threshold(vectors, album)
    return album if found is None else found


def ours(vectors: Vectors, threshold: float | None, truth: Labels) -> Labels:
    at = peer_threshold(vectors) if threshold is None else threshold
    return agglomerative(np.arange(len(vectors)), vectors, at).labels


def ours_apart(vectors: Vectors, threshold: float | None, truth: Labels) -> Labels:
    at = peer_threshold(vectors) if threshold is None else threshold
    photos = Constraints(made_photos(truth))
    return agglomerative(np.arange(len(vectors)), vectors, at, constraints=photos).labels


def ours_density(vectors: Vectors, samples: int, truth: Labels) -> Labels:
    return hdbscan_clustering(np.arange(len(vectors)), vectors, _refined(vectors, samples)).labels


def ours_density_apart(vectors: Vectors, samples: int, truth: Labels) -> Labels:
    return hdbscan_clustering(
        np.arange(len(vectors)),
        vectors,
        _refined(vectors, samples),
        constraints=Constraints(made_photos(truth)),
    ).labels


def _refined(vectors: Vectors, samples: int) -> DensitySettings:
    return DensitySettings(min_samples=samples, refine=REFINE * peer_threshold(vectors))


def hdbscan(vectors: Vectors, setting: tuple[int, int], truth: Labels) -> Labels:
    from hdbscan import HDBSCAN

    size, samples = setting
    model = HDBSCAN(min_cluster_size=size, min_samples=samples, core_dist_n_jobs=1)
    return model.fit_predict(vectors.astype(np.float64))


def sklearn_average(vectors: Vectors, threshold: float, truth: Labels) -> Labels:
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics.pairwise import euclidean_distances

    model = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=threshold
    )
    return model.fit_predict(euclidean_distances(vectors, squared=True))


def dbscan(vectors: Vectors, radius: float, truth: Labels) -> Labels:
    from sklearn.cluster import DBSCAN

    return DBSCAN(eps=radius, min_samples=2).fit_predict(vectors)


def whispers(vectors: Vectors, threshold: float, truth: Labels) -> Labels:
    import dlib

    points = [dlib.vector(vector) for vector in vectors.astype(np.float64)]
    return np.array(dlib.chinese_whispers_clustering(points, threshold))


METHODS = {
    "ours, average linkage, the gallery's threshold": Method(ours, (None,)),
    "ours, average linkage, threshold chosen": Method(ours, THRESHOLDS),
    "ours, average linkage, photos kept apart": Method(ours_apart, (None,)),
    "ours, HDBSCAN refined": Method(ours_density, (1, 2)),
    "ours, HDBSCAN refined, photos kept apart": Method(ours_density_apart, (1, 2)),
    "hdbscan": Method(hdbscan, SIZES, ((5, 5),)),
    "scikit-learn, average linkage": Method(sklearn_average, THRESHOLDS),
    "scikit-learn, DBSCAN": Method(dbscan, RADII),
    "dlib, Chinese whispers": Method(whispers, WHISPERS),
}


def main() -> None:
    """Choose, report, record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--album", type=Path, required=True)
    parser.add_argument("--most", type=int, help="people of LFW, to try the script with")
    args = parser.parse_args()
    vectors, truth = load(args.lfw)
    if args.most:
        vectors, truth = vectors[truth < args.most], truth[truth < args.most]
    first = np.random.default_rng(SEED).random(truth.max() + 1) < 0.5
    several = np.bincount(truth) > 1
    choosing = (vectors[first[truth]], truth[first[truth]])
    reported = {
        "LFW, the other half": ~first[truth],
        "LFW, the other half, people of two or more": (~first & several)[truth],
        "LFW, all": np.ones(len(truth), np.bool_),
        "LFW, all people of two or more": several[truth],
    }
    galleries = {name: (vectors[rows], truth[rows]) for name, rows in reported.items()}
    galleries["album"] = load(args.album)
    result: dict[str, Any] = {
        "seed": SEED,
        "packages": versions(("scikit-learn", "hdbscan", "dlib-bin", "scipy")),
        "galleries": {
            name: {"faces": len(people), "people": len(np.unique(people))}
            for name, (_, people) in galleries.items()
        },
        "methods": {name: study(name, method, choosing, galleries) for name, method in
                    METHODS.items()},
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    print(f"recorded in {record('clustering_peers', result)}")


def study(
    name: str,
    method: Method,
    choosing: tuple[Vectors, Labels],
    galleries: dict[str, tuple[Vectors, Labels]],
) -> dict[str, Any]:
    """The setting chosen, and the scores of it and of the usual ones on each gallery."""
    chosen = method.settings[0]
    if len(method.settings) > 1:
        sums = [_sum(method, choosing, setting) for setting in method.settings]
        chosen = method.settings[int(np.argmax(sums))]
    print(f"{name}: {chosen}", flush=True)
    settings = {"chosen": chosen} | {f"usual, {usual}": usual for usual in method.usual}
    return {
        "chosen": chosen,
        "scores": {
            label: {
                gallery: scores(truth, method.group(vectors, setting, truth))
                for gallery, (vectors, truth) in galleries.items()
            }
            for label, setting in settings.items()
        },
    }


def _sum(method: Method, choosing: tuple[Vectors, Labels], setting: Any) -> float:
    vectors, truth = choosing
    found = scores(truth, method.group(vectors, setting, truth))
    return found["pairwise_f"] + found["bcubed_f"]


if __name__ == "__main__":
    main()
