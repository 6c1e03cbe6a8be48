"""Write the figures of README.md and pages of docs from the committed results.

    python -m benchmarks.figures.make_docs

Text between ``<!-- figures: NAME -->`` and ``<!-- end -->`` is replaced; a test holds the pages
equal to what this makes, so no figure can be written by hand.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.markdown import measured_on, result, table
from benchmarks.figures import accuracy as evaluated
from benchmarks.figures import clusters, faces, indices, networks, people, speed, training

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    ROOT / name
    for name in (
        "README.md",
        "docs/encoders.md",
        "docs/networks.md",
        "docs/performance.md",
        "docs/report.md",
        "docs/training.md",
        "docs/model_card.md",
    )
)


def summary() -> str:
    """The README's table."""
    album, lfw, found = result("album"), result("lfw")["results"], result("detection")
    encoder, kill = result("encoder"), result("kill")
    quality = album["quality"]
    ours, peer = quality["ours, agglomerative"], quality["face_recognition, chinese whispers 0.5"]
    recalls = {
        name: " / ".join(f"{value:.3f}" for value in each["recall"].values())
        for name, each in found["quality"].items()
    }
    speeds = found["photos_per_second_one_core"]
    detector, facenet = "facesearch MTCNN, min face 20", "facenet-pytorch, min face 20"
    detector, facenet = _name(recalls, detector), _name(recalls, facenet)
    default, dlib = lfw["int8 + flip"], lfw["dlib-hog"]
    ways = encoder["threads_1"]["dlib-resnet-v1"]
    rows = [
        [
            f"photos to gallery, {album['photos']} photos in the wild, {album['cores']} cores",
            f"{_median(album['ours_photos_per_second']):.1f} photos/s",
            f"face_recognition: {_median(album['peer_photos_per_second']):.1f} photos/s",
        ],
        [
            "grouping those photos: pairwise F, BCubed F",
            f"{ours['pairwise_f']:.3f}, {ours['bcubed_f']:.3f}",
            f"face_recognition: {peer['pairwise_f']:.3f}, {peer['bcubed_f']:.3f}",
        ],
        [
            "detection recall, 100 photos of WIDER FACE: easy / medium / hard",
            recalls[detector],
            f"facenet-pytorch: {recalls[facenet]}",
        ],
        [
            "detection, faces from 20 pixels, one core",
            f"{_median(speeds[detector]['wall']):.1f} photos/s",
            f"facenet-pytorch: {_median(speeds[facenet]['wall']):.1f} photos/s",
        ],
        [
            "LFW View 2 accuracy (deep-funneled photos)",
            evaluated.accuracy(default),
            f"dlib, HOG: {evaluated.accuracy(dlib)}",
        ],
        [
            "LFW View 2 TAR at FAR 0.001",
            evaluated.tar_at(default, "0.001"),
            f"dlib, HOG: {evaluated.tar_at(dlib, '0.001')}",
        ],
        [
            "encoder, one core",
            f"{networks.speed_of(ways['OpenVINO int8']):.0f} faces/s",
            f"dlib: {networks.speed_of(ways['dlib, one by one']):.0f} faces/s",
        ],
        *_at_scale(),
        [
            f"job of {kill['photos']} photos killed {kill['kills']} times and resumed",
            "every row and vector the same" if kill["equal"] else f"{kill['differences']}",
            "",
        ],
    ]
    return table(("", "facesearch", "peer, same run"), rows)


def _at_scale() -> list[list[str]]:
    """A million faces: searched exactly and nearly, and grouped."""
    ways = result("presets")["runs"]["1000000"]["ways"]
    exact, flat = ways["certified exact"][0], ways["faiss IndexFlatL2"][0]
    near, graph = (indices.chosen(ways[name]) for name in (indices.BEST, "hnswlib"))
    grouped = result("clustering_scale")
    ours = next(each for each in grouped["ours"] if each["faces"] == 1_000_000)
    *_, done, died = grouped["peers"]["fast_hdbscan"]
    return [
        [
            "a million faces, exact search, batches of 1,000",
            f"{exact['queries_per_second']:,.0f} queries/s",
            f"faiss IndexFlatL2: {flat['queries_per_second']:,.0f} queries/s",
        ],
        [
            "the same, nearly exact: recall@1, memory a face",
            f"{near['queries_per_second']:,.0f} queries/s, {near['recall_at_1']:.3f}, "
            f"{near['bytes_each']:.0f} bytes",
            f"hnswlib: {graph['queries_per_second']:,.0f} queries/s, {graph['recall_at_1']:.3f}, "
            f"{graph['bytes_each']:.0f} bytes",
        ],
        [
            "a million faces into people",
            f"{evaluated.grouping_seconds(ours):.0f} s, {ours['peak_mib'] / 1024:.1f} GiB, "
            f"pairwise precision {ours['at_threshold']['pairwise_precision']:.3f}",
            f"fast_hdbscan: {died['died']}; {done['faces']:,} in {done['seconds']:.0f} s with a "
            f"pairwise precision of {done['scores']['pairwise_precision']:.3f}",
        ],
    ]


def _name(names: dict[str, str], wanted: str) -> str:
    """The detector whose recorded name has all words of ``wanted``."""
    words = wanted.replace(",", "").lower().split()
    return next(name for name in names if all(word in name.lower() for word in words))


def album() -> str:
    """Grouping quality of every method on the album."""
    rows = [
        [
            name,
            *(f"{each[key]:.3f}" for key in ("pairwise_precision", "pairwise_recall")),
            *(f"{each[key]:.3f}" for key in ("pairwise_f", "bcubed_f")),
            f"{each['photos_without_face']:.0f}",
        ]
        for name, each in result("album")["quality"].items()
    ]
    header = ("", "precision", "recall", "pairwise F", "BCubed F", "photos without a face")
    return table(header, rows)


def album_speed() -> str:
    """Photos a second of every round."""
    data = result("album")
    sides = {
        "`facesearch index`, whole process": "ours_photos_per_second",
        "face_recognition, start-up left out": "peer_photos_per_second",
    }
    rows = [
        [name, f"{_median(data[key]):.2f}", ", ".join(f"{rate:.2f}" for rate in data[key])]
        for name, key in sides.items()
    ]
    return table(("", "photos/s, median", "rounds"), rows) + f"\n\nRatio: {data['ratio']:.1f}."


def detection() -> str:
    """Recall and speed of every detector."""
    data = result("detection")
    speeds = data["photos_per_second_one_core"]
    rows = [
        [
            name,
            *(f"{recall:.3f}" for recall in each["recall"].values()),
            f"{each['false']} of {each['detections']}",
            f"{_median(speeds[name]['wall']):.1f}",
        ]
        for name, each in data["quality"].items()
    ]
    ratios = ", ".join(
        f"{name}: {ratio['wall']:.1f}" for name, ratio in data["speed_over_facenet_pytorch"].items()
    )
    header = ("", "easy", "medium", "hard", "false", "photos/s, one core")
    return table(header, rows) + f"\n\nSpeed over facenet-pytorch, {ratios}."


def exact_search() -> str:
    """Queries a second of exact search, every way that was measured."""
    runs = result("exact_search")["runs"]
    rows = []
    for run in runs.values():
        ways = list(dict.fromkeys(way for each in run["batches"].values() for way in each))
        for way in ways:
            speeds = (each.get(way) for each in run["batches"].values())
            rows.append(
                [
                    f"{run['count']:,} x {run['dimension']}, {run['threads']} threads: {way}",
                    *(f"{each['queries_per_second']:,.0f}" if each else "" for each in speeds),
                ]
            )
    first = next(iter(runs.values()))
    header = (f"queries/s, k = {first['neighbours']}", *(f"batch of {b}" for b in first["batches"]))
    ratios = ", ".join(
        f"{run['count']:,} x {run['dimension']}, {run['threads']} threads: {_over_faiss(run):.1f}"
        for run in runs.values()
    )
    equal = all(run["equal_ids"] and run["equal_distances"] for run in runs.values())
    return table(header, rows) + (
        "\n\nIds and distances are "
        + ("those of the oracle, every one" if equal else "NOT those of the oracle")
        + f". At batches of 1,000, over the better of IndexFlatL2 and IndexFlatIP, {ratios}."
    )


def _over_faiss(run: Any) -> float:
    ways = run["batches"]["1000"]
    faiss = max(each["queries_per_second"] for way, each in ways.items() if "faiss" in way)
    return float(ways["certified"]["queries_per_second"] / faiss)


def machine() -> str:
    """Where the figures hold."""
    data = result("album")
    packages = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    return f"{measured_on(data)[:-1]}; {packages}."


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


FIGURES: dict[str, Callable[[], str]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        summary,
        machine,
        album,
        album_speed,
        detection,
        faces.encoders,
        faces.detectors,
        faces.turned,
        evaluated.lfw,
        evaluated.view2,
        evaluated.quality,
        evaluated.poor_faces,
        evaluated.all_pairs,
        evaluated.identification,
        evaluated.clustering,
        evaluated.robustness_face,
        evaluated.robustness_photo,
        evaluated.identity_rates,
        evaluated.clustering_peers,
        evaluated.clustering_scale,
        clusters.cluster_rules,
        clusters.cluster_rules_retail,
        clusters.cluster_stability,
        clusters.cluster_poor_faces,
        evaluated.cluster_threshold,
        people.incremental,
        people.decisions,
        people.suggestions,
        people.report_speed,
        speed.end_to_end,
        speed.pipeline,
        speed.peaks,
        speed.gallery_state,
        networks.encoder,
        networks.downloads,
        networks.parity,
        networks.alignment,
        exact_search,
        indices.presets,
        indices.scale,
        networks.networks,
        networks.networks_disagreements,
        training.training_from_scratch,
        training.training_compatible,
        training.training_speed,
        training.facenet_small_sources,
        training.facenet_small_curve,
        training.facenet_small_judged,
    )
}


def filled(page: str) -> str:
    """``page`` with every block of figures renewed."""
    return re.sub(
        r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{FIGURES[match[2]]()}\n{match[3]}",
        page,
        flags=re.DOTALL,
    )


def main() -> None:
    for path in PAGES:
        path.write_text(filled(path.read_text()))


if __name__ == "__main__":
    main()
