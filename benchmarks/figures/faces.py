"""Tables of docs/encoders.md and docs/accuracy.md: encoders, detectors, turned faces."""

from __future__ import annotations

from typing import Any

from benchmarks.common.markdown import result, table

LEVELS = ("easy", "medium", "hard")


def encoders() -> str:
    """Each encoder's accuracy, speed, size and licence."""
    rows = []
    for name, each in result("encoders")["runs"].items():
        view2, stated = each["view2"], each["stated_view2"]
        rows.append(
            [
                f"`{name}`",
                f"{view2['accuracy']:.4f} ± {view2['standard_error']:.4f}",
                "" if stated is None else f"{stated:.4f}",
                *(_tar(each["lfw_all_pairs"], far) for far in ("0.001", "0.0001")),
                *(_tar(each["many_all_pairs"], far) for far in ("0.001", "0.0001")),
                f"{each['chips_per_second_one_core']:.0f}",
                f"{each['dimension']}",
                f"{each['megabytes']}",
                _of_slice(name),
                each["licence"],
            ]
        )
    header = (
        "encoder",
        "LFW View 2",
        "stated",
        "LFW, TAR at 1e-3",
        "at 1e-4",
        "many, TAR at 1e-3",
        "at 1e-4",
        "chips/s, one core",
        "numbers",
        "MB",
        "Asian women taken for each other, of 10,000 pairs",
        "licence",
    )
    return table(header, rows)


def _of_slice(encoder: str) -> str:
    """False accepts among the women of Asian origin, at the threshold that promises one."""
    found = result("slices")["sets"]["MEBeauty"].get(encoder, {"slices": []})["slices"]
    rows = [each for each in found if each["name"] == "asian_female"]
    return _of_ten_thousand(rows[0]) if rows else "not measured"


def _tar(pairs: dict[str, Any], far: str) -> str:
    return f"{pairs['tar_at_far'][far]['tar']:.4f}"


def detectors() -> str:
    """Recall at the default score and at equal false finds, tight crops, speed."""
    rows = []
    for name, each in result("detectors")["detectors"].items():
        at = each["at_default"]
        rows.append(
            [
                name,
                f"{each['default_score']:g}",
                _recall(at),
                f"{at['false']} of {at['detections']}",
                *(_recall(found) for found in each["at_false_finds"].values()),
                " / ".join(f"{share:.3f}" for share in each["tight_crops"].values()),
                f"{each['photos_per_second_one_core']:.0f}",
            ]
        )
    counts = next(iter(result("detectors")["detectors"].values()))["at_false_finds"]
    sides = next(iter(result("detectors")["detectors"].values()))["tight_crops"]
    header = (
        "detector",
        "score",
        "recall, easy / medium / hard",
        "false",
        *(f"at {count} false finds" for count in counts),
        f"crops of {' / '.join(sides)} pixels",
        "photos/s, one core",
    )
    return table(header, rows)


def _recall(found: dict[str, Any]) -> str:
    return " / ".join(f"{found['recall'][level]:.3f}" for level in LEVELS)


def turned() -> str:
    """What becomes of turned portraits, with and without looking at turns."""
    rows = []
    for encoder, ways in result("turned")["encoders"].items():
        for way, each in ways.items():
            for degrees in ("0", "90", "180", "270"):
                at = each[degrees]
                rows.append(
                    [
                        f"`{encoder}`, {way}",
                        degrees,
                        f"{at['found']:.3f}",
                        f"{at['near_own_upright']:.3f}",
                        f"{at['accepted']:,} of {at['pairs_of_strangers']:,}",
                        f"{at['accepted_of_quality']:,}",
                        f"{at['milliseconds_a_photo']:.1f}",
                    ]
                )
    header = (
        "encoder",
        "degrees",
        "found",
        "near their own upright face",
        "strangers accepted",
        "of quality 0.3",
        "ms a photo",
    )
    return table(header, rows)


def slices() -> str:
    """False accepts within groups of people at each encoder's threshold, set by set."""
    sets = result("slices")["sets"]
    encoders = list(next(iter(sets.values())))
    rows = []
    for name, found in sets.items():
        first = found[encoders[0]]["slices"]
        for index, each in enumerate(first):
            if ", " in each["kind"]:
                continue
            rows.append(
                [
                    f"{name}, {each['name']}",
                    f"{each['photos']:,}",
                    *(_of_ten_thousand(found[encoder]["slices"][index]) for encoder in encoders),
                ]
            )
    return table(("group", "photos", *(f"`{each}`" for each in encoders)), rows)


def _of_ten_thousand(each: dict[str, Any]) -> str:
    """False accepts of 10,000 pairs, in two digits."""
    rate = f"{10_000 * each['far']:.2g}"
    return f"{float(rate):,.10g}"


def ensemble_share() -> str:
    """True accepts of an ensemble by the first encoder's share, on what the share was chosen on."""
    data = result("ensemble_share")
    sets = data["sets"]
    shares = list(next(iter(sets.values())))
    fars = {"0.001": "1e-3", "0.0001": "1e-4"}
    first, second = data["encoders"]
    named = {"0": f"0, `{second}` alone", "1": f"1, `{first}` alone"}
    rows = [
        [
            named.get(share, share) + (", chosen" if float(share) == data["chosen"] else ""),
            *(f"{rates[share][far]:.4f}" for rates in sets.values() for far in fars),
        ]
        for share in shares
    ]
    heads = (f"{name}, TAR at {far}" for name in sets for far in fars.values())
    return table((f"share of `{first}`", *heads), rows)


def large_faces() -> str:
    """Faces from some size on, in photos reduced for it and in photos that are not."""
    data = result("large_faces")
    full, reduced = data["reported"]["full"], data["reported"][str(data["sight"])]
    rows = [
        [
            least,
            f"{min(1.0, (data['sight'] / int(least)) ** 2):.0%}",
            f"{full[least]['labelled']}",
            *(f"{each[least]['recall']:.3f}" for each in (full, reduced)),
            *(f"{each[least]['false']} of {each[least]['detections']}" for each in (full, reduced)),
        ]
        for least in full
    ]
    header = (
        "`--min-face`",
        "pixels looked at",
        "labelled faces",
        "found, not reduced",
        "found, reduced",
        "false, not reduced",
        "false, reduced",
    )
    return (
        table(header, rows) + "\n\n" + " ".join(_moved(*each) for each in data["vectors"].items())
    )


def _moved(encoder: str, found: dict[str, Any]) -> str:
    return (
        f"`{encoder}`: vectors of {found['faces']} faces of the album move by "
        f"{found['mean_squared_distance']:.3f} in the mean (squared distance; the threshold is "
        f"{found['threshold']:g}), {found['within_threshold']:.1%} by less than the threshold."
    )
