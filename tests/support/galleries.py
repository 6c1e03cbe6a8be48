"""Small galleries for tests, and shards of one rewritten with other tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facesearch.embed import EmbedOptions, embed_photos
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import IndexGoal, build_index
from indexer import build
from indexer.index.manifest import IndexManifest
from indexer.ivf import tune
from indexer.storage.shards import Shard, ShardContent, digest_path, write_shard
from support.fake_engine import FakeEngine, write_photo

Tables = dict[str, dict[str, NDArray[Any]]]


def small_gallery(folder: Path, photos: int = 12, shard_photos: int = 5) -> Gallery:
    """A gallery of ``photos`` photos of two faces each, the last a copy of the first."""
    for number in range(photos):
        write_photo(folder / "photos" / f"{number:02d}.png", [1 + number % 5, 6], variant=number)
    write_photo(folder / "photos" / "copy.png", [1, 6], variant=0)
    (folder / "photos" / "empty.png").touch()
    gallery = Gallery.create(folder / "my.gallery", FakeEngine().contract)
    options = EmbedOptions(decoders=0, threads=1, shard_photos=shard_photos)
    embed_photos(gallery, FakeEngine(), [folder / "photos"], options)  # type: ignore[arg-type]
    return gallery


def approximate_index(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> IndexManifest:
    """Build an approximate index of however few faces."""
    monkeypatch.setattr(build, "FEW", 0)
    monkeypatch.setattr(build, "QUERIES", 8)
    monkeypatch.setattr(tune, "_SECONDS", 0.02)
    return build_index(gallery, IndexGoal(recall=0.9))


def rewrite_shard(path: Path, change: Callable[[Tables], None]) -> None:
    """Seal the shard again, digest and all, with tables that ``change`` has altered."""
    with Shard.open(path) as shard:
        tables = {name: shard.table(name) for name in shard.table_names}
        change(tables)
        content = ShardContent(shard.number, shard.vectors(), tables, dict(shard.attributes))
        dtype = shard.dtype
    path.unlink()
    digest_path(path).unlink()
    write_shard(path, content, dtype)


def set_value(table: str, column: str, row: int, value: Any) -> Callable[[Tables], None]:
    """A change of one value, for :func:`rewrite_shard`."""

    def change(tables: Tables) -> None:
        values = tables[table][column].copy()
        values[row] = value
        tables[table][column] = values

    return change


def set_dtype(table: str, column: str, dtype: str) -> Callable[[Tables], None]:
    """A change of a column of numbers to another dtype; bytes become their lengths."""

    def change(tables: Tables) -> None:
        values = tables[table][column]
        if values.dtype == object:
            values = np.array([len(value) for value in values])
        tables[table][column] = values.astype(dtype)

    return change


def drop_column(table: str, column: str) -> Callable[[Tables], None]:
    """A change that leaves a column out."""

    def change(tables: Tables) -> None:
        del tables[table][column]

    return change


def drop_table(table: str) -> Callable[[Tables], None]:
    """A change that leaves a table out."""

    def change(tables: Tables) -> None:
        del tables[table]

    return change


def keep_rows(table: str, rows: int) -> Callable[[Tables], None]:
    """A change that leaves the first ``rows`` rows of a table."""

    def change(tables: Tables) -> None:
        tables[table] = {name: values[:rows] for name, values in tables[table].items()}

    return change
