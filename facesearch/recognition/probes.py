"""Many probes: a folder of photos and videos, another gallery, or a folder of shards; in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

import numpy as np

from facesearch.embed_stages import EmbedOptions
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.errors import GalleryError
from facesearch.gallery.gallery import DESCRIPTION, Gallery
from facesearch.images import FoundPhoto, find_photos
from facesearch.images.file_access import absolute
from facesearch.recognition.identify import Box, Probe
from facesearch.recognition.photo_stream import ProbeFailure, probes_of
from facesearch.video.types import TimeSpan
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
    span: TimeSpan | None = None


@dataclass(frozen=True)
class ProbePart:
    """``entries`` in order; ``vectors`` float32 (f, d) are those of the faces among them.

    ``probes`` photos, videos or faces were read for it.
    """

    entries: tuple[ProbeFace | ProbeFailure, ...]
    vectors: Vectors
    probes: int


class Probes(Protocol):
    """Probes in units of ``unit``: photos (videos among them), or faces."""

    unit: str

    def __len__(self) -> int: ...

    def digest(self, part: int) -> str:
        """Names what is asked about and how it is cut into parts of ``part`` probes at most."""
        ...

    def parts(self, part: int, first: int) -> Iterator[ProbePart]:
        """Parts of ``part`` probes at most, without the ``first`` parts."""
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
                ProbeFace(str(face.photo.location), face.face_id, face.box, face.quality, face.span)
                for face in self._stored.faces(ids, self._state)
            )
            yield ProbePart(tuple(faces), self._stored.vectors(ids), len(ids))


class PhotoProbes:
    """The faces of photos and videos under a folder: the photos by path, then the videos."""

    unit = "photos"

    def __init__(self, root: Path, engine: FaceEngine, options: EmbedOptions) -> None:
        self._engine = engine
        self._options = options
        found = list(find_photos([absolute(root)], videos=True))
        self._photos = [each for each in found if not each.video]
        self._videos = [each for each in found if each.video]

    def __len__(self) -> int:
        return len(self._photos) + len(self._videos)

    def digest(self, part: int) -> str:
        """Of the files' names, sizes and times, and of what makes vectors of them."""
        settings = sorted(self._engine.settings.items())
        files = ((each.location_bytes, each.size, each.mtime_ns) for each in self._files())
        return _digest(part, self._engine.contract, settings, len(self._videos), *files)

    def parts(self, part: int, first: int) -> Iterator[ProbePart]:
        """Faces of each photo, largest first, and of each video by time, or why there is none.

        A video is a part by itself: reading it may take as long as all photos.
        """
        pieces = [self._photos[at : at + part] for at in range(0, len(self._photos), part)]
        pieces += [[video] for video in self._videos]
        left = pieces[first:]
        read = probes_of(self._engine, chain.from_iterable(left), self._options)
        for piece in left:
            yield self._part(list(islice(read, len(piece))))

    def _files(self) -> Iterator[FoundPhoto]:
        yield from self._photos
        yield from self._videos

    def _part(self, probes: Sequence[Probe | ProbeFailure]) -> ProbePart:
        entries: list[ProbeFace | ProbeFailure] = []
        vectors = [np.zeros((0, self._engine.contract.dimension), np.float32)]
        for probe in probes:
            if isinstance(probe, ProbeFailure):
                entries.append(probe)
            elif not probe.boxes:
                entries.append(ProbeFailure(str(probe.photo), NO_FACE, "no face was found"))
            else:
                order = probe.order
                vectors.append(probe.vectors[order])
                entries += [
                    ProbeFace(
                        str(probe.photo),
                        number,
                        probe.boxes[row],
                        probe.qualities[row],
                        probe.span(row),
                    )
                    for number, row in enumerate(order, 1)
                ]
        return ProbePart(tuple(entries), np.concatenate(vectors), len(probes))


def _digest(*values: object) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(repr(value).encode() + b"\n")
    return digest.hexdigest()
