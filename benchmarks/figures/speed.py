"""Figures of whole jobs: beside the peers, by stage, and against the machine's ceilings."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.markdown import result, table

_OURS = "facesearch"
_NOW = "by columns"
_NAMES = {
    _OURS: "`facesearch index`, whole process",
    "facesearch --min-face 40": "the same, `--min-face 40`",
    "facesearch --min-face 40 --no-flip": "the same, `--min-face 40 --no-flip`",
    "facesearch --encoder retail-0095": "the same, `--encoder retail-0095`",
    "facesearch --detector mtcnn": "the same, `--detector mtcnn`",
    "face_recognition": "face_recognition, start-up left out",
    "facenet-pytorch": "facenet-pytorch, MTCNN and Inception-ResNet, start-up left out",
}


def end_to_end() -> str:
    """Photos and faces a second of every side."""
    data = result("end_to_end")
    rows = [
        [
            _NAMES[name],
            f"{each['photos']:,}",
            f"{each['median_photos_per_second']:.1f}",
            f"{each['median_faces_per_second']:.1f}",
            f"{each['peak_mib']:,}" if "peak_mib" in each else "",
            ", ".join(f"{rate:.1f}" for rate in each["photos_per_second"]),
        ]
        for name, each in data["sides"].items()
    ]
    ratios = ", ".join(f"{name} {ratio:.1f}" for name, ratio in data["ratios"].items())
    header = (
        "",
        "photos",
        "photos/s, median",
        "faces/s, median",
        "largest process, MiB",
        "photos/s, rounds",
    )
    return table(header, rows) + f"\n\nRatios of photos a second: {ratios}."


def pipeline() -> str:
    """Processor milliseconds a photo of every stage, and their shares."""
    sets = result("pipeline")["sets"]
    stages = {stage for each in sets.values() for stage in each["shares"]}
    rows = [
        [stage, *(text for each in sets.values() for text in _cost(each, stage))]
        for stage in sorted(
            stages, key=lambda stage: (-sets["mixed"]["shares"].get(stage, 0), stage)
        )
    ]
    header = ["", *(f"{name}: {unit}" for name in sets for unit in ("ms a photo", "share"))]
    return table(header, rows) + "\n\n" + " ".join(_job(*each) for each in sets.items())


def _cost(measured: Any, stage: str) -> tuple[str, str]:
    spent, share = (measured[of].get(stage, 0) for of in ("milliseconds_a_photo", "shares"))
    return f"{spent:.2f}", f"{share:.1%}"


def _job(name: str, measured: Any) -> str:
    wall = statistics.median(job["wall_seconds"] for job in measured["job"])
    processor = statistics.median(job["processor_seconds"] for job in measured["job"])
    start = statistics.median(job["wall_seconds"] for job in measured["start_up"])
    return (
        f"{name.capitalize()}: {measured['photos']:,} photos with {measured['faces']:,} faces in "
        f"{wall:.1f} s ({processor:.1f} s of processor time); a job of one photo: {start:.1f} s."
    )


def peaks() -> str:
    """What one and two cores can multiply, and how near the default encoder comes."""
    data = result("peaks")["billion_operations_per_second"]
    rows = [
        [way, f"{speed:.0f}", f"{data['threads_2'][way]:.0f}"]
        for way, speed in data["threads_1"].items()
    ]
    header = ("billion operations/s, best", "1 thread", "2 threads")
    return table(header, rows) + "\n\n" + _nearness(data["threads_1"])


def gallery_state() -> str:
    """What a gallery's state costs, before anything else is done."""
    rows = [
        [
            f"{photos:,}",
            f"{each['faces']:,}",
            stage if label == _NOW else f"{stage} ({label})",
            f"{statistics.median(spent['processor_seconds']):.2f}",
            f"{statistics.median(spent['peak_growth_mib']):.0f}",
        ]
        for label, sizes in result("gallery_state")["runs"].items()
        for photos, each in ((int(size), each) for size, each in sizes.items())
        for stage, spent in each["stages"].items()
    ]
    header = ("photos", "faces", "", "processor seconds", "memory at the peak, MiB")
    return table(header, rows)


def _nearness(ceilings: dict[str, float]) -> str:
    data = result("encoder")
    ways = data["threads_1"]["dlib-resnet-v1"]
    shares = []
    for precision in ("fp32", "bf16", "int8"):
        way = ways.get(f"OpenVINO {precision}")
        if way is not None:
            # A multiplication and an addition are two operations.
            reached = 2 * data["operations_per_face"] * way["faces_per_second"] / 1e9
            share = reached / ceilings[f"convolutions, OpenVINO {precision}"]
            shares.append(f"{precision} {share:.0%}")
    return (
        "The default encoder on one thread reaches, of the convolutions' ceiling in the same "
        f"numbers: {', '.join(shares)}."
    )
