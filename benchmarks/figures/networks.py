"""Tables of networks: speed and closeness of back ends, equality with peers, sizes, downloads."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.markdown import result, table
from facesearch.encoders.int8_calibration import LEAST_COSINE


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
        f"vector: {statistics.median(data['start_up_seconds']):.1f} s."
    )


def speed_of(way: Any) -> float:
    """The speed of a back end."""
    return float(way["faces_per_second"])


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
