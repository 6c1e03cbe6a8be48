"""Figures of training: from scratch, the run behind facenet-small, versions, and the encoder."""

from __future__ import annotations

from benchmarks.common.markdown import result, table

_FARS = ("0.01", "0.001", "0.0001")


def training_from_scratch() -> str:
    """VAL before and after, and what the batches were like at the end."""
    document = result("training_from_scratch")
    rows = []
    for name, run in document["runs"].items():
        last = run["curve"][-1]
        rows.append([
            name,
            f"{int(last['faces']):,}",
            _rate(run["val_before"]),
            _rate(run["val_after"]),
            f"{last['spread']:.3f}",
            f"{last['active']:.0%}" if "active" in last else "",
            "yes" if run["collapsed"] else "no",
            f"{run['processor_minutes']:.1f}",
        ])  # fmt: skip
    header = (
        "", "faces seen in the last stage", "VAL at FAR 0.001 before", "after",
        "variance of vectors", "triplets above zero", "stopped as collapsed", "processor minutes",
    )  # fmt: skip
    data = document["data"]
    return (
        table(header, rows)
        + f"\n\n{data['crops']:,} crops of {data['people']:,} people; one seed; VAL by the "
        "averaged weights on people held out."
    )


def training_speed() -> str:
    """Faces a processor second of training, by precision and threads."""
    document = result("training_speed")
    rows = [
        [name.replace("1 threads", "1 thread"), f"{speed:.0f}"]
        for name, speed in document["training_faces_per_processor_second"].items()
    ]
    rows.append(
        ["crops read and changed", f"{document['preparation_faces_per_processor_second']:,.0f}"]
    )
    return (
        table(("", "faces a processor second"), rows)
        + f"\n\nForward and backward of `facenet-small`, measured with a load of "
        f"{document['load']:g} on {document['machine']['cores']} cores."
    )


def training_compatible() -> str:
    """TAR between versions."""
    document = result("training_compatible")
    rows = [
        [
            name,
            *(f"{way[pair]:.3f}" for pair in ("old-old", "new-old", "new-new")),
            f"{way['update gain']:.2f}",
        ]
        for name, way in document["ways"].items()
    ]
    judged = document["judged"]
    header = ("", "old with old", "new with old", "new with new", "update gain")
    return (
        table(header, rows)
        + f"\n\nTAR at FAR {document['far']:g} over all pairs of {judged['faces']:,} faces of "
        f"{judged['people']:,} people; one seed."
    )


def facenet_small_sources() -> str:
    """Photos, crops and what was left out, by source."""
    rows = [
        [
            name,
            *(f"{each[key]:,}" for key in ("photos", "faces")),
            f"{each['single_near']:,}",
            f"{each['people_near']:,} of {each['people']:,}",
            f"{each['kept']:,}",
            f"{each['kept_people']:,}",
        ]
        for name, each in result("facenet_small_training")["sources"].items()
    ]
    header = (
        "source", "photos", "faces found", "single photos left out", "people left out", "crops",
        "people",
    )  # fmt: skip
    return table(header, rows)


def facenet_small_curve() -> str:
    """The curve of the run, stage by stage: where it was judged, and each stage's last row."""
    rows, before = [], 0
    for number, stage in enumerate(result("facenet_small_training")["stages"], 1):
        last = stage["curve"][-1]["step"]
        shown = [row for row in stage["curve"] if "val_at_far_1e-3" in row or row["step"] == last]
        rows += [
            [
                str(number),
                f"{before + int(row['faces']):,}",
                f"{row['rate']:.2g}",
                f"{1 - row['loss']:.3f}",
                _rate(row.get("val_teacher_cosine")),
                _rate(row.get("val_at_far_1e-3")),
            ]
            for row in shown
        ]
        before += stage["steps"] * stage["settings"]["batch"]["size"]
    header = (
        "stage", "faces seen", "rate", "cosine to the teacher, training",
        "the same, people held out", "VAL at FAR 0.001, people held out",
    )  # fmt: skip
    return table(header, rows)


def facenet_small_judged() -> str:
    """TAR over all pairs: the network as it is, and its teacher."""
    rows = []
    for name, each in result("facenet_small_judged")["sets"].items():
        for way, rates in each.items():
            if isinstance(rates, dict):
                tars = [_rate(rates[far]) for far in _FARS]
                rows.append([f"{name}, {each['faces']:,} faces", way, *tars])
    return table(("", "", *(f"TAR at FAR {far}" for far in _FARS)), rows)


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
