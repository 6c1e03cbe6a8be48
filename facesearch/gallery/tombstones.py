"""Forgotten faces, by photo and place, so that indexing does not bring them back.

Written before anything is deleted, so that whatever happens then, they are gone from every answer;
kept afterwards, so that photos that are indexed again do not bring them back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import GalleryError
from indexer.id_lookup import positions_of
from indexer.storage.atomic_files import write_atomically
from indexer.storage.plain_files import read_json
from indexer.types import Ids

FILE = "forgotten.json"
FORMAT = "facesearch-forgotten"
VERSION = 1

_MOST_BYTES = 1 << 28
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Tombstone:
    """A face id that is not used any more, the SHA-256 of its photo's file, and where it was.

    ``box`` is x0, y0, x1, y1 in pixels of the upright photo at full size; of a track of a video, in
    the frame shown at ``still_us`` microseconds, which is -1 in photos.
    """

    face_id: int
    sha256: str
    box: tuple[float, float, float, float]
    still_us: int = -1


class Tombstones:
    """All faces that were forgotten, by id."""

    def __init__(self, faces: Iterable[Tombstone] = ()) -> None:
        self._by_id = {face.face_id: face for face in faces}
        self._ids = np.array(sorted(self._by_id), np.int64)
        self._of_content: dict[str, list[Tombstone]] = {}
        for face in self._by_id.values():
            self._of_content.setdefault(face.sha256, []).append(face)

    @classmethod
    def read(cls, gallery_folder: Path) -> Tombstones:
        """Those of a gallery; raises GalleryError where the file is damaged."""
        path = gallery_folder / FILE
        try:
            return cls(_parsed(read_json(path, _MOST_BYTES)))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise GalleryError(
                f"cannot read {path}: {error}; restore it from a backup, for without it faces that "
                "were forgotten could come back"
            ) from error

    def write(self, gallery_folder: Path) -> None:
        """Replace the file at once."""
        faces = [
            {
                "face": face.face_id,
                "sha256": face.sha256,
                "box": list(face.box),
                **({"still_us": face.still_us} if face.still_us >= 0 else {}),
            }
            for _, face in sorted(self._by_id.items())
        ]
        document = {"format": FORMAT, "version": VERSION, "faces": faces}
        write_atomically(gallery_folder / FILE, json.dumps(document, indent=0).encode())

    @property
    def ids(self) -> Ids:
        """Of all of them, int64 (n,), ascending."""
        return self._ids

    def among(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of ``ids`` are forgotten."""
        return positions_of(ids, self._ids, ascending=True) >= 0

    def joined(self, faces: Iterable[Tombstone]) -> Tombstones:
        """These and ``faces``."""
        return Tombstones([*self._by_id.values(), *faces])

    def without_photos(self, contents: set[str]) -> Tombstones:
        """Those of other photos than ``contents``, which are SHA-256s."""
        return Tombstones(face for face in self._by_id.values() if face.sha256 not in contents)

    def boxes_of(self, sha256: str) -> NDArray[np.float64]:
        """Where faces of a photo were that are to be forgotten, (n, 4), as its content names it."""
        boxes = [face.box for face in self._of_content.get(sha256, [])]
        return np.array(boxes, np.float64).reshape(-1, 4)

    def times_of(self, sha256: str) -> Ids:
        """When these are seen in their video, in microseconds, int64 (n,); -1 in a photo."""
        return np.array([face.still_us for face in self._of_content.get(sha256, [])], np.int64)


def _parsed(found: Any) -> list[Tombstone]:
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"expected format {FORMAT!r}, got {str(found)[:80]}")
    if found.get("version") != VERSION:
        raise ValueError(f"expected version {VERSION}, got {found.get('version')!r}")
    return [_face(each) for each in found["faces"]]


def _face(found: Any) -> Tombstone:
    face_id, sha256, box = found["face"], found["sha256"], found["box"]
    if type(face_id) is not int or not 0 <= face_id < 2**63:
        raise ValueError(f"expected a face id, got {face_id!r:.80}")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"expected a SHA-256, got {sha256!r:.80}")
    x0, y0, x1, y1 = map(float, box)
    if not np.isfinite([x0, y0, x1, y1]).all():
        raise ValueError(f"expected a box, got {box!r:.80}")
    still_us = found.get("still_us", -1)
    if type(still_us) is not int or not -1 <= still_us < 2**63:
        raise ValueError(f"expected a time in microseconds, got {still_us!r:.80}")
    return Tombstone(face_id, sha256, (x0, y0, x1, y1), still_us)
