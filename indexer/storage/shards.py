"""Shards: sealed, immutable, self-contained HDF5 files of unit vectors and what is known of them.

``docs/format.md`` describes the file. A folder of shards holds, beside each, its SHA-256.
"""

from __future__ import annotations

from pathlib import Path

from indexer.errors import ShardError
from indexer.storage.atomic_files import sha256_of, sync_folder
from indexer.storage.plain_files import read_plain
from indexer.storage.shard_format import (
    ColumnKind,
    Scalar,
    ShardContent,
    VectorType,
    digest_path,
    is_shard_name,
    shard_path,
)
from indexer.storage.shard_reader import Shard
from indexer.storage.shard_writer import replace_shard, write_shard

__all__ = [
    "ColumnKind",
    "Scalar",
    "Shard",
    "ShardContent",
    "VectorType",
    "digest_path",
    "list_shards",
    "remove_partials",
    "replace_shard",
    "shard_path",
    "write_shard",
]


def list_shards(folder: Path) -> list[Path]:
    """Sealed shards of a folder, by number; files being written are not among them."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise ShardError(f"expected a folder of shards, got {folder}: {error}") from error
    shards = [folder / name for name in names if is_shard_name(name)]
    return sorted(shards, key=lambda path: int(path.stem))


def remove_partials(folder: Path) -> None:
    """Remove what killed writers left in a folder. No writer may be at work in it.

    A shard that was replaced gets its digest, if the writer was killed before it could do that.
    """
    for pending in folder.glob(".*.h5.sha256.partial"):
        _finish_replacement(pending)
    for partial in folder.glob(".*.partial"):
        partial.unlink()
    for digest in folder.glob("*.h5.sha256"):
        shard = digest.with_suffix("")
        if is_shard_name(shard.name) and not shard.exists():
            digest.unlink()


def _finish_replacement(pending: Path) -> None:
    digest = pending.with_name(pending.name.removeprefix(".").removesuffix(".partial"))
    shard = digest.with_suffix("")
    if pending.is_symlink() or not is_shard_name(shard.name) or not shard.exists():
        return
    if read_plain(pending) == f"{sha256_of(shard)}  {shard.name}\n".encode():
        pending.replace(digest)
        sync_folder(shard.parent)
