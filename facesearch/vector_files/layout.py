"""The columns of a file of vectors, as ``docs/exchange.md`` states them, and what reads Parquet."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from facesearch.encoders.types import EncoderContract
from facesearch.errors import InputError
from indexer.storage.plain_files import parse_json

FORMAT = "facesearch-vectors"
VERSION = 1
KEY = b"facesearch"  # of the metadata of a Parquet file: what the vectors are

VECTOR = "vector"
# Names that vectors go by in files of others, in the order they are looked for.
VECTOR_NAMES = (VECTOR, "embedding", "embeddings", "vectors")
TEXTS = ("id", "root", "photo", "sha256", "taken_at", "name")
NUMBERS: Mapping[str, str] = {
    "width": "int32",
    "height": "int32",
    "score": "float32",
    "norm": "float32",
    "quality": "float32",
    "sharpness": "float32",
    "noise": "float32",
    "start_us": "int64",
    "end_us": "int64",
    "still_us": "int64",
    "person": "int64",
}
LISTS: Mapping[str, int] = {"box": 4, "landmarks": 10}
FLAGS = ("decided",)
COLUMNS = (*TEXTS, *NUMBERS, *LISTS, *FLAGS)


def pyarrow(part: str = "") -> Any:
    """The package pyarrow, or its module ``part``; InputError says how to install it."""
    try:
        return importlib.import_module(f"pyarrow.{part}" if part else "pyarrow")
    except ModuleNotFoundError as error:
        raise InputError(
            "Parquet files are read and written by pyarrow, which is not installed: "
            "pip install 'facesearch[parquet]'"
        ) from error


def described(contract: EncoderContract, dtype: str) -> dict[bytes, bytes]:
    """The metadata that says of which encoder the vectors of a file are."""
    said = {
        "format": FORMAT,
        "version": VERSION,
        "dtype": dtype,
        "metric": "squared Euclidean distance between unit vectors",
        "contract": asdict(contract),
    }
    return {KEY: json.dumps(said, ensure_ascii=False).encode()}


def contract_of(metadata: Mapping[bytes, bytes] | None) -> EncoderContract | None:
    """The contract in the metadata of a file; None where it has none.

    Raises InputError for one that cannot be understood.
    """
    if not metadata or KEY not in metadata:
        return None
    try:
        said = parse_json(metadata[KEY])
        if said["format"] != FORMAT or said["version"] != VERSION:
            raise ValueError(f"format {said['format']!r}, version {said['version']!r}")
        contract = EncoderContract(**said["contract"])
        contract.check()
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"expected the description of {FORMAT} version {VERSION} in the file, got: {error}; "
            "export the vectors again, or leave the description out and give the encoder's name"
        ) from error
    return contract
