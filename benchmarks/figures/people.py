"""Figures of clusters that grow and of decisions that last."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.markdown import result, table
from facesearch.recognition.identify import CROWDED


def incremental() -> str:
    """New faces that join, compared with all faces clustered again: agreement and time."""
    groups: dict[tuple[float, float, int], list[Any]] = {}
    for run in result("incremental")["runs"]:
        groups.setdefault((run["threshold"], run["growth"], run["parts"]), []).append(run)
    rows = [
        [
            f"{threshold}",
            f"{100 * growth:.0f}%" + (f" in {parts} parts" if parts > 1 else ""),
            f"{runs[0]['new']:,}",
            f"{_mean(runs, 'ari'):.4f}",
            f"{_mean(runs, 'faces_elsewhere'):,.0f}",
            f"{_mean(runs, 'people_changed'):,.0f} of {_mean(runs, 'clusters_full'):,.0f}",
            f"{_mean(runs, 'bcubed_f'):.4f}, {_mean(runs, 'bcubed_f_full'):.4f}",
            f"{_mean(runs, 'seconds'):.1f}, {_mean(runs, 'full_seconds'):.1f}",
        ]
        for (threshold, growth, parts), runs in groups.items()
    ]
    header = (
        "threshold",
        "growth",
        "new faces",
        "ARI to a full run",
        "faces elsewhere",
        "people not the same",
        "BCubed F: grown, full",
        "seconds: grown, full",
    )
    return table(header, rows)


def decisions() -> str:
    """Re-clusterings with decisions between them: what was lost, what was left unexplained."""
    rows = []
    for run in result("decisions")["runs"]:
        rounds, made = run["rounds"], run["decisions"]
        rows.append(
            [
                f"{run['seed']}",
                f"{len(rounds) - 1}",
                ", ".join(f"{count} {kind}" for kind, count in sorted(made.items())),
                f"{rounds[0]['faces']:,} to {rounds[-1]['faces']:,}",
                f"{sum(len(each['lost']) for each in rounds)}",
                *(f"{sum(each[what] for each in rounds[1:]):,}" for what in ("merges", "splits")),
                f"{sum(each['moved'] for each in rounds[1:]):,}",
                f"{sum(len(each['unexplained']) for each in rounds)}",
            ]
        )
    header = (
        "seed",
        "clusterings again",
        "decisions",
        "faces",
        "decisions lost",
        "merges",
        "splits",
        "faces moved",
        "changes not explained",
    )
    return table(header, rows)


def report_speed() -> str:
    """How fast the report of a large album opens."""
    data = result("report_speed")
    rows = [
        [width, *(f"{each['median'][what]:.0f}" for what in ("first_paint", "ready", "loaded"))]
        for width in ("1280", "390")
        for each in [data[f"milliseconds_{width}"]]
    ]
    largest = max(data["page_bytes"].values()) / 1e6
    return (
        table(("pixels wide", "painted, ms", "ready, ms", "loaded, ms"), rows)
        + f"\n\n{data['photos']:,} photos with {data['faces']:,} faces of {data['people']:,} "
        f"people, on pages of at most {largest:.1f} MB; Chromium {data['chromium']}."
    )


def suggestions() -> str:
    """What the first of the suggestions, and all, are worth on other people than they were fitted
    on."""
    data = result("suggestions")
    rows = []
    for gallery, cuts in data["galleries"].items():
        for at, each in cuts.items():
            found = [each[f"right_{kind}_of_first"] for kind in ("merges", "mixtures")]
            rows.append(
                [
                    f"{gallery.replace('report', 'album')}: {each['faces']:,.0f} faces",
                    at,
                    *(
                        text
                        for first, kind in zip(found, ("merges", "mixtures"), strict=True)
                        for text in (_first(first), _all(each[kind]))
                    ),
                ]
            )
    header = (
        "gallery", "cut", "may be one: right of the first 10 / 25", "of all: right, expected",
        "may be two: right of the first 10 / 25", "of all: right, expected",
    )  # fmt: skip
    return table(header, rows)


def _first(shares: dict[str, float]) -> str:
    return " / ".join(f"{shares[top]:.2f}" if top in shares else "-" for top in ("10", "25"))


def _all(found: dict[str, float]) -> str:
    if not found["count"]:
        return "none"
    return f"{found['right']:,.4g} of {found['count']:,.4g}, {found['expected']:,.3g}"


def _mean(runs: list[Any], what: str) -> float:
    return statistics.mean(run[what] for run in runs)


def sure_faces() -> str:
    """How often faces are right by their confidence, and how many a name confirms."""
    data = result("sure_faces")
    rows = []
    for name, each in data["sets"].items():
        at = {level["from"]: level for level in each["levels"]}
        chosen = at[data["sure"]]
        rows.append(
            [
                name,
                f"{each['faces']:,}",
                f"{100 * each['right']:.1f}%",
                f"{100 * chosen['share']:.0f}%",
                f"{100 * chosen['right']:.1f}%",
                f"{100 * chosen['right_below']:.1f}%",
                f"{chosen['wrong']:,} of {each['wrong']:,}",
            ]
        )
    header = (
        "",
        "faces in groups of two or more",
        "right",
        "confirmed by a name",
        "right of these",
        "right of the others",
        "wrong faces confirmed",
    )
    return table(header, rows)


def crowd() -> str:
    """How many suggestions are about the crowd alone, in the order by gain and in that of now."""
    data = result("crowd")
    rows = []
    for kind, each in data["suggestions"].items():
        orders = zip(each["first_by_gain"], each["first_now"], strict=True)
        rows.append(
            [
                kind,
                f"{each['crowd']:,} of {each['all']:,}",
                *(f"{before['crowd']}, {now['crowd']}" for before, now in orders),
            ]
        )
    first = [each["first"] for each in data["suggestions"]["merges"]["first_now"]]
    heads = (f"of the first {number}: by gain, now" for number in first)
    return table(("", "about the crowd", *heads), rows)


def crowd_groups() -> str:
    """Groups of false finds, and led by poor faces, in an album beside photos of crowds."""
    names = {"nearest_group": "nearest group, as before", "now": "now"}
    rows = [
        [
            names[name],
            *(f"{each[what]:,}" for what in ("two_or_more", "false_finds", "led_by_poor")),
        ]
        for name, each in result("crowd")["groups"].items()
    ]
    return table(
        ("poor faces join", "groups of two or more", "mostly false finds", "led by poor faces"),
        rows,
    )


def crowded_regions() -> str:
    """Names called unsure as somebody else is near: of the right ones, and of the wrong ones."""
    rows = []
    for name, each in result("crowded_regions")["galleries"].items():
        (unsure,) = [found for found in each["unsure"] if found["factor"] == CROWDED]
        rows.append(
            [
                name,
                *(
                    f"{unsure[kind]:,} of {each[kind]:,} ({100 * unsure[kind] / each[kind]:.0f}%)"
                    for kind in ("right", "wrong")
                ),
            ]
        )
    return table(("", "unsure, of the right names", "unsure, of the wrong names"), rows)
