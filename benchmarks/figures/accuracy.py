"""Figures of the protocols: the study of LFW, and what ``facesearch evaluate`` reports."""

from __future__ import annotations

from typing import Any

from benchmarks.common.markdown import measured_on, result, table


def lfw() -> str:
    """LFW of every row of the ablation: what it was judged by on View 1, and View 2."""
    rows = [
        [
            each["pipeline"],
            f"{each['view1']['accuracy']['value']:.4f}",
            *(f"{rate:.3f}" for rate in each["view1"]["val"]),
            _gain(each["view1"]),
            accuracy(each),
            tar_at(each, "0.001"),
            f"{each['view2_photos_without_face']}",
        ]
        for each in result("lfw")["results"].values()
    ]
    fars = next(iter(result("lfw")["results"].values()))["view1"]["all_pairs_fars"]
    header = (
        "",
        "View 1: accuracy",
        *(f"VAL at FAR {far:g}" for far in fars),
        "VAL gain in points",
        "View 2: accuracy",
        "TAR at FAR 0.001",
        "no face",
    )
    return table(header, rows)


def _gain(view1: Any) -> str:
    """VAL beyond the first row's at the middle FAR, in percentage points."""
    gain, error = (
        100 * view1[key][1] for key in ("val_difference", "val_difference_standard_error")
    )
    return f"{gain:+.2f} ± {error:.2f}"


def accuracy(each: Any) -> str:
    """Mean over the folds and its standard error."""
    folds = each["accuracy"]
    return f"{folds['mean']:.4f} ± {folds['standard_error']:.4f}"


def tar_at(each: Any, far: str) -> str:
    """TAR at a FAR and its standard error."""
    tar = each["tar_at_far"][far]
    return f"{tar['value']:.3f} ± {tar['standard_error']:.3f}"


def quality() -> str:
    """How well the quality score and what might stand in for it predict misses and false finds."""
    data = result("quality")
    curves = data["error_versus_discard"]["view2-degraded"]["false_non_match_rate"]
    areas = data["false_finds"]["area_under_roc"]
    rows = [
        [
            name,
            *(f"{curve[share]:.3f}" for share in ("0.0", "0.1", "0.2")),
            f"{curve['mean to 0.2']:.3f}",
            f"{areas[name]:.3f}" if name in areas else "",
        ]
        for name, curve in curves.items()
    ]
    header = (
        "",
        "FNMR, all pairs",
        "without a tenth",
        "without a fifth",
        "mean",
        "AUC, false finds",
    )
    return table(header, rows)


def poor_faces() -> str:
    """What the least quality does to groups: of crowded photos, and of an album."""
    data = result("quality")
    rows = []
    for least, fates in data["groups_of_wider"].items():
        album = data["album"][least]
        counts = (
            f"{fates[fate]['false']} of {fates[fate]['false'] + fates[fate]['true']}"
            for fate in ("in groups", "alone", "noise")
        )
        rows.append([least, *counts, f"{album['pairwise_f']:.3f}", f"{album['bcubed_f']:.3f}"])
    header = ("", "false finds in groups", "alone", "in no group", "album: pairwise F", "BCubed F")
    return table(header, rows)


def view2() -> str:
    """LFW View 2 of the default pipeline."""
    return _tables("lfw")


def all_pairs() -> str:
    """VAL and FAR over every two photos of LFW."""
    return _tables("folder")


def identification() -> str:
    """Open-set identification among the people of LFW."""
    return _tables("identification")


def clustering() -> str:
    """Clusters of all of LFW at the default settings."""
    return _tables("clustering", 1)


def robustness_face() -> str:
    """VAL by JPEG quality and size, the face found before."""
    return _tables("robustness")


def robustness_photo() -> str:
    """VAL by JPEG quality and size, the face to be found in what is left."""
    return _tables("robustness_photo")


def _tables(protocol: str, most: int | None = None) -> str:
    """The first ``most`` tables of a protocol with their notes, as they were recorded."""
    shown = result("protocols")["results"][protocol]["tables"][:most]
    parts = []
    for each in shown:
        parts += [f"{each['title']}:", table(each["header"], each["rows"])]
        parts += [each["note"]] if each["note"] else []
    return "\n\n".join(parts)


def identity_rates() -> str:
    """The promised and the observed FPIR of calibrated thresholds, on LFW and made galleries."""
    galleries = {
        "LFW": result("identity_rates")["lfw"],
        "made": result("identity_rates_made")["made"],
    }
    rows = [
        [
            name,
            f"{each['enrolled']:,}",
            f"{each['fpir']:.1%}",
            f"{each['observed']:.2%}",
            " to ".join(f"{end:.2%}" for end in each["observed_interval"]),
            {"count": "counted", "tail": "tail"}[each["method"]],
        ]
        for name, rates in galleries.items()
        for each in rates
        if each["way"] == "people, clusters"
    ]
    header = ("gallery", "people enrolled", "promised FPIR", "observed", "95 % interval", "by")
    return table(header, rows)


def clustering_peers() -> str:
    """Real faces in groups: every method at its chosen and its usual settings."""
    data = result("clustering_peers")
    names = list(data["galleries"])
    rows = []
    for method, each in data["methods"].items():
        for label, found in each["scores"].items():
            setting = each["chosen"] if label == "chosen" else label.partition(", ")[2]
            rows.append(
                [
                    method + ("" if label == "chosen" else ", as usual"),
                    "" if setting is None else f"{setting}",
                    *(
                        f"{found[name]['pairwise_f']:.3f} / {found[name]['bcubed_f']:.3f}"
                        for name in names
                    ),
                ]
            )
    sizes = (
        f"{name}: {each['faces']:,} faces of {each['people']:,}"
        for name, each in data["galleries"].items()
    )
    return table(("pairwise F / BCubed F", "setting", *sizes), rows)


def clustering_scale() -> str:
    """Time, memory and quality of clustering as galleries grow, beside others."""
    data = result("clustering_scale")
    rows = []
    for each in data["ours"]:
        spent = grouping_seconds(each)
        rows.append(
            [
                f"average linkage over a graph, {each['threshold']:.3f}",
                *_scale_row(each, spent, each["at_threshold"]),
            ]
        )
    for each in data["ours"]:
        spent = each["seconds"]["graph"] + each["seconds"]["hdbscan over the graph"]
        peak = {**each, "peak_mib": each["peak_mib_with_hdbscan"]}
        rows.append(["HDBSCAN over a graph, refined", *_scale_row(peak, spent, each["hdbscan"])])
    for name, runs in data["peers"].items():
        for each in runs:
            if "died" in each:
                rows.append([name, f"{each['faces']:,}", each["died"], *[""] * 4])
            else:
                rows.append([name, *_scale_row(each, each["seconds"], each["scores"])])
    header = ("", "faces", "seconds", "peak MiB", "pairwise P", "R", "BCubed F")
    recall = ", ".join(
        f"{each['edge_recall']['all']:.3f} at {each['faces']:,}" for each in data["ours"]
    )
    return table(header, rows) + (
        "\n\nThe time after the graph grows with the power "
        f"{data['growth_exponent_after_graph']:.2f} of the number of faces. The graph has these "
        f"shares of the exact neighbours: {recall}.\n\n{measured_on(data)}"
    )


def grouping_seconds(run: Any) -> float:
    """From vectors to groups of which it is known how sure each face is."""
    steps = ("threshold", "graph", "linkage", "cut", "confidence")
    return sum(run["seconds"][step] for step in steps)


def _scale_row(each: Any, seconds: float, scores: Any) -> list[str]:
    names = ("pairwise_precision", "pairwise_recall", "bcubed_f")
    f = (f"{scores[name]:.3f}" for name in names)
    return [f"{each['faces']:,}", f"{seconds:.1f}", f"{each['peak_mib']:,}", *f]


def cluster_threshold() -> str:
    """The law of impostors beside the truth, and the gallery's threshold beside the best."""
    rows = []
    for name, each in result("cluster_threshold")["galleries"].items():
        default, best = each["at_own"], each["at_best"]
        rows.append(
            [
                f"{name}: {each['faces']:,} faces of {each['people']:,}",
                ", ".join(f"{point['observed']:.1e}" for point in each.get("law", [])),
                "none" if each["own_threshold"] is None else f"{each['own_threshold']:.3f}",
                f"{each['best_threshold']:.3f}",
                *(f"{of['pairwise_f']:.3f} / {of['bcubed_f']:.3f}" for of in (default, best)),
                f"{default['pairwise_precision']:.3f}",
            ]
        )
    header = (
        "", "pairs where the law has 1e-3, 1e-4, 1e-5", "threshold", "best",
        "pairwise / BCubed F", "at the best", "pairwise P",
    )  # fmt: skip
    return table(header, rows)
