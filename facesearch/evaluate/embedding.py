"""Labelled photos to vectors: one face a photo, failures kept, with a cache between runs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections, Pixels
from facesearch.engine import DECODE_SIDE, FaceEngine
from facesearch.errors import InputError, PhotoError
from facesearch.evaluate.choose import choose_face
from facesearch.images import decode_photo

PHOTO_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".avif")
)
NEVER = 4.0  # the farthest that unit vectors can be apart: what a photo without a face is from all
_BATCH = 32  # photos

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Alteration:
    """A way to make photos worse; ``apply`` takes and gives RGB uint8 (h, w, 3).

    ``name`` identifies it in the cache. With ``keep_boxes``, faces are found in the photo as it
    was and only cut out of the altered one, so that the encoder alone is put to the test.
    """

    name: str
    apply: Callable[[Pixels], Pixels]
    keep_boxes: bool = False


@dataclass(frozen=True)
class PhotoFailure:
    """A photo that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class EmbeddedPhotos:
    """n photos: ``paths`` below a root and whose they are, ``vectors`` float32 (n, d) of unit
    length, ``found`` bool (n,): whether there was a face (its vector is zeros where not)."""

    paths: tuple[str, ...]
    people: tuple[str, ...]
    vectors: NDArray[np.float32]
    found: NDArray[np.bool_]
    failures: tuple[PhotoFailure, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def numbered_people(self) -> NDArray[np.int64]:
        """The people as numbers int64 (n,) from 0, in the order of their names."""
        return np.unique(np.array(self.people), return_inverse=True)[1].astype(np.int64)


def labelled_photos(root: Path) -> tuple[str, ...]:
    """The photos ``person/photo.jpg`` below ``root``, sorted; hidden files are passed over.

    Raises :class:`InputError` where there are fewer than two people.
    """
    if not root.is_dir():
        raise InputError(f"expected a folder with a folder for each person, got {root}")
    paths = tuple(
        path.relative_to(root).as_posix()
        for path in sorted(root.glob("*/*"))
        if path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")
    )
    if len({path.partition("/")[0] for path in paths}) < 2:
        raise InputError(
            f"expected photos of two people or more as {root}/PERSON/PHOTO.jpg, "
            f"found {len(paths)} photos"
        )
    return paths


def embed_photos(
    engine: FaceEngine,
    root: Path,
    paths: Sequence[str],
    *,
    cache: Path | None = None,
    alteration: Alteration | None = None,
    progress: Progress | None = None,
) -> EmbeddedPhotos:
    """The labelled face of each of ``paths`` below ``root``; whose it is, is the folder it is in.

    Which face that is, where a photo shows several, :func:`choose_face` tells. A photo that cannot
    be read is a failure and has no face. ``cache``: a folder for vectors, used again as long as
    encoder, settings, path, size and time of change are the same.
    """
    store = _Cache.open(cache, engine, root, alteration)
    todo = [path for path in paths if path not in store.entries]
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(todo), _BATCH):
            batch = todo[start : start + _BATCH]
            decoded = list(pool.map(lambda path: _decode(root / path), batch))
            _embed_batch(engine, batch, decoded, alteration, store)
            if progress is not None:
                progress(start + len(batch), len(todo))
    if todo:
        store.save()
    return _gathered(paths, store, engine.contract.dimension)


def _gathered(paths: Sequence[str], store: _Cache, dimension: int) -> EmbeddedPhotos:
    vectors = np.zeros((len(paths), dimension), np.float32)
    found = np.zeros(len(paths), np.bool_)
    for row, path in enumerate(paths):
        vector = store.entries.get(path)
        if vector is not None:
            vectors[row], found[row] = vector, True
    people = tuple(Path(path).parts[0] for path in paths)
    return EmbeddedPhotos(tuple(paths), people, vectors, found, tuple(store.failures))


def _decode(path: Path) -> Pixels | str:
    """The pixels, or why there are none."""
    try:
        return decode_photo(path, max_side=DECODE_SIDE).pixels
    except (PhotoError, OSError) as error:
        return str(error)


def _embed_batch(
    engine: FaceEngine,
    paths: Sequence[str],
    decoded: Sequence[Pixels | str],
    alteration: Alteration | None,
    store: _Cache,
) -> None:
    readable: list[str] = []
    photos: list[Pixels] = []
    for path, pixels in zip(paths, decoded, strict=True):
        if isinstance(pixels, str):
            log.warning("%s: %s", path, pixels)
            store.failures.append(PhotoFailure(path, pixels))
        else:
            readable.append(path)
            photos.append(pixels)
    faces = _chosen_faces(engine, photos, alteration)
    store.entries.update(zip(readable, faces, strict=True))


def _chosen_faces(
    engine: FaceEngine, photos: list[Pixels], alteration: Alteration | None
) -> list[NDArray[np.float32] | None]:
    altered = photos if alteration is None else [alteration.apply(photo) for photo in photos]
    searched = photos if alteration is not None and alteration.keep_boxes else altered
    found = [
        _chosen(each, photo).scaled(used.shape[1] / photo.shape[1])
        for each, photo, used in zip(engine.detect(searched), searched, altered, strict=True)
    ]
    faces = engine.embed(altered, found)
    return [each.embeddings.vectors[0] if len(each) else None for each in faces]


def _chosen(detections: Detections, photo: Pixels) -> Detections:
    row = choose_face(detections, (photo.shape[1], photo.shape[0]))
    rows = slice(0, 0) if row is None else slice(row, row + 1)
    return Detections(detections.boxes[rows], detections.landmarks[rows], detections.scores[rows])


@dataclass
class _Cache:
    """Vectors by path, None where there is no face; kept in ``file`` unless that is None.

    ``failures`` are of this run, and tried again in the next.
    """

    file: Path | None
    root: Path
    entries: dict[str, NDArray[np.float32] | None] = field(default_factory=dict)
    failures: list[PhotoFailure] = field(default_factory=list)

    @classmethod
    def open(
        cls, folder: Path | None, engine: FaceEngine, root: Path, alteration: Alteration | None
    ) -> _Cache:
        if folder is None:
            return cls(None, root)
        described = [
            dataclasses.asdict(engine.contract),
            engine.settings,
            str(root.resolve()),
            (alteration.name, alteration.keep_boxes) if alteration else None,
        ]
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
        store = cls(folder / f"{digest[:16]}.npz", root)
        store.load()
        return store

    def load(self) -> None:
        """Read the file's entries of photos that have not changed since."""
        if self.file is None or not self.file.exists():
            return
        try:
            with np.load(self.file, allow_pickle=False) as kept:
                rows = zip(kept["keys"], kept["found"], kept["vectors"], strict=True)
                for key, found, vector in rows:
                    path = str(key).rsplit("|", 2)[0]
                    if self._key(path) == key:
                        self.entries[path] = vector if found else None
        except (OSError, ValueError, KeyError) as error:
            log.warning("the cache %s cannot be used and is made again: %s", self.file, error)

    def save(self) -> None:
        """Write all entries, to a file beside the old one first."""
        if self.file is None or not self.entries:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        dimension = max(0 if vector is None else len(vector) for vector in self.entries.values())
        none = np.zeros(dimension, np.float32)
        partial = self.file.with_suffix(".partial.npz")
        np.savez(
            partial,
            keys=np.array([self._key(path) for path in self.entries]),
            found=np.array([vector is not None for vector in self.entries.values()]),
            vectors=np.stack([none if v is None else v for v in self.entries.values()]),
        )
        partial.replace(self.file)

    def _key(self, path: str) -> str:
        try:
            status = (self.root / path).stat()
        except OSError:
            return f"{path}|gone|"
        return f"{path}|{status.st_size}|{status.st_mtime_ns}"
