"""The video protocol of FaceNet (section 5.7) on tracks of people of LFW, made by animation.

    python -m benchmarks.recognition.animated_tracks [--people N] [--folder DIR]

YouTube Faces, on which the paper reports, is not at hand; once it is, one command runs the
protocol on it: ``facesearch evaluate video frame_images_DB --pairs splits.txt``. Here each clip is
animation, not film: two photos of a person move, grow, lean and change their light over a soft
background (``benchmarks/clips``). What makes film hard is missing: blur of motion, turning heads,
talk, and the compression of old video. So the figures say that the protocol works from video file
to result, and how well tracks of these photos are kept apart; they are not those of YouTube Faces.

People are those of LFW with six photos or more who are not in View 1, on which the settings were
chosen; three clips each, of different photos. As in YouTube Faces half of the pairs are of one
person, and of its ten folds no two share anybody. ``--folder`` keeps the clips and the list of
pairs, which the command takes: ``facesearch evaluate video DIR --pairs DIR/pairs.csv``.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.clips.made_clips import ClipFormat, ClipShot, background, write_clip
from benchmarks.clips.portraits import Portraits, moving, people_beyond_view_1
from benchmarks.common.record import record
from benchmarks.recognition.protocols import without_curves
from facesearch.api.evaluation import EvaluationOptions, evaluate_video
from facesearch.engine import create_engine

SEED, FOLDS = 0, 10
CLIPS, PHOTOS_A_CLIP, SECONDS = 3, 2, 3.0
NOTE = (
    "animation, not film, and not YouTube Faces: tracks made of photos of people of LFW that are "
    "not in View 1"
)

Pair = tuple[str, str, bool, int]


def write_tracks(folder: Path, people: Portraits, names: Sequence[str]) -> dict[str, list[str]]:
    """Clips ``person/N.mp4``; the tracks of each person, without the ending."""
    rng = np.random.default_rng(SEED)
    tracks: dict[str, list[str]] = {}
    for name in names:
        pictures = people.pictures(name, CLIPS * PHOTOS_A_CLIP, rng)
        (folder / name).mkdir(parents=True)
        tracks[name] = []
        for number in range(len(pictures) // PHOTOS_A_CLIP):
            shown = moving(name, pictures[number::CLIPS], rng)
            shot = ClipShot(SECONDS, background(int(rng.integers(1e9))), (shown,))
            track = f"{name}/{number}"
            form = ClipFormat(fps=10, options=(("crf", "28"),))
            write_clip(folder / f"{track}.mp4", [shot], form, seed=SEED)
            tracks[name].append(track)
    return tracks


def balanced_pairs(tracks: Mapping[str, Sequence[str]], folds: int, seed: int) -> list[Pair]:
    """All pairs of one person's tracks and as many of two people's, in folds that share nobody.

    Folds are of people as they come; pairs of two people are drawn by ``seed``, each once.
    """
    rng = np.random.default_rng(seed)
    people = sorted(tracks)
    pairs: list[Pair] = []
    for fold in range(folds):
        here = people[fold::folds]
        same = [pair for name in here for pair in combinations(tracks[name], 2)]
        different = [
            (first, second)
            for one, other in combinations(here, 2)
            for first in tracks[one]
            for second in tracks[other]
        ]
        if len(different) < len(same):
            raise ValueError(f"expected two people or more in each fold, got {here} in one")
        drawn = rng.permutation(len(different))[: len(same)].tolist()
        pairs += [(first, second, True, fold) for first, second in same]
        pairs += [(*different[at], False, fold) for at in sorted(drawn)]
    return pairs


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """A table as ``facesearch evaluate video --pairs`` reads it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("first", "second", "same", "fold"))
        writer.writerows((first, second, int(same), fold) for first, second, same, fold in pairs)


def main() -> None:
    """Make the tracks, run the protocol on them and record the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, metavar="N", help="how many (default: all)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="new folder for the clips")
    args = parser.parse_args()
    engine = create_engine()
    people = people_beyond_view_1(engine, CLIPS * PHOTOS_A_CLIP)
    names = people.names[: args.people]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "tracks" if args.folder is None else args.folder
        folder.mkdir(parents=True)
        folds = min(FOLDS, len(names) // 2)
        pairs = balanced_pairs(write_tracks(folder, people, names), folds, SEED)
        write_pairs(folder / "pairs.csv", pairs)
        report = evaluate_video(
            folder, folder / "pairs.csv", options=EvaluationOptions(engine=engine)
        )
    for table in report.tables:
        print(table.title, *("  ".join(row) for row in table.rows), "", sep="\n")
    result = {
        "note": NOTE,
        "data": f"{len(names)} people of LFW, {len({*_tracks(pairs)})} clips of {SECONDS:g} s",
        "seed": SEED,
        "pairs": len(pairs),
        "folds": folds,
        "results": without_curves(report),
    }
    if args.people is None:
        print(record("video_protocol", result))


def _tracks(pairs: Sequence[Pair]) -> list[str]:
    return [track for first, second, _, _ in pairs for track in (first, second)]


if __name__ == "__main__":
    main()
