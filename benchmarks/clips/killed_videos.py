"""A job over videos that is killed between checkpoints, and what it comes to in the end."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facesearch.embed_videos import FOLDER
from facesearch.gallery.gallery import Gallery

FRAMES_A_CHECKPOINT = 32
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class KillResult:
    """``kills`` came, each when so many checkpoints were there (``checkpoints``).

    ``faces`` are those of the gallery of a job that was not killed; ``equal``: the other has the
    same boxes and times, and vectors that differ by at most ``vector_difference``.
    """

    kills: int
    checkpoints: tuple[int, ...]
    faces: int
    equal: bool
    vector_difference: float


def killed_and_resumed(videos: Path, folder: Path, kills: int, seed: int) -> KillResult:
    """Index ``videos`` into two galleries in ``folder``: one undisturbed, one with ``kills``."""
    chooser = random.Random(seed)
    whole, killed = folder / "whole.gallery", folder / "killed.gallery"
    subprocess.run(_job(videos, whole), check=True, stdout=subprocess.DEVNULL)
    moments: list[int] = []
    while len(moments) < kills and (seen := _killed(_job(videos, killed), killed, chooser)):
        moments.append(seen)
    subprocess.run(_job(videos, killed), check=True, stdout=subprocess.DEVNULL)
    expected, found = _faces(whole), _faces(killed)
    places = [[place for place, _ in each] for each in (expected, found)]
    vectors = [np.array([vector for _, vector in each]) for each in (expected, found)]
    equal = places[0] == places[1]
    difference = float(np.abs(vectors[0] - vectors[1]).max(initial=0.0)) if equal else 2.0
    return KillResult(len(moments), tuple(moments), len(expected), equal, difference)


def _job(videos: Path, gallery: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "facesearch.cli.main", "index", str(videos), "--quiet"),
        *("--gallery", str(gallery), "--shard-photos", str(FRAMES_A_CHECKPOINT)),
    ]


def _killed(job: list[str], gallery: Path, chooser: random.Random) -> int:
    """Run ``job`` and kill it a while after its next checkpoint: how many there were then.

    0 if it ended by itself before.
    """
    before = _checkpoints(gallery)
    process = subprocess.Popen(job, stdout=subprocess.DEVNULL)
    while process.poll() is None and _checkpoints(gallery) <= before:
        time.sleep(_POLL_SECONDS)
    try:
        process.wait(timeout=chooser.uniform(0.0, 1.0))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return _checkpoints(gallery)
    return 0


def _checkpoints(gallery: Path) -> int:
    return len(list((gallery / FOLDER).glob("*/*.h5")))


def _faces(folder: Path) -> list[tuple[tuple[object, ...], np.ndarray]]:
    """Where and when each face is, and its vector, in order."""
    gallery = Gallery.open(folder)
    state = gallery.state()
    ids = state.live_ids()
    places = [(each.photo.name, each.span, each.box) for each in gallery.faces(ids, state)]
    return list(zip(places, gallery.vectors(ids), strict=True))
