"""A folder with all kinds of files that people keep: each read rightly, or named with its reason?

    python -m benchmarks.vision.forty_kinds [FOLDER]

One portrait is written in every kind, wherever a writer is at hand. Each file that is read, and the
first frame of each video, is compared with the portrait as it was drawn, and with what another
program reads (:mod:`benchmarks.exchange.other_readers`). The face that the default engine finds in
a photo is compared with that in the plain JPEG.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from benchmarks.common.kinds_of_files import (
    KindOfFile,
    Pixels,
    grey_of,
    kinds_of_files,
    write_kinds,
)
from benchmarks.common.record import record
from benchmarks.exchange.other_readers import read_elsewhere
from facesearch.engine import DECODE_SIDE, create_engine
from facesearch.errors import PhotoError
from facesearch.images import decode_photo, find_photos
from facesearch.images.walk.skipped import SkippedFiles
from facesearch.video.reader import open_video


@dataclass(frozen=True)
class JudgedFile:
    """What became of a file, and how far its pixels are from the portrait: the mean, or None.

    ``reader`` is an independent one that reads the file, and ``apart`` how far its pixels are. Of a
    video, which is none of the photos, these are of its first frame.
    """

    name: str
    became: str
    difference: float | None = None
    reader: str = ""
    apart: float | None = None


def judge(folder: Path, kinds: list[KindOfFile], portrait: Pixels) -> list[JudgedFile]:
    """What becomes of each file of a folder, in the walk and in decoding."""
    skipped = SkippedFiles()
    found = {photo.name: photo for photo in find_photos([folder], skipped)}
    others = {str(each.folder.relative_to(folder)): each.kind for each in skipped.folders}
    # Files are counted, not listed: each is of its kind if there are as many as there should be.
    expected = Counter(each.became for each in kinds if each.name not in found)
    judged = []
    for each in kinds:
        within = [kind for name, kind in others.items() if each.name.startswith(f"{name}/")]
        if each.name in found:
            judged.append(_decoded(folder / each.name, each, portrait))
        elif within:
            judged.append(JudgedFile(each.name, within[0]))
        elif skipped.counts[each.became] != expected[each.became]:
            counted = f"{skipped.counts[each.became]} counted, not {expected[each.became]}"
            judged.append(JudgedFile(each.name, counted))
        elif each.became == "video":
            judged.append(_first_frame(folder / each.name, each, portrait))
        else:
            judged.append(JudgedFile(each.name, each.became))
    return judged


def is_right(judged: JudgedFile, kind: KindOfFile) -> bool:
    """Whether what became of a file is what should."""
    near = judged.difference is None or judged.difference <= kind.difference
    return judged.became == kind.became and near


def _decoded(path: Path, each: KindOfFile, portrait: Pixels) -> JudgedFile:
    try:
        photo = decode_photo(path)
    except PhotoError as error:
        return JudgedFile(each.name, error.reason)
    truth = np.repeat(grey_of(portrait)[..., None], 3, axis=2) if each.grey else portrait
    reader, pixels = read_elsewhere(each)
    apart = None
    if pixels is not None:
        # What is missing, a quarter, each program fills in as it likes.
        rows = len(pixels) * 7 // 10 if photo.partial else len(pixels)
        apart = _apart(photo.pixels[:rows], pixels[:rows])
    became = "partial" if photo.partial else "read"
    return JudgedFile(each.name, became, _apart(photo.pixels, truth), reader, apart)


def _first_frame(path: Path, each: KindOfFile, portrait: Pixels) -> JudgedFile:
    try:
        with open_video(path) as video:
            ((_, frame),) = video.stills([0], None)
    except PhotoError as error:
        return JudgedFile(each.name, error.reason)
    if frame is None:
        return JudgedFile(each.name, "no frame at its start")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        there, other = capture.read()
    finally:
        capture.release()
    apart = _apart(frame.pixels, np.asarray(other[..., ::-1], np.uint8)) if there else None
    reader = "OpenCV" if there else ""
    return JudgedFile(each.name, each.became, _apart(frame.pixels, portrait), reader, apart)


def _apart(one: Pixels, other: Pixels) -> float:
    if one.shape != other.shape:
        return float("inf")
    return round(float(np.abs(one.astype(int) - other).mean()), 2)


def faces_of(folder: Path, judged: list[JudgedFile]) -> dict[str, float]:
    """The squared distance of the face in each file that is read to that in the plain JPEG."""
    engine = create_engine()
    vectors = {}
    for each in judged:
        if each.became in ("read", "partial"):
            (faces,) = engine.faces([decode_photo(folder / each.name, max_side=DECODE_SIDE).pixels])
            if len(faces):
                vectors[each.name] = faces.embeddings.vectors[int(faces.detections.scores.argmax())]
    plain = vectors["plain.jpg"]
    return {name: round(float(((each - plain) ** 2).sum()), 3) for name, each in vectors.items()}


def main() -> None:
    """Write the folder, judge it, and record the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where to keep the files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary, "kinds")
        portrait = np.asarray(skimage.data.astronaut())[:400, 40:440]
        kinds = kinds_of_files(portrait)
        write_kinds(folder, kinds)
        judged = judge(folder, kinds, portrait)
        faces = faces_of(folder, judged)
    rows = {
        each.name: {**asdict(each), "expected": kind.became, "face": faces.get(each.name)}
        for each, kind in zip(judged, kinds, strict=True)
    }
    wrong = [
        each.name for each, kind in zip(judged, kinds, strict=True) if not is_right(each, kind)
    ]
    result = {"files": rows, "wrong": wrong, "kinds": len(kinds)}
    print(json.dumps(result, indent=2))
    print(record("forty_kinds", result))


if __name__ == "__main__":
    main()
