"""Labelled photos on disk: a folder a person, or a folder a person with a folder a track."""

from __future__ import annotations

import logging
import re
from collections.abc import Set
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.images import find_photos

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledPhotos:
    """n photos ``root / paths[i]`` (relative, with slashes), each of the person ``people[i]``."""

    root: Path
    paths: tuple[str, ...]
    people: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def person_numbers(self) -> NDArray[np.int64]:
        """The people as numbers int64 (n,) from 0, in the order of their names."""
        return np.unique(np.array(self.people), return_inverse=True)[1].astype(np.int64)

    def of_people(self, count: int, seed: int) -> LabelledPhotos:
        """All photos of ``count`` people with two or more, drawn by ``seed``; fewer if there are.

        Raises :class:`InputError` where no person has two photos.
        """
        names, photos = np.unique(np.array(self.people), return_counts=True)
        several = names[photos > 1]
        if not len(several):
            raise InputError(f"expected people with two photos or more in {self.root}, found none")
        drawn = set(np.random.default_rng(seed).permutation(several)[:count].tolist())
        kept = [row for row, person in enumerate(self.people) if person in drawn]
        return LabelledPhotos(
            self.root,
            tuple(self.paths[row] for row in kept),
            tuple(self.people[row] for row in kept),
        )


@dataclass(frozen=True)
class LabelledTracks:
    """n tracks below ``root``: ``names`` ("person/track") and ``people``.

    Further fields of subclasses have an entry for each track too; ``layout`` is how their files
    are to lie.
    """

    root: Path
    names: tuple[str, ...]
    people: tuple[str, ...]

    layout: ClassVar[str]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def person_numbers(self) -> NDArray[np.int64]:
        """The people as numbers int64 (n,) from 0, in the order of their names."""
        return np.unique(np.array(self.people), return_inverse=True)[1].astype(np.int64)

    def named(self, wanted: Set[str]) -> Self:
        """The tracks ``wanted``; raises :class:`InputError` naming one that is not here."""
        absent = sorted(wanted - {*self.names})
        if absent:
            raise InputError(
                f"expected the tracks of the pairs in {self.root} as {self.layout}, found none "
                f"called {absent[0]!r} ({len(absent)} such)"
            )
        rows = [row for row, name in enumerate(self.names) if name in wanted]
        kept: dict[str, Any] = {}
        for field in fields(self):
            if field.name != "root":
                values = getattr(self, field.name)
                kept[field.name] = tuple(values[row] for row in rows)
        return replace(self, **kept)


@dataclass(frozen=True)
class FrameTracks(LabelledTracks):
    """Tracks whose ``frames`` are photos, in their order."""

    frames: tuple[tuple[str, ...], ...]

    layout = "person/track/frame.jpg"


def read_folder(root: Path) -> LabelledPhotos:
    """The photos of a folder with one folder a person, ordered by path.

    The first folder of the path is the person, whatever lies below it. Photos that lie in no
    folder have no label: they are left out with a warning. Raises :class:`InputError` where
    nothing is left.
    """
    paths = _paths(root, 2, "person/photo.jpg")
    return LabelledPhotos(root, tuple(paths), tuple(path.partition("/")[0] for path in paths))


def read_tracks(root: Path) -> FrameTracks:
    """The tracks of a folder ``person/track/frame.jpg``; numbers in frames' names count as such.

    Raises :class:`InputError` where there is none.
    """
    frames: dict[str, list[str]] = {}
    for path in _paths(root, 3, FrameTracks.layout):
        frames.setdefault("/".join(path.split("/")[:2]), []).append(path)
    names = tuple(frames)
    return FrameTracks(
        root,
        names,
        tuple(name.partition("/")[0] for name in names),
        tuple(tuple(sorted(frames[name], key=_natural)) for name in names),
    )


def _paths(root: Path, least_parts: int, layout: str) -> list[str]:
    """Relative paths of the photos with so many parts or more, sorted."""
    if not root.is_dir():
        raise InputError(f"expected a folder of photos as {layout}, found none at {str(root)!r}")
    found = [photo.path for photo in find_photos([root])]
    kept = sorted(path.as_posix() for path in found if len(path.parts) >= least_parts)
    if not kept:
        raise InputError(f"expected photos in {root} as {layout}, found {len(found)}, none so")
    if len(kept) < len(found):
        logger.warning("%d photos in %s lie not as %s", len(found) - len(kept), root, layout)
    return kept


def _natural(path: str) -> list[tuple[int, str]]:
    """A key that sorts frame 10 after frame 9."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)
    ]
