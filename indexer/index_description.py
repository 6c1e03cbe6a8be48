"""What ``index.json`` says of the index file beside it, and whether that is the gallery's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.errors import StaleIndexError
from indexer.files import write_atomically

FORMAT = "facesearch-index"
VERSION = 1
RECIPE = "Flat"
METRIC = "squared_l2"

_FILE_NAME = "index.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class IndexDescription:
    """``shards`` maps the names of the shards covered to their SHA-256.

    ``state`` is the caller's own digest of whatever else decides which vectors are in;
    ``sha256`` is the index file's.
    """

    count: int
    dimension: int
    sha256: str
    shards: Mapping[str, str]
    state: str

    @property
    def file_name(self) -> str:
        """The index file, named by its contents so that a new one never overwrites an old one."""
        return f"flat-{self.sha256[:16]}.faiss"

    def write(self, folder: Path) -> None:
        """Replace ``index.json`` at once."""
        text = {"format": FORMAT, "version": VERSION, "recipe": RECIPE, "metric": METRIC}
        content = json.dumps({**text, **asdict(self)}, indent=1, sort_keys=True)
        write_atomically(folder / _FILE_NAME, content.encode())

    @classmethod
    def read(cls, folder: Path) -> IndexDescription:
        """Read ``index.json``; StaleIndexError where it is missing, damaged or not understood."""
        path = folder / _FILE_NAME
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise StaleIndexError(f"there is no index in {folder}; build it") from None
        except (OSError, ValueError, RecursionError) as error:
            raise StaleIndexError(f"{path} cannot be read: {error}; build it anew") from error
        return cls._parse(found, path)

    @classmethod
    def _parse(cls, found: Any, path: Path) -> IndexDescription:
        expected = {"format": FORMAT, "version": VERSION, "recipe": RECIPE, "metric": METRIC}
        if not isinstance(found, dict):
            raise StaleIndexError(f"{path}: expected an object, got {found!r:.80}; build it anew")
        got = {key: found.get(key) for key in expected}
        if got != expected:
            raise StaleIndexError(f"{path}: expected {expected}, got {got}; build it anew")
        if not _well_formed(found):
            raise StaleIndexError(
                f"{path}: expected count, dimension, sha256, shards and state, got "
                f"{str(found)[:200]}; build it anew"
            )
        names = ("count", "dimension", "sha256", "shards", "state")
        return cls(**{name: found[name] for name in names})

    def require_covers(self, shards: Mapping[str, str], state: str) -> None:
        """Raise StaleIndexError, naming the shards, unless exactly these are covered."""
        differences = {
            "are missing from it": sorted(set(shards) - set(self.shards)),
            "are gone from the gallery": sorted(set(self.shards) - set(shards)),
            "changed since": sorted(
                name for name in set(shards) & set(self.shards) if shards[name] != self.shards[name]
            ),
        }
        parts = [f"{_shown(names)} {what}" for what, names in differences.items() if names]
        if parts:
            raise StaleIndexError(f"the index is stale: {'; '.join(parts)}; build it anew")
        if self.state != state:
            raise StaleIndexError(
                "the index is stale: vectors of the same shards were added to the gallery or "
                "taken out since; build it anew"
            )


def _well_formed(found: dict[str, Any]) -> bool:
    shards = found.get("shards")
    return (
        _is_count(found.get("count"), least=0)
        and _is_count(found.get("dimension"), least=1)
        and isinstance(found.get("sha256"), str)
        and _SHA256.fullmatch(found["sha256"]) is not None
        and isinstance(found.get("state"), str)
        and isinstance(shards, dict)
        and all(isinstance(digest, str) for digest in shards.values())
    )


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
