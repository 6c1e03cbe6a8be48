"""The receipt of a forgetting: enough to find again what was deleted, and nothing else of it.

Of each vector the receipt holds digests of some of its bytes, in every form in which a gallery
stores vectors one after the other: salted, so that they only serve to recognise a vector that
somebody has already. A search computes a rolling hash of every place of every file and compares it
with those of the receipt (Karp and Rabin 1987, "Efficient randomized pattern-matching algorithms").
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.erasure.gallery_files import RECEIPTS, all_files, pieces
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from indexer.storage.atomic_files import make_folder, replacing_file
from indexer.storage.plain_files import read_json
from indexer.storage.shards import Shard, shard_path
from indexer.types import Ids

FORMAT = "facesearch-erasure"
VERSION = 1
ENCODINGS = ("<f2", "<f4", "<f8")
WINDOW = 32  # bytes: 16 components of float16, 4 of float64
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it can be undone modulo 2^64
_MOST_BYTES = 1 << 28


@dataclass
class ForgetReport:
    """``faces`` forgotten now; ``named`` of all that were deleted had a name.

    Of the people named, ``decided`` faces were theirs by decision, ``clustered`` ones by the last
    clustering alone. ``shards`` were replaced and ``clusterings`` rewritten. ``removed`` are files
    and folders that were derived from faces now forgotten and can be made again; ``sidecars``
    files beside photos that were removed. ``elsewhere`` are folders that reports or sidecars were
    written to, out of reach from here. ``receipt`` proves what was done; ``searched`` files were
    looked through for what was deleted, and ``found`` are those in which some of it is left.
    ``digest`` names what a preview would delete, and is None of what was done.
    """

    faces: int = 0
    decided: int = 0
    clustered: int = 0
    named: int = 0
    shards: int = 0
    clusterings: int = 0
    removed: list[str] = field(default_factory=list)
    sidecars: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    searched: int = 0
    receipt: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Traces:
    """What is looked for after faces were deleted.

    ``contents`` are the SHA-256s of their photos. ``hashes`` uint64 (m,) are rolling hashes of
    windows of their vectors, ascending, and ``digests`` salted digests of the windows, by hash.
    """

    contents: frozenset[str] = frozenset()
    salt: str = ""
    hashes: tuple[int, ...] = ()
    digests: frozenset[str] = frozenset()

    @classmethod
    def of(cls, gallery: Gallery, ids: Ids) -> Traces:
        """Of the faces ``ids`` int64 (n,), ascending, which shards still hold."""
        salt = secrets.token_hex(16)
        contents, hashes, digests = set[str](), set[int](), set[str]()
        for number in np.unique(ids >> 32).tolist():
            rows = ids[ids >> 32 == number] & 0xFFFFFFFF
            with Shard.open(shard_path(gallery.shards_folder, number)) as shard:
                photos = shard.column("faces", "photo")[rows]
                contents |= {each.decode() for each in shard.column("photos", "sha256")[photos]}
                vectors = shard.vectors(rows)
            for window in _windows(vectors):
                hashes.add(int(rolling_hashes(np.frombuffer(window, np.uint8), len(window))[0]))
                digests.add(_digest(salt, window))
        return cls(frozenset(contents), salt, tuple(sorted(hashes)), frozenset(digests))

    def found(self, folder: Path) -> list[Path]:
        """Files below ``folder`` in which a window of a vector is, at any place."""
        if not self.hashes:
            return []
        return [path for path in all_files(folder) if self._in(path)]

    def _in(self, path: Path) -> bool:
        wanted = np.array(self.hashes, np.uint64)
        return any(
            _digest(self.salt, bytes(piece[start : start + WINDOW])) in self.digests
            for data, _, _ in pieces(path, WINDOW)
            for piece in [np.frombuffer(data, np.uint8)]
            for start in np.flatnonzero(np.isin(rolling_hashes(piece, WINDOW), wanted)).tolist()
        )


@dataclass(frozen=True)
class Receipt:
    """What was forgotten, and how to look for it. ``searched`` is how many files were."""

    created_at: str
    faces: tuple[int, ...]
    named: int
    shards: int
    clusterings: int
    removed: tuple[str, ...]
    sidecars: int
    searched: int
    found: tuple[str, ...]
    traces: Traces

    @classmethod
    def of(cls, ids: Ids, report: ForgetReport, traces: Traces) -> Receipt:
        """Of a forgetting that is done."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(
            now, tuple(ids.tolist()), report.named, report.shards, report.clusterings,
            tuple(report.removed), len(report.sidecars), report.searched, tuple(report.found),
            traces,
        )  # fmt: skip


def write_receipt(gallery: Gallery, receipt: Receipt, path: Path | None = None) -> str:
    """Write a receipt to the new file ``path``, by default one in the gallery; returns where.

    It names no photo and no person. Raises StorageError where it cannot be written.
    """
    if path is None:
        folder = gallery.folder / RECEIPTS
        make_folder(folder)
        taken = [int(each.stem) for each in folder.glob("*.json") if each.stem.isdecimal()]
        path = folder / f"{max(taken, default=-1) + 1:06d}.json"
    traces = receipt.traces
    windows = {
        "bytes": WINDOW,
        "encodings": ENCODINGS,
        "salt": traces.salt,
        "hashes": [f"{each:016x}" for each in traces.hashes],
        "digests": sorted(traces.digests),
    }
    said = {key: value for key, value in vars(receipt).items() if key != "traces"}
    document = {"format": FORMAT, "version": VERSION, **said, "windows": windows}
    with replacing_file(path, replace=False) as file:
        file.write(json.dumps(document, indent=1).encode())
    return str(path)


def read_receipt(path: Path) -> Receipt:
    """What :func:`write_receipt` wrote; raises InputError for anything else."""
    try:
        found = read_json(path.resolve(), _MOST_BYTES)
        if (found["format"], found["version"]) != (FORMAT, VERSION):
            raise ValueError(f"expected format {FORMAT!r}, version {VERSION}")
        windows = found["windows"]
        if windows["bytes"] != WINDOW:
            raise ValueError(f"expected windows of {WINDOW} bytes, got {windows['bytes']}")
        hashes = tuple(sorted(int(each, 16) for each in windows["hashes"]))
        digests = frozenset(map(str, windows["digests"]))
        bytes.fromhex(windows["salt"])
        faces = tuple(map(int, found["faces"]))
        if not all(0 <= each < 2**63 for each in faces):
            raise ValueError("expected ids of faces")
        if not all(0 <= each < 2**64 for each in hashes):
            raise ValueError("expected hashes of 64 bits")
        return Receipt(
            str(found["created_at"]), faces, int(found["named"]), int(found["shards"]),
            int(found["clusterings"]), tuple(map(str, found["removed"])), int(found["sidecars"]),
            int(found["searched"]), tuple(map(str, found["found"])),
            Traces(frozenset(), str(windows["salt"]), hashes, digests),
        )  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"cannot read the receipt {path}: {error}; expected a file that facesearch forget wrote"
        ) from error


def rolling_hashes(data: NDArray[np.uint8], width: int) -> NDArray[np.uint64]:
    """The hash of each ``width`` bytes of ``data`` (n,), uint64 (n - width + 1,).

    Of bytes b it is the sum of b[j] r^j modulo 2^64, computed by doubling.
    """
    if len(data) < width:
        return np.zeros(0, np.uint64)
    count = len(data) - width + 1
    result = np.zeros(count, np.uint64)
    hashes = data.astype(np.uint64) + np.uint64(1)  # of 2^i bytes from each place
    span, factor, offset, offset_factor = 1, _BASE, 0, np.uint64(1)
    with np.errstate(over="ignore"):
        while True:
            if width & span:
                result += offset_factor * hashes[offset : offset + count]
                offset += span
                offset_factor = offset_factor * factor
            if offset == width:
                return result
            hashes = hashes[:-span] + factor * hashes[span:]
            factor = factor * factor
            span *= 2


def _windows(vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """Bytes to look for of each vector, in every encoding: its first, and those in its middle."""
    for encoding in ENCODINGS:
        for vector in vectors.astype(encoding):
            data = vector.tobytes()
            middle = len(data) // 2 // vector.itemsize * vector.itemsize
            for start in (0, middle):
                window = data[start : start + WINDOW]
                if len(window) == WINDOW:
                    yield window


def _digest(salt: str, window: bytes) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + window).hexdigest()[:32]


def files_below(folder: Path) -> int:
    """How many files a search looks at."""
    return len(all_files(folder))
