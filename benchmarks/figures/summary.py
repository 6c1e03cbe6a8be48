"""The README's table of figures."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.markdown import result, table
from benchmarks.figures import accuracy as evaluated
from benchmarks.figures import indices

SHOWN = ("dlib-resnet-v1", "retail-0095")
PLACES = ("lfw", "many")


def summary() -> str:
    """The README's table."""
    album, encoders, found = result("album"), result("encoders")["runs"], result("detection")
    encoder, kill = result("encoder"), result("kill")
    quality = album["quality"]
    ours, peer = quality["ours, agglomerative"], quality["face_recognition, chinese whispers 0.5"]
    recalls = {
        name: " / ".join(f"{value:.3f}" for value in each["recall"].values())
        for name, each in found["quality"].items()
    }
    speeds = found["photos_per_second_one_core"]
    detector, facenet = "facesearch YuNet, min face 20", "facenet-pytorch, min face 20"
    detector, facenet = detector_named(recalls, detector), detector_named(recalls, facenet)
    dlib = result("lfw")["results"]["dlib-hog"]
    ways = encoder["threads_1"]["dlib-resnet-v1"]
    rows = [
        [
            f"photos to gallery, {album['photos']} photos in the wild, {album['cores']} cores",
            f"{statistics.median(album['ours_photos_per_second']):.1f} photos/s",
            f"face_recognition: {statistics.median(album['peer_photos_per_second']):.1f} photos/s",
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
            f"{statistics.median(speeds[detector]['wall']):.1f} photos/s",
            f"facenet-pytorch: {statistics.median(speeds[facenet]['wall']):.1f} photos/s",
        ],
        [
            "LFW View 2 accuracy, default encoder; retail-0095",
            "; ".join(view2_accuracy(encoders[name]) for name in SHOWN),
            f"dlib, HOG: {evaluated.accuracy(dlib)}",
        ],
        [
            "true accepts at FAR 0.0001, all pairs of LFW; of 50 people with many photos",
            "; ".join(
                " and ".join(f"{all_pairs(encoders[name], place):.3f}" for place in PLACES)
                for name in SHOWN
            ),
            "",
        ],
        [
            "encoder, one core",
            f"{speed_of(ways['OpenVINO int8']):.0f} faces/s",
            f"dlib: {speed_of(ways['dlib, one by one']):.0f} faces/s",
        ],
        *_at_scale(),
        [
            f"job of {kill['photos']} photos killed {kill['kills']} times and resumed",
            "every row and vector the same" if kill["equal"] else f"{kill['differences']}",
            "",
        ],
        _naming(),
    ]
    return table(("", "facesearch", "peer"), rows)


def _naming() -> list[str]:
    """What it takes to name people, in the web application and by commands."""
    data = result("naming_effort")
    names = data["application"]["names"]
    return [
        f"naming {names} people in the web application: keys a person",
        f"{data['application']['keys'] / names:.1f}, for names of {data['letters'] / names:.1f} "
        "letters",
        f"by commands: {data['commands']['keys'] / names:.1f}",
    ]


def _at_scale() -> list[list[str]]:
    """A million faces: searched exactly and nearly, and grouped."""
    ways = result("presets")["runs"]["1000000"]["ways"]
    batch = result("exact_search")["runs"]["made-128, 2 threads"]["batches"]["1000"]
    rates = {name: each["queries_per_second"] for name, each in batch.items()}
    # The better of FAISS in this run and alone in its process.
    alone = {name: ways[name][0]["queries_per_second"] for name in ways if "IndexFlat" in name}
    both = {name: max(rates[name], alone[name]) for name in alone}
    flat = max(both, key=lambda name: both[name])
    near, graph = (indices.chosen(ways[name]) for name in (indices.BEST, "hnswlib"))
    ours = result("cluster_rule_scale")["galleries"]["1,000,000"]
    *_, done, died = result("clustering_scale")["peers"]["fast_hdbscan"]
    return [
        [
            "a million faces, exact search, batches of 1,000",
            f"{rates['certified']:,.0f} queries/s",
            f"{flat}: {both[flat]:,.0f} queries/s",
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
            f"{ours['seconds_graph'] + ours['seconds_rule_and_merges']:.0f} s, "
            f"{ours['peak_mib'] / 1024:.1f} GiB, "
            f"pairwise precision {ours['pairwise_precision']:.3f}",
            f"fast_hdbscan: {died['died']}; {done['faces']:,} in {done['seconds']:.0f} s with a "
            f"pairwise precision of {done['scores']['pairwise_precision']:.3f}",
        ],
    ]


def view2_accuracy(encoder: Any) -> str:
    """Mean and standard error over the ten folds of View 2."""
    measured = encoder["view2"]
    return f"{measured['accuracy']:.4f} ± {measured['standard_error']:.4f}"


def all_pairs(encoder: Any, place: str) -> float:
    """The share of pairs of one person accepted where one pair of two in 10,000 is."""
    return float(encoder[f"{place}_all_pairs"]["tar_at_far"]["0.0001"]["tar"])


def detector_named(names: dict[str, str], wanted: str) -> str:
    """The detector whose recorded name has all words of ``wanted``."""
    words = wanted.replace(",", "").lower().split()
    return next(name for name in names if all(word in name.lower() for word in words))


def speed_of(way: Any) -> float:
    return float(way["faces_per_second"])
