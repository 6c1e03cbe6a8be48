"""The manifest ``index.json`` of an index file, and whether the file covers the gallery."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any

from indexer.errors import StaleIndexError
from indexer.storage.atomic_files import write_atomically
from indexer.storage.plain_files import read_json

FORMAT = "facesearch-index"
VERSION = 1
METRIC = "squared_l2"
# Of each recipe the index file's name begins and ends so.
FILES = {"Flat": ("flat", "faiss"), "Cells": ("cells", "safetensors"), "IVF": ("ivf", "faiss")}

_FILE_NAME = "index.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMES_SHOWN = 5
# A shard covered takes about 100 bytes.
_MOST_BYTES = 1 << 27
_MOST_VECTORS = 1 << 40
_MOST_COMPONENTS = 1 << 16


@dataclass(frozen=True)
class IndexManifest:
    """``shards`` maps the names of the shards covered to their SHA-256.

    ``state`` is the caller's own digest of the vectors that are in; ``sha256`` is the index file's.
    ``parameters`` belong to the recipe, ``goal`` is what it was chosen for, and ``measured`` is
    what searches of the gallery's own vectors showed (:mod:`indexer.ivf.tune`).
    """

    count: int
    dimension: int
    sha256: str
    shards: Mapping[str, str]
    state: str
    recipe: str = "Flat"
    parameters: Mapping[str, float] = field(default_factory=dict)
    goal: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """The index file, named by its contents so that a new one never overwrites an old one."""
        start, end = FILES[self.recipe]
        return f"{start}-{self.sha256[:16]}.{end}"

    def write(self, folder: Path) -> None:
        """Replace ``index.json`` at once."""
        text = {"format": FORMAT, "version": VERSION, "metric": METRIC}
        content = json.dumps({**text, **asdict(self)}, indent=1, sort_keys=True)
        write_atomically(folder / _FILE_NAME, content.encode())

    @classmethod
    def read(cls, folder: Path) -> IndexManifest:
        """Read ``index.json``; StaleIndexError where it is missing, damaged or not understood."""
        path = folder / _FILE_NAME
        try:
            found = read_json(path, _MOST_BYTES)
        except FileNotFoundError:
            raise StaleIndexError(f"there is no index in {folder}; build it") from None
        except (OSError, ValueError) as error:
            raise StaleIndexError(f"{path} cannot be read: {error}; rebuild it") from error
        return cls._parse(found, path)

    @classmethod
    def _parse(cls, found: Any, path: Path) -> IndexManifest:
        expected = {"format": FORMAT, "version": VERSION, "metric": METRIC}
        if not isinstance(found, dict):
            raise StaleIndexError(f"{path}: expected an object, got {found!r:.80}; rebuild it")
        got = {key: found.get(key) for key in expected}
        if got != expected:
            raise StaleIndexError(f"{path}: expected {expected}, got {got}; rebuild it")
        if not _well_formed(found):
            raise StaleIndexError(
                f"{path}: expected count, dimension, sha256, shards, state and a recipe of "
                f"{', '.join(FILES)}, got {str(found)[:200]}; rebuild it"
            )
        return cls(**{each.name: found[each.name] for each in fields(cls) if each.name in found})

    def require_usable(self, shards: Mapping[str, str]) -> None:
        """Raise StaleIndexError, naming them, where shards that are covered changed or are gone."""
        gone = sorted(set(self.shards) - set(shards))
        changed = sorted(
            name for name in set(shards) & set(self.shards) if shards[name] != self.shards[name]
        )
        differences = {"are gone from the gallery": gone, "changed since": changed}
        parts = [f"{_shown(names)} {what}" for what, names in differences.items() if names]
        if parts:
            raise StaleIndexError(f"the index is stale: {'; '.join(parts)}; rebuild it")


def _well_formed(found: dict[str, Any]) -> bool:
    shards = found.get("shards")
    return (
        _is_count(found.get("count"), 0, _MOST_VECTORS)
        and _is_count(found.get("dimension"), 1, _MOST_COMPONENTS)
        and isinstance(found.get("sha256"), str)
        and _SHA256.fullmatch(found["sha256"]) is not None
        and isinstance(found.get("state"), str)
        and isinstance(shards, dict)
        and all(isinstance(digest, str) for digest in shards.values())
        and isinstance(found.get("recipe"), str)
        and found["recipe"] in FILES
        and all(_are_numbers(found.get(name, {})) for name in ("parameters", "goal", "measured"))
    )


def _are_numbers(values: object) -> bool:
    return isinstance(values, dict) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        for value in values.values()
    )


def _is_count(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
