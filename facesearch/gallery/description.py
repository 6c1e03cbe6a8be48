"""What ``gallery.json`` says: how a gallery stores vectors, whose they are, and where.

And what ``settings.json`` does: the detector settings of the last indexing job.
Each shard states its contract too, and must have one of the gallery's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from facesearch.encoders.types import EncoderContract
from facesearch.errors import ContractError, GalleryError
from indexer.storage.atomic_files import partial_path, write_atomically
from indexer.storage.plain_files import read_json
from indexer.storage.shards import Shard

DESCRIPTION = "gallery.json"
FORMAT = "facesearch-gallery"
VERSION = 1
# Of galleries that were upgraded, whose shards lie in a folder that their description names.
UPGRADED_VERSION = 2
# Of galleries some of whose shards still hold the vectors of an earlier encoder.
MIXED_VERSION = 3
SHARDS = "shards"
SEALED = "gallery.sealed"  # in place of all other files where the gallery is encrypted
DType = Literal["float16", "float32"]
_SHARDS_NAME = re.compile(rf"{SHARDS}(-[0-9a-f]{{12}})?")


def is_vacant(folder: Path) -> bool:
    """Whether a folder is empty, or holds no more than a gallery that was never quite made."""
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= {
        partial_path(folder / DESCRIPTION).name
    }


@dataclass(frozen=True)
class GalleryDescription:
    """``contract`` of the encoder in use, the type of stored vectors, and the folder of shards.

    ``comparable``: contracts of earlier encoders, whose vectors some shards may still hold; their
    distances to those of the encoder in use mean the same.
    """

    contract: EncoderContract
    dtype: DType
    shards: str = SHARDS
    comparable: tuple[EncoderContract, ...] = ()

    @property
    def version(self) -> int:
        """The lowest version of the format that can say this."""
        if self.comparable:
            return MIXED_VERSION
        return VERSION if self.shards == SHARDS else UPGRADED_VERSION


def write_description(path: Path, created_at: str, described: GalleryDescription) -> None:
    """Write ``gallery.json``, in the place of one that is there."""
    description = {
        "format": FORMAT,
        "version": described.version,
        "created_at": created_at,
        "vectors": described.dtype,
        **({"shards": described.shards} if described.shards != SHARDS else {}),
        "contract": asdict(described.contract),
        **(
            {"comparable": [asdict(each) for each in described.comparable]}
            if described.comparable
            else {}
        ),
    }
    write_atomically(path, json.dumps(description, indent=2).encode())


def read_description(folder: Path) -> GalleryDescription:
    """What the gallery in ``folder`` says of itself; raises GalleryError where there is none."""
    path = folder / DESCRIPTION
    try:
        description = read_json(path)
    except FileNotFoundError:
        raise GalleryError(
            f"{folder} is not a gallery (it has no gallery.json); "
            f"make one with: facesearch index PHOTOS --gallery {folder}"
        ) from None
    except (OSError, ValueError) as error:
        raise GalleryError(f"cannot read {path}: {error}") from error
    return parse_description(description, path)


def parse_description(description: object, path: Path) -> GalleryDescription:
    """What ``description``, read from ``path``, says.

    Raises GalleryError where it is none of a gallery.
    """
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise GalleryError(f"{path} does not describe a gallery (no format {FORMAT!r} in it)")
    if description.get("version") not in (VERSION, UPGRADED_VERSION, MIXED_VERSION):
        raise GalleryError(
            f"{path} is of format version {description.get('version')!r}; this program reads "
            f"versions {VERSION} to {MIXED_VERSION}"
        )
    try:
        contract = _contract(description["contract"])
        comparable = tuple(_contract(each) for each in description.get("comparable", ()))
        dtype = description["vectors"]
    except (KeyError, TypeError, ValueError) as error:
        raise GalleryError(f"{path} has no valid encoder contract: {error}") from error
    if dtype not in ("float16", "float32"):
        raise GalleryError(f"{path}: expected vectors float16 or float32, got {dtype!r}")
    shards = description.get("shards", SHARDS)
    if not isinstance(shards, str) or not _SHARDS_NAME.fullmatch(shards):
        raise GalleryError(f"{path}: expected shards in a folder such as {SHARDS}, got {shards!r}")
    return GalleryDescription(contract, dtype, shards, comparable)


def _contract(fields: dict[str, object]) -> EncoderContract:
    contract = EncoderContract(**fields)  # type: ignore[arg-type]
    contract.check()
    return contract


def holds_contract(shard: Shard, contract: EncoderContract) -> bool:
    """Whether the vectors of ``shard`` are of ``contract``."""
    attributes = _attributes(shard)
    return all(attributes.get(key) == value for key, value in asdict(contract).items())


def require_contract(shard: Shard, folder: Path, contracts: Sequence[EncoderContract]) -> None:
    """Raise ContractError unless ``shard`` is of one of ``contracts``, those of a gallery."""
    if any(holds_contract(shard, each) for each in contracts):
        return
    attributes, contract = _attributes(shard), asdict(contracts[0])
    key = min(key for key, value in contract.items() if attributes.get(key) != value)
    raise ContractError(
        f"shard {shard.number} in {folder} has {key} {attributes.get(key)!r} where "
        f"the gallery has {contract[key]!r}; it belongs to another gallery: move it out "
        "of the shards folder"
    )


def _attributes(shard: Shard) -> Mapping[str, object]:
    # Shards from before there was a choice of numerics do not say that theirs were fp32.
    return {"numerics": "fp32", **shard.attributes}


def parse_settings(found: object) -> dict[str, float]:
    """Settings as read from JSON; raises ValueError unless they are numbers by name."""
    if not isinstance(found, dict) or not all(
        type(each) in (int, float) for each in found.values()
    ):
        raise ValueError(f"expected numbers by name, got {str(found)[:80]}")
    return found


def settings_text(settings: Mapping[str, float]) -> str:
    """Detector settings in words."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
