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
from benchmarks.figures import (
    clusters,
    distributed,
    faces,
    indices,
    people,
    promises,
    scale,
    service,
    speed,
    training,
    videos,
)
from benchmarks.figures.summary import speed_of, summary
from facesearch.encoders.int8_calibration import LEAST_COSINE

ROOT = Path(__file__).parents[2]
_PAGES = (
    "README docs/accuracy docs/distributed docs/encoders docs/indexing docs/model_card "
    "docs/networks docs/performance docs/report docs/scale docs/service docs/threats docs/training "
    "docs/video docs/web"
)
PAGES = tuple(ROOT / f"{name}.md" for name in _PAGES.split())


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


def encoder() -> str:
    """Speed and closeness of every back end of both networks."""
    data = result("encoder")
    rows = [
        [
            f"{network}: {way}",
            f"{each['faces_per_second']:.0f}",
            f"{data['threads_2'][network][way]['faces_per_second']:.0f}"
            if way in data["threads_2"][network]
            else "",
            f"{each['mean_cosine']:.6f}",
            f"{each['least_cosine']:.6f}",
        ]
        for network, ways in data["threads_1"].items()
        for way, each in ways.items()
    ]
    header = ("faces/s, median", "1 thread", "2 threads", "mean cosine", "least cosine")
    one = data["threads_1"]
    dlib, facenet = one["dlib-resnet-v1"], one["inception-resnet-v1"]
    peer = speed_of(facenet["facenet-pytorch, eager"])
    close = max(
        (way for way in facenet if facenet[way]["mean_cosine"] >= LEAST_COSINE),
        key=lambda way: speed_of(facenet[way]),
    )
    slower = max(speed_of(dlib[way]) for way in dlib if "dlib" in way)
    return table(header, rows) + (
        f"\n\nOn one thread int8 is {speed_of(dlib['OpenVINO int8']) / slower:.0f} times dlib's "
        f"faster way and {speed_of(facenet['OpenVINO int8']) / peer:.1f} times "
        "facenet-pytorch; the fastest "
        f"of the latter's with a mean cosine of {LEAST_COSINE} is {close}, "
        f"{speed_of(facenet[close]) / peer:.1f} times. Batches of {data['batch']}, cosines over "
        f"{data['chips']} chips to the first line of each network, whose vectors of different "
        f"chips have cosines of {dlib['OpenVINO int8']['others_cosine']:.2f} and "
        f"{facenet['OpenVINO int8']['others_cosine']:.2f} in the mean. From nothing to the first "
        f"vector: {_median(data['start_up_seconds']):.1f} s."
    )


def downloads() -> str:
    """What a user sees when fetching weights goes wrong."""
    rows = [
        [
            each["case"],
            str(each["exit"]),
            each["said"].removeprefix("facesearch: "),
            ", ".join(f"{name} ({size:,} bytes)" for name, size in each["left"].items()),
        ]
        for each in result("downloads")["cases"]
    ]
    return table(("case", "exit code", "last line", "left in the cache"), rows)


def parity() -> str:
    """Our Inception-ResNet-v1 against facenet-pytorch's, equal weights."""
    data = result("parity")
    rows = [
        [name, f"{each['least_cosine']:.7f}", f"{each['largest_difference']:.1e}"]
        for name, each in data["results"].items()
    ]
    return table((f"{data['chips']} real chips", "least cosine", "largest difference"), rows)


def alignment() -> str:
    """Milliseconds a face for landmarks and chips, ours and dlib's."""
    data = result("alignment_speed")
    steps = {
        "landmarks": ("predictor", "dlib_predictor"),
        "chip": ("chip", "dlib_chip"),
    }
    rows = []
    for photos in ("view1", "album"):
        spent = data[photos]["ms_per_face"]
        for step, (ours, dlib) in steps.items():
            rows.append(
                [
                    f"{step}, {'LFW' if photos == 'view1' else 'album'}",
                    f"{min(spent[ours]):.2f}",
                    f"{min(spent[dlib]):.2f}",
                ]
            )
    return table(("ms a face, best of 7", "facesearch", "dlib"), rows)


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


def networks() -> str:
    """Parameters and multiply-adds of FaceNet's networks: the paper's, its rows' sum, ours."""
    rows = []
    for name, each in result("networks")["networks"].items():
        sums = each["rows_sum"] or {}
        figures = (
            f"{figure:,.0f}" if figure else ""
            for what in ("parameters", "operations")
            for figure in (each["published"][what], sums.get(what), each["counted"][what])
        )
        rows.append([f"`{name}`", each["chip"], *figures])
    header = ("", "chip", "parameters: published", "sum of rows", "ours")
    return table((*header, "multiply-adds: published", "sum of rows", "ours"), rows)


def networks_disagreements() -> str:
    """Rows of the paper's tables whose figures are not what their layers come to."""
    rows = [
        [f"`{name}`", row["layer"], row["what"], row["printed"], f"{row['counted']:,}"]
        for name, each in result("networks")["networks"].items()
        for row in each["disagreements"]
    ]
    return table(("", "row", "figure", "paper", "counted"), rows)


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
        faces.ensemble_share,
        faces.detectors,
        faces.large_faces,
        faces.turned,
        faces.slices,
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
        clusters.cluster_rules_ensemble,
        clusters.cluster_sureness,
        clusters.strangers_named,
        clusters.cluster_stability,
        clusters.small_stability,
        clusters.cluster_poor_faces,
        evaluated.cluster_threshold,
        people.incremental,
        people.decisions,
        people.suggestions,
        people.sure_faces,
        people.crowd,
        people.crowd_groups,
        people.crowded_regions,
        people.report_speed,
        promises.promises,
        promises.histories,
        promises.erasure,
        service.service_load,
        service.service_memory,
        service.service_commands,
        service.naming_effort,
        service.web_speed,
        speed.end_to_end,
        speed.pipeline,
        speed.peaks,
        speed.gallery_state,
        scale.scale_units,
        scale.scale_estimates,
        scale.scale_exact,
        scale.scale_limits,
        scale.scale_simulations,
        distributed.ray_index,
        distributed.ray_kill,
        distributed.scatter_search,
        distributed.partitioned_clustering,
        encoder,
        downloads,
        parity,
        alignment,
        exact_search,
        indices.presets,
        indices.scale,
        networks,
        networks_disagreements,
        training.training_from_scratch,
        training.training_compatible,
        training.training_speed,
        training.facenet_small_sources,
        training.facenet_small_curve,
        training.facenet_small_judged,
        videos.video_tracks,
        videos.video_vectors,
        videos.video_memory,
        videos.video_kills,
        videos.video_speed,
        videos.video_protocol,
        videos.panoramas,
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
