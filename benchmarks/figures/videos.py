"""Tables of docs/video.md and of wide pictures in docs/indexing.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from statistics import median
from typing import Any

from benchmarks.common.markdown import measured_on, result, table
from benchmarks.common.record import RESULTS

_KINDS = {
    "crossing": "two people who cross",
    "cuts": "six short shots",
    "crowd": "two to four people, three shots",
}


def _of(name: str) -> Callable[[Callable[[Any], str]], Callable[[], str]]:
    """Figures of a result; a sentence where that is not committed yet."""

    def decorated(make: Callable[[Any], str]) -> Callable[[], str]:
        @wraps(make)
        def figures() -> str:
            if not (RESULTS / f"{name}.json").exists():
                return "No result is committed yet."
            return make(result(name))

        return figures

    return decorated


@_of("video")
def video_tracks(data: Any) -> str:
    """How well tracks keep to people, by kind of clip."""
    rows = []
    for kind, words in _KINDS.items():
        each = data["tracks"][kind]
        figures = (f"{each['mean'][name]:.3f}" for name in ("precision", "recall", "f1", "pure"))
        rows.append([words, f"{each['clips']}", *figures])
    header = ("clips", "number", "identity precision", "identity recall", "identity F1", "pure")
    return table(header, rows)


@_of("video")
def video_vectors(data: Any) -> str:
    """How well each way to make a track's vector tells people apart."""
    sets = list(data["vectors"].values())
    rows = [
        [
            name,
            *(f"{each[name]['equal_error_rate']:.4f}" for each in sets),
            *(f"{each[name]['accept_rate_at_far_1e-2']:.3f}" for each in sets),
        ]
        for name in sets[0]
    ]
    header = (
        "vector",
        *(f"{what}, {name}" for what in ("EER", "accepted at FAR 1e-2") for name in _short(data)),
    )
    pairs = "; ".join(
        f"{name}: {each['best face']['pairs_same']:,} same and "
        f"{each['best face']['pairs_different']:,} different pairs"
        for name, each in zip(_short(data), sets, strict=True)
    )
    return f"{table(header, rows)}\n\n{pairs}."


def _short(data: Any) -> list[str]:
    return [name.partition(",")[0] for name in data["vectors"]]


@_of("video")
def video_memory(data: Any) -> str:
    """What a short and a long file take."""
    rows = [
        [
            f"{each['minutes']:g}",
            f"{each['frames']:,}",
            f"{each['tracks']}",
            f"{each['peak_mib']:.0f}",
            f"{each['decoder_mib']:.0f}",
        ]
        for each in data["memory"].values()
    ]
    header = ("minutes", "frames looked at", "tracks", "MiB at most", "MiB of the decoder")
    return table(header, rows)


@_of("video")
def video_kills(data: Any) -> str:
    """What becomes of a job that is killed within a video."""
    each = data["resume"]
    same = "the same boxes, times" if each["equal"] else "OTHER boxes or times"
    return (
        f"A job over one video was killed {each['kills']} times. In the end its {each['faces']} "
        f"faces had {same} and vectors as those of a job that was not (largest difference of a "
        f"vector's numbers: {each['vector_difference']:.1g})."
    )


@_of("video_speed")
def video_speed(data: Any) -> str:
    """Times real time."""
    rows = [
        [
            f"{clip['seconds']:g} s, {clip['codec']}, {clip['size'][0]} x {clip['size'][1]}",
            f"`{mode}`",
            f"{each['frames_looked_at']}",
            f"{median(each['seconds']):.2f}",
            f"{each['times_real_time']:.1f}",
        ]
        for clip in data["clips"]
        for mode, each in clip["runs"].items()
    ]
    rates = " and ".join(f"{clip['mbit_per_second']:.0f}" for clip in data["clips"])
    text = (
        f"Clips with film grain, {data['fps']} frames and {rates} Mbit a second; median of "
        f"{data['repeats']}. {measured_on(data)}"
    )
    header = ("clip", "`--video`", "frames looked at", "seconds", "times real time")
    return f"{table(header, rows)}\n\n{text}"


@_of("video_protocol")
def video_protocol(data: Any) -> str:
    """The protocol on tracks by animation."""
    (first, *_) = data["results"]["tables"]
    note = f"{data['note'][:1].upper()}{data['note'][1:]}"
    encoder = data["results"]["conditions"]["contract"]["name"]
    about = f"{note}. {data['data']}; encoder {encoder}."
    return f"{about}\n\n{table(first['header'], first['rows'])}"


@_of("panoramas")
def panoramas(data: Any) -> str:
    """What tiles find, at what cost."""
    rows = [
        [
            words,
            f"{data[way]['recall']:.3f}",
            f"{data[way]['other_boxes']}",
            f"{data[way]['seconds_a_panorama']:.2f}",
        ]
        for way, words in (("whole", "as a whole"), ("tiles", "in tiles"))
    ]
    header = ("read", "recall", "other boxes", "seconds a panorama, one core")
    return (
        f"{table(header, rows)}\n\n{data['panoramas']} panoramas with {data['faces']} faces. "
        f"{measured_on(data)}"
    )
