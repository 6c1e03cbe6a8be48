"""A folder with all kinds of files that people keep: each read rightly, or named with its reason?

    python -m benchmarks.vision.forty_kinds [FOLDER]

One portrait is written in every kind, wherever a writer is at hand. Each file that is read is
compared with the portrait as it was drawn, and with what OpenCV, tifffile or LibRaw reads,
whichever can. The face that the default engine finds in it is compared with that in the plain JPEG.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import tifffile

from benchmarks.common.kinds_of_files import (
    KindOfFile,
    Pixels,
    grey_of,
    kinds_of_files,
    write_kinds,
)
from benchmarks.common.record import record
from facesearch.engine import DECODE_SIDE, create_engine
from facesearch.errors import PhotoError
from facesearch.images import decode_photo, find_photos
from facesearch.images.walk.skipped import SkippedFiles


@dataclass(frozen=True)
class JudgedFile:
    """What became of a file, and how far its pixels are from the portrait: the mean, or None.

    ``reader`` is an independent one that reads the file, and ``apart`` how far its pixels are.
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
    judged = []
    for each in kinds:
        if each.name in found:
            judged.append(_decoded(folder / each.name, each, portrait))
        else:
            judged.append(JudgedFile(each.name, _skipped_as(each, others, skipped)))
    return judged


def _skipped_as(each: KindOfFile, folders: dict[str, str], skipped: SkippedFiles) -> str:
    within = [kind for name, kind in folders.items() if each.name.startswith(f"{name}/")]
    # A file is counted and not listed, so that of its kind there must be one.
    return within[0] if within else each.became if skipped.counts[each.became] else "not counted"


def _decoded(path: Path, each: KindOfFile, portrait: Pixels) -> JudgedFile:
    try:
        photo = decode_photo(path)
    except PhotoError as error:
        return JudgedFile(each.name, error.reason)
    truth = np.repeat(grey_of(portrait)[..., None], 3, axis=2) if each.grey else portrait
    reader, pixels = _read_elsewhere(each)
    return JudgedFile(
        each.name,
        "partial" if photo.partial else "read",
        _apart(photo.pixels, truth),
        reader,
        None if pixels is None else _apart(photo.pixels, pixels),
    )


def _apart(one: Pixels, other: Pixels) -> float:
    if one.shape != other.shape:
        return float("inf")
    return round(float(np.abs(one.astype(int) - other).mean()), 2)


def _read_elsewhere(each: KindOfFile) -> tuple[str, Pixels | None]:
    """What a reader that shares no code with ours makes of a file, upright, in eight bits."""
    if each.name.endswith(".dng") or ("camera" in each.name and each.name.endswith(".tif")):
        import rawpy

        with rawpy.imread(io.BytesIO(each.data)) as raw:
            return "LibRaw", np.asarray(raw.postprocess(use_camera_wb=True), np.uint8)
    if each.data[:2] in (b"II", b"MM"):
        return _by_tifffile(each.data)
    read = cv2.imdecode(np.frombuffer(each.data, np.uint8), cv2.IMREAD_COLOR)
    return ("", None) if read is None else ("OpenCV", np.asarray(read[..., ::-1], np.uint8))


def _by_tifffile(data: bytes) -> tuple[str, Pixels | None]:
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = max(file.pages, key=lambda page: page.imagelength)
            samples, photometric = page.asarray(), page.photometric.name
    except (KeyError, ValueError):  # a codec that it does not have
        return "", None
    if photometric not in ("RGB", "MINISBLACK"):
        return "", None
    if samples.ndim == 3 and samples.shape[0] == 3:
        samples = np.moveaxis(samples, 0, 2)
    low, high = (0.0, 1.0)
    if samples.dtype.kind in "iu":
        low, high = float(np.iinfo(samples.dtype).min), float(np.iinfo(samples.dtype).max)
    pixels = np.round((samples.astype(np.float64) - low) * 255 / (high - low)).astype(np.uint8)
    return "tifffile", np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


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
        each.name
        for each, kind in zip(judged, kinds, strict=True)
        if each.became != kind.became
        or (each.difference is not None and each.difference > kind.difference)
    ]
    result = {"files": rows, "wrong": wrong, "kinds": len(kinds)}
    print(json.dumps(result, indent=2))
    print(record("forty_kinds", result))


if __name__ == "__main__":
    main()
