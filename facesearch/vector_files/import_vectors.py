"""A gallery of vectors that were made elsewhere: sealed shards as of photos that are not here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.errors import ContractError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord, photo_table
from facesearch.gallery.state import GalleryState
from facesearch.people.store import PeopleStore
from facesearch.vector_files.face_rows import (
    ImportedFaces,
    Refusals,
    RefusedRow,
    imported_faces,
)
from facesearch.vector_files.sources import VectorSource
from indexer.storage.shards import ShardContent, shard_path, write_shard
from indexer.types import Ids, make_ids

SHARD_FACES = 50_000


@dataclass(frozen=True)
class VectorImportReport:
    """Rows of the file by what became of them.

    ``faces`` were imported, of ``photos`` photos, in ``shards`` new shards; ``named`` of them got a
    name. ``known`` rows are of photos that the gallery had before. ``refused`` counts the other
    rows by reason, of which ``examples`` are the first.
    """

    gallery: Path
    rows: int
    faces: int
    photos: int
    shards: int
    named: int
    known: int
    refused: dict[str, int]
    examples: tuple[RefusedRow, ...]


def import_vectors(
    gallery: Gallery,
    source: VectorSource,
    root: Path,
    *,
    normalise: bool = False,
    shard_faces: int = SHARD_FACES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> VectorImportReport:
    """Add the vectors of ``source`` to ``gallery``, as faces of photos that are not here.

    Each shard is sealed whole, with its names after it: an import that was killed goes on when it
    is started again, for rows of photos that the gallery has are skipped. Faces get new ids, in the
    order of the file. ``root`` is where photos lie whose folder the file does not name. Raises
    ContractError where the vectors have another dimension or encoder than the gallery,
    BusyGalleryError while another process writes to it.
    """
    if source.contract is not None:
        gallery.require(source.contract)
    if source.dimension != gallery.contract.dimension:
        raise ContractError(
            f"expected vectors of {gallery.contract.dimension} components, as {gallery.folder} "
            f"holds of {gallery.contract.name!r}, got {source.dimension}"
        )
    with gallery.writing():
        job = _Import(gallery, gallery.state(), shard_faces)
        done = 0
        for block in source.blocks():
            job.add(imported_faces(block, str(root), job.refusals, normalise=normalise))
            done += len(block)
            progress(done, source.count)
        job.finish()
        gallery.state()  # keeps the state for the commands that follow
    return VectorImportReport(
        gallery.folder,
        done,
        job.faces,
        job.photos,
        job.shards,
        job.named,
        job.known,
        dict(job.refusals.reasons),
        tuple(job.refusals.first),
    )


class _Pending:
    """Faces of the shard that is being filled, and their photos by location."""

    def __init__(self) -> None:
        self.rows: dict[bytes, int] = {}
        self.photos: list[PhotoRecord] = []
        self.of_face: list[int] = []
        self.vectors: list[Any] = []
        self.names: list[str | None] = []
        self.values: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self.of_face)

    def take(self, faces: ImportedFaces, face: int) -> None:
        """Add one of ``faces``."""
        photo = faces.photos[face]
        row = self.rows.setdefault(photo.location_bytes, len(self.photos))
        if row == len(self.photos):
            self.photos.append(photo)
        self.of_face.append(row)
        self.vectors.append(faces.vectors[face])
        self.names.append(faces.names[face])
        self.values.append({name: each[face] for name, each in faces.values.items()})

    def split(self) -> tuple[_Pending, _Pending]:
        """The faces of all photos but that of the last face, and those of this one."""
        done, left = _Pending(), _Pending()
        last = self.of_face[-1]
        for face, row in enumerate(self.of_face):
            part, photo = (left if row == last else done), self.photos[row]
            place = part.rows.setdefault(photo.location_bytes, len(part.photos))
            if place == len(part.photos):
                part.photos.append(photo)
            part.of_face.append(place)
            part.vectors.append(self.vectors[face])
            part.names.append(self.names[face])
            part.values.append(self.values[face])
        return done, left


class _Import:
    """Fills shards and counts what becomes of the rows."""

    def __init__(self, gallery: Gallery, state: GalleryState, shard_faces: int) -> None:
        self._gallery, self._state, self._most = gallery, state, shard_faces
        self._pending = _Pending()
        self._limit = shard_faces  # a photo with more faces than a shard has makes a larger one
        self._sealed: set[bytes] = set()  # locations of photos of this import
        self._locations: dict[bytes, bytes] = {}  # of all its photos, by SHA-256
        self.refusals = Refusals()
        self.faces = self.photos = self.shards = self.named = self.known = 0

    def add(self, faces: ImportedFaces) -> None:
        """Take the rows of a block that are new."""
        for face, photo in enumerate(faces.photos):
            if photo.sha256 in self._state.contents:
                self.known += 1
                continue
            problem = self._problem(photo)
            if problem:
                self.refusals.add(int(faces.rows[face]), *problem)
                continue
            self._pending.take(faces, face)
            if len(self._pending) >= self._limit:
                self._seal_full()

    def finish(self) -> None:
        """Seal what is left."""
        self._seal(self._pending)
        self._pending = _Pending()

    def _problem(self, photo: PhotoRecord) -> tuple[str, str] | None:
        """Why a face of ``photo`` cannot be taken: reason and detail."""
        location, digest = photo.location_bytes, bytes.fromhex(photo.sha256)
        if location in self._sealed:
            return (
                "photo-apart",
                f"other faces of {photo.name} came much earlier; order the file by photo",
            )
        row = self._pending.rows.get(location)
        other = None if row is None else self._pending.photos[row].sha256
        there = self._state.photos.get(location)
        if (other or photo.sha256) != photo.sha256 or (there and there.has_content):
            return "other-photo", f"another photo is known by the place {photo.location}"
        if self._locations.setdefault(digest, location) != location:
            return "photo-twice", f"{photo.name} has the sha256 of another photo of the file"
        return None

    def _seal_full(self) -> None:
        """Seal the shard but for the photo of its last face, more of which may come."""
        done, left = self._pending.split()
        self._seal(done)
        self._pending = left
        self._limit = max(self._most, 2 * len(left))

    def _seal(self, pending: _Pending) -> None:
        if not len(pending):
            return
        number = self._gallery.next_shard_number()
        contract = asdict(self._gallery.contract)
        vectors = np.stack(pending.vectors)
        tables = {"photos": photo_table(pending.photos), "faces": _face_columns(pending)}
        content = ShardContent(number, vectors, tables, contract)
        path = shard_path(self._gallery.shards_folder, number)
        write_shard(path, content, dtype=self._gallery.dtype)
        self._gallery.note_shard_numbers()
        self._sealed |= pending.rows.keys()
        self._name(pending.names, make_ids(number, np.arange(len(pending))))
        self.faces += len(pending)
        self.photos += len(pending.photos)
        self.shards += 1

    def _name(self, names: list[str | None], ids: Ids) -> None:
        faces_of: dict[str, list[int]] = {}
        for name, face in zip(names, ids.tolist(), strict=True):
            if name is not None:
                faces_of.setdefault(name, []).append(face)
        if faces_of:
            PeopleStore(self._gallery.folder).enroll_many(faces_of)
        self.named += sum(map(len, faces_of.values()))


def _face_columns(pending: _Pending) -> dict[str, Any]:
    columns = {
        name: np.stack([each[name] for each in pending.values]) for name in pending.values[0]
    }
    columns["landmarks"] = columns["landmarks"].reshape(len(pending), 5, 2)
    return {"photo": np.array(pending.of_face, np.int32), **columns}
