"""What a gallery holds, however it is spread over shards: rows of photos with their faces."""

from __future__ import annotations

from typing import Any

from facesearch.gallery.gallery import Gallery
from indexer.storage.shards import Shard

Row = tuple[dict[str, Any], list[tuple[Any, ...]]]


def content_rows(gallery: Gallery) -> list[Row]:
    """All columns of each photo but ids, with all columns and vectors of its faces; sorted."""
    rows: list[Row] = []
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            photos, faces = shard.table("photos"), shard.table("faces")
            vectors = shard.vectors()
        names = sorted(photos)
        found = [
            ({name: photos[name][row] for name in names}, list[tuple[Any, ...]]())
            for row in range(len(photos["path"]))
        ]
        for face, photo in enumerate(faces["photo"].tolist()):
            columns = tuple(faces[name][face].tolist() for name in sorted(faces) if name != "photo")
            found[photo][1].append((*columns, vectors[face].tolist()))
        rows += found
    return sorted(rows, key=lambda row: (row[0]["root"], row[0]["path"], row[0]["status"]))
