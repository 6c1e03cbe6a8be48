"""Embeddings kept between runs, by what made them and the SHA-256 of the photo they are of."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.types import EncoderContract
from indexer.storage.atomic_files import write_atomically
from indexer.types import check_unit_vectors

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CachedPhoto:
    """One photo in v variants: ``vectors`` float32 (v, d) and ``states`` uint8 (v,)."""

    vectors: NDArray[np.float32]
    states: NDArray[np.uint8]


class EmbeddingCache:
    """The records of one contract, its settings and one way of embedding; a file each in a folder.

    A damaged file is rebuilt: it only holds what can be computed again.
    """

    def __init__(
        self, folder: Path, contract: EncoderContract, settings: dict[str, float], way: str
    ) -> None:
        made_by = {"contract": dataclasses.asdict(contract), "settings": settings, "way": way}
        self._made_by = json.dumps(made_by, sort_keys=True)
        name = hashlib.sha256(self._made_by.encode()).hexdigest()[:16]
        self.path = folder / f"embeddings-{name}.npz"
        self._records = self._load() if self.path.exists() else {}
        self._saved = len(self._records)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def digests(self) -> frozenset[str]:
        """The photos there are records of."""
        return frozenset(self._records)

    @property
    def unsaved(self) -> int:
        """Records added since the last :meth:`save`."""
        return len(self._records) - self._saved

    def get(self, digest: str) -> CachedPhoto:
        """The record of a photo in :attr:`digests`."""
        return self._records[digest]

    def add(self, digest: str, record: CachedPhoto) -> None:
        """Keep a record; it is on disk after :meth:`save`."""
        self._records[digest] = record

    def save(self) -> None:
        """Write all records, whole or not at all, if there are new ones."""
        if not self.unsaved:
            return
        records = list(self._records.values())
        stream = io.BytesIO()
        np.savez(
            stream,
            made_by=np.array(self._made_by),
            digests=np.array(list(self._records)),
            vectors=np.array([record.vectors for record in records]),
            states=np.array([record.states for record in records]),
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, stream.getvalue())
        self._saved = len(self._records)

    def _load(self) -> dict[str, CachedPhoto]:
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in ("made_by", "digests", "vectors", "states")}
            self._check(arrays)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            logger.warning("rebuilding the embeddings in %s: %s", self.path, error)
            return {}
        return {
            str(digest): CachedPhoto(vectors, states)
            for digest, vectors, states in zip(
                arrays["digests"], arrays["vectors"], arrays["states"], strict=True
            )
        }

    def _check(self, arrays: dict[str, NDArray[Any]]) -> None:
        if str(arrays["made_by"]) != self._made_by:
            raise ValueError("they were made in another way")
        vectors, states = arrays["vectors"], arrays["states"]
        shape = vectors.shape[:2]
        if vectors.ndim != 3 or vectors.dtype != np.float32 or states.shape != shape:
            raise ValueError(f"vectors {vectors.dtype} {vectors.shape}, states {states.shape}")
        check_unit_vectors(vectors.reshape(-1, vectors.shape[2]))
