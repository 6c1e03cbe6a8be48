"""The gallery: a folder of sealed shards with photos, faces and vectors.

Photo rows are a log. The newest row of a location tells its present state; faces belong to the
*content* of a photo (its SHA-256), so a moved or copied photo keeps its faces, and a face is live
as long as some location still holds its photo's content.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from facesearch.argument_checks import choice, instance, path_of
from facesearch.encoders.types import EncoderContract
from facesearch.errors import ContractError, GalleryError, InputError
from facesearch.gallery.description import (
    DESCRIPTION,
    SHARDS,
    DType,
    GalleryDescription,
    holds_contract,
    is_vacant,
    parse_settings,
    read_description,
    require_contract,
    settings_text,
    write_description,
)
from facesearch.gallery.locks import (
    presentation_lock,
    remove_staged,
    require_unsealed,
    writer_lock,
)
from facesearch.gallery.photo_log import PhotoLog, ShardLog
from facesearch.gallery.records import (
    FaceRecord,
    FacesWithVectors,
    face_photos,
    face_qualities,
    face_records,
)
from facesearch.gallery.shards.digests import continues, digest_or_none, recorded_digest
from facesearch.gallery.shards.leases import end_leases, next_number, note_number
from facesearch.gallery.state import GalleryState
from facesearch.gallery.state_cache import FILE as STATE_FILE
from facesearch.gallery.state_cache import CachedLog, read_state, write_state
from facesearch.gallery.tombstones import Tombstones
from indexer.storage.atomic_files import make_folder, require_folder, write_atomically
from indexer.storage.plain_files import read_json
from indexer.storage.shards import Shard, list_shards, remove_partials, shard_path
from indexer.types import Block, Ids, Vectors, make_ids, split_ids

__all__ = ["DESCRIPTION", "DType", "Gallery", "GalleryState", "require_gallery", "settings_text"]

logger = logging.getLogger(__name__)

SETTINGS = "settings.json"
FOLDERS = ("shards", "clusters", "index")


class Gallery:
    """A gallery on disk. Open with :meth:`open` or :meth:`create`, never directly."""

    def __init__(
        self,
        folder: Path,
        contract: EncoderContract,
        dtype: DType,
        shards: str = SHARDS,
        comparable: tuple[EncoderContract, ...] = (),
    ) -> None:
        self.folder = folder
        self.contract = contract
        self.dtype: DType = dtype
        self._shards = shards
        # Of earlier encoders, whose vectors some shards still hold.
        self.comparable = comparable
        self._is_writer = False

    @classmethod
    def create(
        cls, folder: str | os.PathLike[str], contract: EncoderContract, dtype: DType = "float16"
    ) -> Gallery:
        """Make an empty gallery in ``folder``, which must be absent or empty."""
        folder = path_of(folder, "folder for a gallery")
        instance(contract, EncoderContract, "an EncoderContract", "an engine has it as contract")
        choice(dtype, get_args(DType), "dtype")
        require_unsealed(folder)
        if folder.exists() and not is_vacant(folder):
            raise InputError(
                f"{folder} exists and is not a gallery; name a new or empty folder, "
                "or an existing gallery"
            )
        make_folder(folder)
        gallery = cls(folder, contract, dtype)
        gallery.describe(datetime.now(UTC).isoformat(timespec="seconds"))
        return gallery

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Gallery:
        """Open an existing gallery; raises :class:`GalleryError` where there is none.

        Raises EncryptedGalleryError for an encrypted one: see ``facesearch.unlocked_gallery``.
        """
        folder = path_of(folder, "folder of a gallery")
        require_unsealed(folder)
        said = read_description(folder)
        return cls(folder, said.contract, said.dtype, said.shards, said.comparable)

    @classmethod
    def open_or_create(
        cls, folder: Path, contract: EncoderContract, dtype: DType = "float16"
    ) -> Gallery:
        """The gallery in ``folder`` if there is one (of equal contract), else a new one."""
        if not (folder / DESCRIPTION).exists():
            return cls.create(folder, contract, dtype)
        gallery = cls.open(folder)
        gallery.require(contract)
        return gallery

    def require(self, contract: EncoderContract) -> None:
        """Raise :class:`ContractError` unless this gallery holds vectors of ``contract``."""
        differences = self.contract.differences(contract)
        if differences:
            raise ContractError(
                f"the gallery {self.folder} holds vectors of {self.contract.name!r}, which cannot "
                f"be compared with those of {contract.name!r} ({'; '.join(differences)}); use the "
                "encoder and detector the gallery was made with, or start a new gallery"
            )

    @property
    def settings(self) -> dict[str, float]:
        """The detector settings photos were last indexed with; empty before the first time."""
        path = self.folder / SETTINGS
        try:
            return parse_settings(read_json(path))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise GalleryError(
                f"cannot read {path}: {error}; delete it, and the next job notes its settings"
            ) from error

    def note_settings(self, settings: Mapping[str, float]) -> None:
        """Remember the detector settings; a change is logged, for it is not made up for."""
        before = self.settings
        if before == settings:
            return
        if before:
            logger.warning(
                "photos indexed before were searched with %s and are not searched again with %s; "
                "for the same settings everywhere, index into a new gallery",
                settings_text(before),
                settings_text(settings),
            )
        write_atomically(self.folder / SETTINGS, json.dumps(dict(settings)).encode())

    @property
    def shards_folder(self) -> Path:
        return self.folder / self._shards

    def describe(self, created_at: str) -> None:
        """Write the description that makes the folder this gallery."""
        described = GalleryDescription(self.contract, self.dtype, self._shards, self.comparable)
        write_description(self.folder / DESCRIPTION, created_at, described)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the gallery's only writer's lock; leftovers of a killed writer are removed.

        Who holds it may ask for it again. Raises BusyGalleryError while another process holds it,
        StorageError where a link stands for a folder of the gallery.
        """
        if self._is_writer:
            yield
            return
        with writer_lock(self.folder):
            self._require_folders()
            end_leases(self.folder)
            remove_partials(self.shards_folder)
            remove_staged(self.folder)
            self.note_shard_numbers()
            self._is_writer = True
            try:
                yield
            finally:
                self._is_writer = False

    def _require_folders(self) -> None:
        make_folder(self.shards_folder)
        for name in FOLDERS:
            if os.path.lexists(self.folder / name):
                require_folder(self.folder / name)

    @contextmanager
    def presenting(self) -> Iterator[None]:
        """Hold off :meth:`erasing` while what is read here is written elsewhere, as in a report.

        Raises BusyGalleryError where faces are being forgotten for longer than a minute.
        """
        with presentation_lock(self.folder, alone=False):
            yield

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """Wait until nobody is :meth:`presenting`, and let nobody begin.

        Raises BusyGalleryError where that takes longer than a minute.
        """
        with presentation_lock(self.folder, alone=True):
            yield

    def shard_paths(self) -> list[Path]:
        """Sealed shards, in order of number."""
        return list_shards(self.shards_folder) if self.shards_folder.exists() else []

    def shard_digests(self) -> dict[str, str]:
        """File name to recorded SHA-256 of every sealed shard."""
        return {path.name: recorded_digest(path) for path in self.shard_paths()}

    def next_shard_number(self) -> int:
        """A number no shard of this gallery ever had, so that face ids are never used again."""
        return next_number(self.folder, self.shards_folder)

    def note_shard_numbers(self) -> None:
        """Remember the numbers in use, should a shard be lost or taken out by hand."""
        note_number(self.folder, self.next_shard_number())

    def state(self, *, ignore_cache: bool = False) -> GalleryState:
        """Fold all photo tables, in some 200 bytes a photo and some tens of bytes a face.

        The gallery's writer keeps the fold in ``state.h5``, so that only tables of shards that are
        not in it are read; with ``ignore_cache`` all are read.
        """
        paths = self.shard_paths()
        digests = {path.name: digest_or_none(path) for path in paths}
        kept = None if ignore_cache else read_state(self.folder, self.contract)
        if kept is None or not continues(digests, kept.shards):
            kept = CachedLog(PhotoLog.empty(), {})
            if self._is_writer:  # It names photos of shards that may have been taken out.
                with suppress(OSError):
                    (self.folder / STATE_FILE).unlink(missing_ok=True)
        log = kept.log
        new = [path for path in paths if path.name not in kept.shards]
        if new:
            log = log.extended([self._photo_part(path) for path in new])
            if self._is_writer:
                self._keep(log, digests)
        # Read last: shards that lack forgotten faces already were rewritten after this was.
        return GalleryState.of(log, Tombstones.read(self.folder).ids)

    def _photo_part(self, path: Path) -> ShardLog:
        with Shard.open(path) as shard:
            self._require_shard(shard)
            return ShardLog.read(shard)

    def _keep(self, log: PhotoLog, digests: Mapping[str, str | None]) -> None:
        shards = {name: digest for name, digest in digests.items() if digest}
        if len(shards) < len(digests):
            return
        try:
            write_state(self.folder, CachedLog(log, shards), self.contract)
        except OSError as error:
            logger.warning("the state of %s was not kept: %s", self.folder, error)

    def blocks(self, state: GalleryState) -> Iterator[Block]:
        """Live faces, one or more blocks a shard, ids ascending.

        Raises ChangedGalleryError where some of them were forgotten since ``state`` was read, as
        all that reads faces does.
        """
        return self.live_blocks(state.live)

    def live_blocks(self, live: Mapping[int, NDArray[np.int64]]) -> Iterator[Block]:
        """As :meth:`blocks`, of the rows ``live``, ascending, of shards by number."""
        for path in self.shard_paths():
            rows = live.get(int(path.stem))
            if rows is None or not len(rows):
                continue
            keep = np.zeros(int(rows[-1]) + 1, bool)
            keep[rows] = True
            with Shard.open(path) as shard:
                face_photos(shard, rows)
                for block in shard.blocks():
                    _, block_rows = split_ids(block.ids)
                    kept = keep[block_rows[block_rows < len(keep)]].nonzero()[0]
                    if len(kept):
                        yield Block(block.ids[kept], block.vectors[kept])

    def vectors(self, ids: Ids) -> Vectors:
        """Vectors of ``ids``, float32 (n, d), in that order; each shard is opened once."""
        numbers, rows = split_ids(ids)
        vectors = np.zeros((len(ids), self.contract.dimension), np.float32)
        for number, picked in _by_shard(numbers):
            with self._shard(number) as shard:
                face_photos(shard, rows[picked])
                vectors[picked] = shard.vectors(rows[picked])
        return vectors

    def qualities(self, ids: Ids) -> NDArray[np.float32]:
        """Qualities of ``ids``, float32 (n,) in [0, 1] and in that order; NaN: not measured."""
        numbers, rows = split_ids(ids)
        qualities = np.zeros(len(ids), np.float32)
        for number, picked in _by_shard(numbers):
            with self._shard(number) as shard:
                qualities[picked] = face_qualities(shard, rows[picked])
        return qualities

    def faces(self, ids: Ids, state: GalleryState) -> list[FaceRecord]:
        """Records of live faces ``ids``, in that order."""
        numbers, rows = split_ids(ids)
        found: dict[int, FaceRecord] = {}
        for number, picked in _by_shard(numbers):
            with self._shard(number) as shard:
                for record in face_records(shard, rows[picked], state.shown):
                    found[record.face_id] = record
        return [found[int(face_id)] for face_id in ids]

    def faces_with_vectors(self, ids: Ids, state: GalleryState) -> FacesWithVectors:
        """Records and vectors of live faces ``ids``, in that order; each shard is opened once."""
        numbers, rows = split_ids(ids)
        vectors = np.zeros((len(ids), self.contract.dimension), np.float32)
        found: dict[int, FaceRecord] = {}
        for number, picked in _by_shard(numbers):
            with self._shard(number) as shard:
                vectors[picked] = shard.vectors(rows[picked])
                for record in face_records(shard, rows[picked], state.shown):
                    found[record.face_id] = record
        return FacesWithVectors(tuple(found[int(face_id)] for face_id in ids), vectors)

    def faces_of_photo(self, photo_id: int) -> Ids:
        """Ids of the faces found in the photo whose content row is ``photo_id``."""
        (number,), (row,) = split_ids(np.array([photo_id]))
        with self._shard(int(number)) as shard:
            return make_ids(shard.number, np.flatnonzero(shard.column("faces", "photo") == row))

    def _shard(self, number: int) -> Shard:
        return Shard.open(shard_path(self.shards_folder, number))

    def _require_shard(self, shard: Shard) -> None:
        contracts = (self.contract, *self.comparable)
        if not any(holds_contract(shard, each) for each in contracts):
            # An upgrade may have begun since this gallery was opened.
            now = read_description(self.folder)
            if self.contract in now.comparable:
                self.comparable = (now.contract, *now.comparable)
            require_contract(shard, self.folder, (self.contract, *self.comparable))


def _by_shard(numbers: Ids) -> Iterator[tuple[int, NDArray[np.int64]]]:
    for number in np.unique(numbers):
        yield int(number), np.flatnonzero(numbers == number)


def require_gallery(gallery: Gallery) -> None:
    """Raise InputError for anything but a Gallery, such as its folder."""
    instance(gallery, Gallery, "a Gallery", "open it with Gallery.open(folder)")
