"""Galleries of given vectors, and Parquet files of given columns."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.encoders.types import EncoderContract
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord, face_table, photo_table
from facesearch.people.store import PeopleStore
from facesearch.quality import Qualities
from indexer.storage.shards import ShardContent, shard_path, write_shard
from indexer.types import Ids, Vectors, make_ids


def sealed_gallery(
    folder: Path, vectors: Vectors, photos: list[int], dtype: Any = "float16", shard: int = 10
) -> tuple[Gallery, Ids]:
    """A gallery with ``vectors`` as faces of the numbered ``photos``, which ascend, and their ids.

    A photo's faces are in one shard; every ``shard`` photos there is another.
    """
    contract = EncoderContract("made", "0" * 64, vectors.shape[1], 100, "none", "none")
    gallery = Gallery.create(folder, contract, dtype)
    ids, of_face = [], np.array(photos)
    with gallery.writing():
        for number, kept in enumerate(np.unique(of_face // shard)):
            rows = np.flatnonzero(of_face // shard == kept)
            numbers, place = np.unique(of_face[rows], return_inverse=True)
            values = (rows / (rows + 1)).astype(np.float32)
            faces = face_table(
                photo=place.astype(np.int32),
                boxes=np.stack([values, values, values + 2, values + 3], axis=1),
                landmarks=np.repeat(values[:, None], 10, axis=1).reshape(-1, 5, 2),
                scores=values,
                norms=values + 1,
                qualities=[Qualities(np.where(rows % 3, values, np.nan), values, values)],
            )
            tables = {"photos": photo_table([_photo(each) for each in numbers]), "faces": faces}
            content = ShardContent(number, vectors[rows], tables, asdict(contract))
            write_shard(shard_path(gallery.shards_folder, number), content, dtype=dtype)
            ids.append(make_ids(number, np.arange(len(rows))))
        gallery.note_shard_numbers()
    return gallery, np.concatenate(ids)


def _photo(number: int) -> PhotoRecord:
    path = f"Größe/写真 {number}.jpg".encode()
    digest = hashlib.sha256(path).hexdigest()
    return PhotoRecord(
        -1, b"/photos", path, 1, 0, digest, 100, 80, "2020-01-02T03:04:05", "ok", "", ""
    )


def faces_by_photo(gallery: Gallery) -> dict[str, list[Any]]:
    """All that is known of each face but its id, by photo, in order."""
    state = gallery.state()
    names = PeopleStore(gallery.folder).memberships().by_id()
    found = defaultdict(list)
    for face in gallery.faces(state.live_ids(), state):
        known = (face.box, face.score, repr(face.quality), face.taken_at, face.size, face.span)
        found[str(face.photo.location)].append((*known, names.get(face.face_id)))
    return dict(found)
