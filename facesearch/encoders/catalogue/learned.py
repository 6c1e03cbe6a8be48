"""Thresholds learned from photos of known people, kept for the weights they were learned with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from facesearch.encoders.catalogue.spec import Thresholds
from facesearch.encoders.types import EncoderContract
from facesearch.errors import InputError
from facesearch.model_files.download import data_folder
from indexer.storage.atomic_files import write_atomically
from indexer.storage.plain_files import read_json


def learned_file(contract: EncoderContract) -> Path:
    """Where thresholds for vectors of ``contract`` are kept.

    They hold for these weights whatever they were called, with or without flip averaging.
    """
    way = "flip" if contract.flip else "plain"
    name = f"{contract.weights_sha256[:16]}-{contract.dimension}-{way}.json"
    return data_folder() / "thresholds" / name


def read_learned(contract: EncoderContract) -> Thresholds | None:
    """The thresholds learned for ``contract``, or None; InputError where the file is damaged."""
    path = learned_file(contract)
    try:
        return Thresholds(**read_json(path.resolve()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, InputError) as error:
        raise InputError(
            f"cannot read the thresholds in {path}: {error}; delete it and calibrate again"
        ) from error


def keep_learned(contract: EncoderContract, thresholds: Thresholds) -> Path:
    """Keep ``thresholds`` for all vectors of ``contract``; returns where."""
    path = learned_file(contract)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(thresholds), indent=1).encode())
    return path
