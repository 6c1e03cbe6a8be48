"""What ``gallery.json`` says: how a gallery stores vectors, whose they are, and where."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from facesearch.encoders.types import EncoderContract
from facesearch.errors import GalleryError
from indexer.storage.atomic_files import write_atomically

FORMAT = "facesearch-gallery"
VERSION = 1
# Of galleries that were upgraded, whose shards lie in a folder that their description names.
UPGRADED_VERSION = 2
SHARDS = "shards"
SEALED = "gallery.sealed"  # in place of all other files where the gallery is encrypted
DType = Literal["float16", "float32"]
_SHARDS_NAME = re.compile(rf"{SHARDS}(-[0-9a-f]{{12}})?")


def write_description(
    path: Path, created_at: str, dtype: DType, contract: EncoderContract, shards: str
) -> None:
    """Write ``gallery.json``, in the place of one that is there; ``shards`` names a folder."""
    upgraded = shards != SHARDS
    description = {
        "format": FORMAT,
        "version": UPGRADED_VERSION if upgraded else VERSION,
        "created_at": created_at,
        "vectors": dtype,
        **({"shards": shards} if upgraded else {}),
        "contract": asdict(contract),
    }
    write_atomically(path, json.dumps(description, indent=2).encode())


def parse_description(description: object, path: Path) -> tuple[EncoderContract, DType, str]:
    """The contract, how vectors are stored, and the folder of the shards.

    Raises GalleryError where ``description``, read from ``path``, is none of a gallery.
    """
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise GalleryError(f"{path} does not describe a gallery (no format {FORMAT!r} in it)")
    if description.get("version") not in (VERSION, UPGRADED_VERSION):
        raise GalleryError(
            f"{path} is of format version {description.get('version')!r}; this program reads "
            f"versions {VERSION} and {UPGRADED_VERSION}"
        )
    try:
        contract = EncoderContract(**description["contract"])
        contract.check()
        dtype = description["vectors"]
    except (KeyError, TypeError, ValueError) as error:
        raise GalleryError(f"{path} has no valid encoder contract: {error}") from error
    if dtype not in ("float16", "float32"):
        raise GalleryError(f"{path}: expected vectors float16 or float32, got {dtype!r}")
    shards = description.get("shards", SHARDS)
    if not isinstance(shards, str) or not _SHARDS_NAME.fullmatch(shards):
        raise GalleryError(f"{path}: expected shards in a folder such as {SHARDS}, got {shards!r}")
    return contract, dtype, shards
