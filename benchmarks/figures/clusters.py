"""Tables of clusters by the gallery's own rule, of how they stay, and of poor faces."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from benchmarks.common.markdown import result, table

_BEST = {
    "hdbscan": "hdbscan, its defaults",
    "scikit-learn": "scikit-learn average linkage, encoder's threshold",
    "Chinese whispers": "Chinese whispers, encoder's threshold",
}
_KINDS = ("pairwise", "bcubed")
# What F is of before and after, of each part of a move in a small gallery.
_PARTS = (
    ("alone", "within"),
    ("alone", "other_rule"),
    ("other_rule", "within"),
    ("fixed_alone", "fixed_within"),
)


def cluster_rules() -> str:
    """The default encoder's galleries."""
    return _rules("cluster_rules")


def cluster_rules_retail() -> str:
    """Another encoder's."""
    return _rules("cluster_rules_retail")


def cluster_rules_ensemble() -> str:
    """Two encoders' as one."""
    return _rules("cluster_rules_ensemble")


def _rules(name: str) -> str:
    rows = []
    for gallery, each in result(name)["galleries"].items():
        best = each["best_threshold"]
        rows.append(
            (
                f"{gallery}: {each['faces']:,} faces of {each['people']:,}",
                _scores(each["rule"]),
                _scores(each["threshold_by_size"]),
                f"{_scores(best)} at {best['threshold']:.3f}",
                *(
                    _scores(each["peers"][peer]) if "peers" in each else ""
                    for peer in _BEST.values()
                ),
                f"{each['rule']['groups_of_two']:,}, {best['groups_of_two']:,}, "
                f"{each['people_with_two']:,}",
            )
        )
    heads = ("", "the gallery's rule", "threshold by size", "best threshold", *_BEST)
    return table((*heads, "groups of two or more: rule, best, people"), rows)


def cluster_stability() -> str:
    """How F of the photos before moves when others come."""
    found = result("cluster_stability")
    rows = [(f"200 photos added to {each['faces']:,}", each) for each in found["steps"]]
    rows.append(("10,000 strangers beside the album", found["strangers_beside_album"]))
    return table(
        ("", "the gallery's rule", "threshold by size"),
        [(name, _moved(each["rule"]), _moved(each["threshold_by_size"])) for name, each in rows],
    )


def small_stability() -> str:
    """What of a move in small galleries is of the rule, in the mean of all draws."""
    found = result("cluster_stability")
    rows = []
    for each in found["small"]:
        draws = each["draws"]
        rows.append(
            (
                f"200 photos added to {each['faces']:,}, {len(draws)} draws",
                *(_mean_move(draws, *ends) for ends in _PARTS),
            )
        )
    heads = ("", "all", "of the rule", "of the photos", f"threshold {found['fixed']}")
    return table(heads, rows)


def cluster_poor_faces() -> str:
    """What became of poor faces."""
    rows = []
    for name, each in result("cluster_poor_faces")["sets"].items():
        for when in ("before", "now"):
            fates = each[when]
            rows.append(
                (
                    f"{name.removesuffix('-all')}, {when}",
                    f"{fates['own']} / {fates['other']} / {fates['nobody']}",
                    str(fates["unknown_to_somebody"]),
                    str(fates["led_by_poor"]),
                )
            )
    heads = (
        "",
        "own / another's / nobody's",
        "unknown faces put to somebody",
        "groups led by poor",
    )
    return table(heads, rows)


def cluster_sureness() -> str:
    """Of what share people were shown to be right, and what share were."""
    rows = []
    for name, each in result("cluster_sureness")["sets"].items():
        for kind, said in (("threshold_by_size", "threshold by size"), ("rule", "rule")):
            bands = {band["from"]: band for band in each[kind]}
            rows.append(
                [f"{name}, {said}"]
                + [
                    f"{band['right']:.3f} of {band['faces']:,}" if (band := bands.get(low)) else ""
                    for low in (0.5, 0.8, 0.9, 0.95, 0.98)
                ]
            )
    heads = ("", "50 to 80% sure", "80 to 90%", "90 to 95%", "95 to 98%", "98% and more")
    return table(heads, rows)


def strangers_named() -> str:
    """The share of strangers that identify named, by threshold."""
    rows = []
    for name, each in result("strangers_named")["galleries"].items():
        rows.append(
            [
                name,
                f"{each['encoder']:.2%}",
                *(
                    f"{rate['named']:.2%}, {rate['inside']} of {rate['runs']}"
                    for rate in each["calibrated"].values()
                ),
            ]
        )
    heads = ("", "encoder's threshold", "promised 1%: named, runs inside the interval")
    return table((*heads, "promised 0.1%: named, runs inside"), rows)


def _scores(each: dict[str, Any]) -> str:
    return f"{each['pairwise_f']:.3f} / {each['bcubed_f']:.3f}"


def _mean_move(draws: list[dict[str, dict[str, float]]], before: str, after: str) -> str:
    moves = ([draw[after][kind] - draw[before][kind] for draw in draws] for kind in _KINDS)
    return ", ".join(f"{fmean(each):+.3f} (at most {max(map(abs, each)):.3f})" for each in moves)


def _moved(each: dict[str, float]) -> str:
    return ", ".join(
        f"{each[f'{kind}_before']:.3f} to {each[f'{kind}_after']:.3f}" for kind in _KINDS
    )
