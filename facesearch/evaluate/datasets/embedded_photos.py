"""What embedding the photos of a protocol gives: one vector a photo, or the reason for none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.evaluate.verification import pair_distances

MISSING = ("reject", "centre")
# The squared distance of a pair without two faces: the greatest there is between unit vectors.
NEVER = 4.0


class State(IntEnum):
    """Of a photo: its face was found; none was, and the centre stands in; it cannot be used."""

    FOUND = 0
    NO_FACE = 1
    FAILED = 2


@dataclass(frozen=True)
class PhotoFailure:
    """A photo that cannot be used, with a reason of :data:`facesearch.images.types.REASONS`."""

    photo: str
    reason: str
    detail: str


@dataclass(frozen=True)
class EmbeddedPhotos:
    """n photos: ``vectors`` float32 (n, d) of unit length, 0 where ``states`` (n,) say FAILED."""

    paths: tuple[str, ...]
    vectors: NDArray[np.float32]
    states: NDArray[np.uint8]
    failures: tuple[PhotoFailure, ...]

    def usable(self, missing: str) -> NDArray[np.bool_]:
        """Which photos have a vector, bool (n,); ``missing`` says what becomes of faceless ones.

        "reject": they have none, as a product would refuse them; "centre": that of the box in
        which portraits have their face. Photos that cannot be read have none either way.
        """
        if missing not in MISSING:
            raise InputError(f"expected missing to be one of {', '.join(MISSING)}, got {missing!r}")
        last = State.FOUND if missing == "reject" else State.NO_FACE
        return self.states <= last

    def count(self, state: State) -> int:
        """How many photos are in this state."""
        return int((self.states == state).sum())


def distances_of(
    embedded: EmbeddedPhotos, first: Sequence[str], second: Sequence[str], missing: str
) -> NDArray[np.float32]:
    """Squared distances float32 (p,) of pairs of photos; :data:`NEVER` where a face is missing."""
    row_of = {path: row for row, path in enumerate(embedded.paths)}
    left, right = (np.array([row_of[path] for path in side], np.int64) for side in (first, second))
    usable = embedded.usable(missing)
    distances = pair_distances(embedded.vectors[left], embedded.vectors[right])
    return np.where(usable[left] & usable[right], distances, np.float32(NEVER)).astype(np.float32)
