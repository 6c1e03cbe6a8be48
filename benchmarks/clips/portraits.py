"""Heads of people, cut from their photos, and how they move through made clips."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.clips.made_clips import Actor, Pixels
from facesearch.engine import FaceEngine
from facesearch.evaluate.verification import read_pairs

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
SIZE = (640, 360)
_HEAD_SIDE = 200  # pixels

Rng = np.random.Generator


@dataclass(frozen=True)
class Portraits:
    """The photos of people, and the engine that finds the faces in them."""

    engine: FaceEngine
    photos: Mapping[str, Sequence[Path]]

    @property
    def names(self) -> list[str]:
        """The people."""
        return sorted(self.photos)

    def pictures(self, name: str, count: int, rng: Rng) -> list[Pixels]:
        """So many heads of a person, RGB and square, of photos drawn by ``rng``.

        The face of each is half as wide as the picture. Photos without a face are passed over.
        """
        found: list[Pixels] = []
        for at in rng.permutation(len(self.photos[name])).tolist():
            head = self._head(self.photos[name][at])
            if head is not None:
                found.append(head)
            if len(found) == count:
                break
        return found

    def _head(self, path: Path) -> Pixels | None:
        pixels = np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)
        (faces,) = self.engine.detect([pixels])
        if not len(faces):
            return None
        centre = np.array(pixels.shape[1::-1]) / 2
        middles = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
        x0, y0, x1, y1 = faces.boxes[int(((middles - centre) ** 2).sum(axis=1).argmin())]
        side = 2.0 * (x1 - x0)
        corner = np.array([(x0 + x1 - side) / 2, (y0 + y1 - side) / 2])
        matrix = np.column_stack([np.eye(2) * _HEAD_SIDE / side, -corner * _HEAD_SIDE / side])
        head = cv2.warpAffine(
            pixels,
            matrix,
            (_HEAD_SIDE, _HEAD_SIDE),
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(head, np.uint8)


def people_of_many(engine: FaceEngine, least: int = 8) -> Portraits:
    """The photos of each person of ``many``."""
    found = {each.name: sorted(each.iterdir()) for each in sorted((DATA / "many").iterdir())}
    return Portraits(engine, {name: each for name, each in found.items() if len(each) >= least})


def people_of_view_1(engine: FaceEngine, least: int = 8) -> Portraits:
    """All photos of LFW of each person of View 1 with enough of them."""
    return _people_of_lfw(engine, least, in_view_1=True)


def people_beyond_view_1(engine: FaceEngine, least: int = 6) -> Portraits:
    """All photos of LFW of each person with enough of them who is not in View 1."""
    return _people_of_lfw(engine, least, in_view_1=False)


def _people_of_lfw(engine: FaceEngine, least: int, in_view_1: bool) -> Portraits:
    pairs = [read_pairs(DATA / "lfw" / f"pairsDev{part}.txt") for part in ("Train", "Test")]
    view_1 = {Path(name).parent.name for each in pairs for name in (*each.first, *each.second)}
    found = {}
    for folder in sorted((DATA / "lfw" / "images").iterdir()):
        photos = sorted(folder.iterdir())
        if len(photos) >= least and (folder.name in view_1) == in_view_1:
            found[folder.name] = photos
    return Portraits(engine, found)


def moving(
    person: str, pictures: Sequence[Pixels], rng: Rng, size: tuple[int, int] = SIZE
) -> Actor:
    """Somebody who walks through the frame, their photos one after the other."""
    low, high = 0.3 * size[1], 0.55 * size[1]
    first, last = sorted(rng.uniform(0.15, 0.85, 2))
    ends = (first, last) if rng.random() < 0.5 else (last, first)
    return Actor(
        person,
        tuple(pictures),
        (ends[0], rng.uniform(0.4, 0.6)),
        (ends[1], rng.uniform(0.4, 0.6)),
        (rng.uniform(low, high), rng.uniform(low, high)),
        lean=rng.uniform(0, 15),
        light=rng.uniform(0, 0.3),
        change=rng.uniform(0.8, 2.0),
    )
