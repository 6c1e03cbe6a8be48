"""Many probes: a folder of photos, another gallery, or a folder of shards; in parts, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np

from facesearch.embed import EmbedOptions, processed_photos
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.errors import GalleryError
from facesearch.gallery.gallery import DESCRIPTION, Gallery
from facesearch.images import DecodeTask, find_photos
from facesearch.images.file_access import absolute
from facesearch.recognition.identify import Box, largest_first
from indexer.storage.shards import Shard, list_shards
from indexer.types import Vectors

NO_FACE = "no-face"


@dataclass(frozen=True)
class ProbeFace:
    """A face asked about; see :class:`MatchRow` for the columns."""

    photo: str
    face: int
    box: Box
    quality: float


@dataclass(frozen=True)
class ProbeFailure:
    """A photo that no face can be asked about of, and why."""

    photo: str
    reason: str
    detail: str


@dataclass(frozen=True)
class ProbePart:
    """``entries`` in order; ``vectors`` float32 (f, d) are those of the faces among them.

    ``probes`` photos or faces were read for it.
    """

    entries: tuple[ProbeFace | ProbeFailure, ...]
    vectors: Vectors
    probes: int


class Probes(Protocol):
    """``count`` probes in units of ``unit`` (photos or faces)."""

    unit: str

    def __len__(self) -> int: ...

    def digest(self, part: int) -> str:
        """Names what is asked about and how it is cut into parts of ``part`` probes."""
        ...

    def parts(self, part: int, first: int) -> Iterator[ProbePart]:
        """Parts of ``part`` probes each, without the ``first`` ones."""
        ...


def open_probes(
    path: Path, gallery: Gallery, engine: Callable[[], FaceEngine], options: EmbedOptions
) -> Probes:
    """What lies at ``path``; ``engine`` is only made for photos.

    Raises ContractError, naming both contracts, where vectors cannot be compared with those of
    ``gallery``; InputError where there is nothing.
    """
    if (path / DESCRIPTION).exists():
        stored = Gallery.open(path)
    elif path.is_dir() and list_shards(path):
        stored = _ShardFolder.of(path)
    else:
        made = engine()
        gallery.require(made.contract)
        return PhotoProbes(path, made, options)
    gallery.require(stored.contract)
    return StoredProbes(stored)


class _ShardFolder(Gallery):
    """Shards without a gallery around them, which is only read."""

    @classmethod
    def of(cls, folder: Path) -> _ShardFolder:
        """The shards in ``folder``; raises GalleryError where they have no encoder contract."""
        with Shard.open(list_shards(folder)[0]) as shard:
            attributes = {"numerics": "fp32", **shard.attributes}
            names = [field.name for field in fields(EncoderContract)]
            try:
                contract = EncoderContract(**{name: attributes[name] for name in names})  # type: ignore[arg-type]
                contract.check()
            except (KeyError, ValueError) as error:
                raise GalleryError(f"{shard.path} has no encoder contract: {error}") from error
            return cls(folder, contract, shard.dtype)

    @property
    def shards_folder(self) -> Path:
        return self.folder


class StoredProbes:
    """The live faces of shards, by id."""

    unit = "faces"

    def __init__(self, stored: Gallery) -> None:
        self._stored = stored
        self._state = stored.state()
        self._ids = self._state.live_ids()

    def __len__(self) -> int:
        return len(self._ids)

    def digest(self, part: int) -> str:
        """Of the shards and the faces that are live."""
        return _digest(part, self._state.digest(), *sorted(self._stored.shard_digests().items()))

    def parts(self, part: int, first: int) -> Iterator[ProbePart]:
        """Faces with their boxes, and their ids as numbers."""
        for start in range(first * part, len(self._ids), part):
            ids = self._ids[start : start + part]
            faces = (
                ProbeFace(str(face.photo.location), face.face_id, face.box, face.quality)
                for face in self._stored.faces(ids, self._state)
            )
            yield ProbePart(tuple(faces), self._stored.vectors(ids), len(ids))


class PhotoProbes:
    """The faces of photos under a folder, in the order of their paths."""

    unit = "photos"

    def __init__(self, root: Path, engine: FaceEngine, options: EmbedOptions) -> None:
        self._engine = engine
        self._options = options
        self._found = list(find_photos([absolute(root)]))

    def __len__(self) -> int:
        return len(self._found)

    def digest(self, part: int) -> str:
        """Of the photos' names, sizes and times, and of what makes vectors of them."""
        settings = sorted(self._engine.settings.items())
        photos = ((p.location_bytes, p.size, p.mtime_ns) for p in self._found)
        return _digest(part, self._engine.contract, settings, *photos)

    def parts(self, part: int, first: int) -> Iterator[ProbePart]:
        """Faces of each photo, largest first, or why there is none."""
        tasks = (DecodeTask(photo) for photo in self._found[first * part :])
        entries: list[ProbeFace | ProbeFailure] = []
        vectors: list[Vectors] = []
        probes = 0
        for outcome, faces in processed_photos(self._engine, tasks, self._options):
            photo, probes = str(outcome.found.location), probes + 1
            if outcome.photo is None or faces is None:
                entries.append(ProbeFailure(photo, outcome.reason, outcome.detail))
            elif not len(faces):
                entries.append(ProbeFailure(photo, NO_FACE, "no face was found"))
            else:
                boxes = faces.detections.boxes / outcome.photo.scale
                for number, row in enumerate(largest_first(boxes.tolist()), 1):
                    x0, y0, x1, y1 = boxes[row].tolist()
                    quality = float(faces.qualities.quality[row])
                    entries.append(ProbeFace(photo, number, (x0, y0, x1, y1), quality))
                    vectors.append(faces.embeddings.vectors[row : row + 1])
            if probes == part:
                yield self._part(entries, vectors, probes)
                entries, vectors, probes = [], [], 0
        if probes:
            yield self._part(entries, vectors, probes)

    def _part(
        self, entries: list[ProbeFace | ProbeFailure], vectors: list[Vectors], probes: int
    ) -> ProbePart:
        none = np.zeros((0, self._engine.contract.dimension), np.float32)
        return ProbePart(tuple(entries), np.concatenate([none, *vectors]), probes)


def _digest(*values: object) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(repr(value).encode() + b"\n")
    return digest.hexdigest()
