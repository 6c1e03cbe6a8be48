"""Figures of files: kinds of them, wide pictures, videos, and regions of names."""

from __future__ import annotations

from collections.abc import Collection
from statistics import median
from typing import Any

from benchmarks.common.markdown import measured_on, result, table

_CLIPS = {
    "crossing": "two people who cross",
    "cuts": "six short shots",
    "crowd": "two to four people, three shots",
}


def video_tracks() -> str:
    """How well tracks keep to people, by kind of clip."""
    data = result("video")
    rows = []
    for kind, words in _CLIPS.items():
        each = data["tracks"][kind]
        figures = (f"{each['mean'][name]:.3f}" for name in ("precision", "recall", "f1", "pure"))
        rows.append([words, f"{each['clips']}", *figures])
    header = ("clips", "number", "identity precision", "identity recall", "identity F1", "pure")
    return table(header, rows)


def video_vectors() -> str:
    """How well each way to make a track's vector tells people apart."""
    data = result("video")
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


def video_memory() -> str:
    """What a short and a long file take."""
    data = result("video")
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


def video_kills() -> str:
    """What becomes of a job that is killed within a video."""
    data = result("video")
    each = data["resume"]
    same = "the same boxes, times" if each["equal"] else "OTHER boxes or times"
    return (
        f"A job over one video was killed {each['kills']} times. In the end its {each['faces']} "
        f"faces had {same} and vectors as those of a job that was not (largest difference of a "
        f"vector's numbers: {each['vector_difference']:.1g})."
    )


def video_speed() -> str:
    """Times real time."""
    data = result("video_speed")
    clips = [data, data["larger"]]
    rows = [
        [
            f"{clip['seconds']:g} s, {clip['codec']}, {clip['size'][0]} x {clip['size'][1]}",
            f"`{mode}`",
            f"{each['frames_looked_at']}",
            f"{median(each['seconds']):.2f}",
            f"{each['times_real_time']:.1f}",
        ]
        for clip in clips
        for mode, each in clip["runs"].items()
    ]
    text = (
        f"Clips of {data['fps']} frames a second, with film grain; median of {data['repeats']}. "
        f"{measured_on(data)}"
    )
    header = ("clip", "`--video`", "frames looked at", "seconds", "times real time")
    return f"{table(header, rows)}\n\n{text}"


def video_protocol() -> str:
    """The protocol on tracks by animation."""
    data = result("video_protocol")
    (first, *_) = data["results"]["tables"]
    note = f"{data['note'][:1].upper()}{data['note'][1:]}"
    encoder = data["results"]["conditions"]["contract"]["name"]
    about = f"{note}. {data['data']}; encoder {encoder}."
    return f"{about}\n\n{table(first['header'], first['rows'])}"


def panoramas() -> str:
    """What tiles find, at what cost."""
    data = result("panoramas")
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


def kinds() -> str:
    """How far what is read is from what other programs read."""
    document = result("forty_kinds")
    files: dict[str, Any] = document["files"]
    shown = {name: each for name, each in files.items() if each["difference"] is not None}
    rows = []
    for reader in sorted({each["reader"] for each in shown.values()} - {""}):
        apart = {name: each["apart"] for name, each in shown.items() if each["reader"] == reader}
        most = max(apart, key=lambda name: apart[name])
        equal = sum(difference == 0 for difference in apart.values())
        rows.append([reader, f"{len(apart)}", f"{equal}", f"{apart[most]:.2f} (`{most}`)"])
    header = ("compared with", "files", "equal in every pixel", "largest mean difference, of 255")
    alone = [f"`{name}`" for name, each in shown.items() if not each["reader"]]
    wrong = len(document["wrong"])
    return (
        f"{table(header, rows)}\n\n"
        f"{document['kinds']} files, {len(shown)} of them pictures and videos that are read, the "
        f"others named with their reason or kind; {wrong or 'none'} otherwise than expected. No "
        f"other program here reads {', '.join(alone) or 'none'}."
    )


def xmp_matrix() -> str:
    """In how many orientations a region is where the face is, by format and reader."""
    document = result("xmp_matrix")
    formats: dict[str, dict[str, dict[str, float]]] = document["results"]
    readers = list(next(iter(formats.values())))
    rows = [
        [
            kind.upper(),
            *(_right(found[reader].values(), document["within_pixels"]) for reader in readers),
        ]
        for kind, found in formats.items()
    ]
    header = ("format", *(f"by {reader.replace(', ', ' in the ')}" for reader in readers))
    return f"{table(header, rows)}\n\nexiftool {document['packages']['exiftool']}."


def _right(distances: Collection[float], within: float) -> str:
    right = sum(distance <= within for distance in distances)
    return f"{right} of {len(distances)}"
