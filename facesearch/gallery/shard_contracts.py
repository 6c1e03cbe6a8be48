"""Whose vectors a shard holds: the encoder contract that it states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from facesearch.encoders.types import EncoderContract
from facesearch.errors import ContractError
from indexer.storage.shards import Shard


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
