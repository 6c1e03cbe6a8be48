"""The digests of shards, as the files beside them record them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facesearch.errors import GalleryError
from indexer.storage.plain_files import read_plain
from indexer.storage.shard_format import digest_path


def recorded_digest(path: Path) -> str:
    """The SHA-256 recorded for the shard ``path``; raises GalleryError where there is none."""
    sidecar = digest_path(path)
    try:
        return read_plain(sidecar).decode("ascii").split()[0]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise GalleryError(
            f"{sidecar} is missing or empty, so {path.name} cannot be trusted; restore it from a "
            "backup, or move the shard out and index its photos again"
        ) from error


def digest_or_none(path: Path) -> str | None:
    """As :func:`recorded_digest`, None where there is none."""
    try:
        return recorded_digest(path)
    except GalleryError:
        return None


def continues(digests: Mapping[str, str | None], kept: Mapping[str, str]) -> bool:
    """Whether shards are those of ``kept`` and perhaps some with greater numbers."""
    new = digests.keys() - kept.keys()
    return kept.items() <= digests.items() and (
        not new or not kept or _number(min(new, key=_number)) > _number(max(kept, key=_number))
    )


def _number(name: str) -> int:
    return int(name.removesuffix(".h5"))
