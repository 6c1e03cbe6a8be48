"""Galleries made of vectors instead of photos: for what begins after the encoder."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.types import EncoderContract
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord, face_table, photo_table
from facesearch.quality import Qualities
from indexer.storage.shards import ShardContent, shard_path, write_shard
from indexer.types import make_ids

SIDE = 100


def vector_gallery(folder: Path, dimension: int) -> Gallery:
    """An empty gallery of vectors that no encoder of ours made."""
    return Gallery.create(
        folder, EncoderContract("made", "0" * 64, dimension, SIDE, "none", "none")
    )


def add_faces(
    gallery: Gallery,
    vectors: NDArray[np.float32],
    names: NDArray[np.int64],
    photos: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Seal a shard with a face for each of ``vectors`` (n, d); returns their ids, int64 (n,).

    ``names`` (n,) tell faces apart for all galleries that hold them. ``photos`` (n,) number the
    photo of each face; by default each has its own, numbered by ``names``.
    """
    photos = names if photos is None else photos
    numbers, rows = np.unique(photos, return_inverse=True)
    left = 10.0 * (names % 7)[:, None]
    boxes = (left + np.array([0.0, 0.0, 60.0, 60.0])).astype(np.float32)
    with gallery.writing():
        records = [_photo(each) for each in numbers.tolist()]
        number = seal_shard(gallery, records, rows.astype(np.int32), vectors, boxes)
        gallery.note_shard_numbers()
    return make_ids(number, np.arange(len(names)))


def seal_shard(
    gallery: Gallery,
    photos: list[PhotoRecord],
    photo: NDArray[np.int32],
    vectors: NDArray[np.float32],
    boxes: NDArray[np.float32] | None = None,
) -> int:
    """Write the next shard, with a face for each of ``vectors`` (n, d); returns its number.

    ``photo`` (n,) is the row of each face's photo among ``photos``; ``boxes`` (n, 4), by default
    zeros.
    """
    number, ones = gallery.next_shard_number(), np.ones(len(photo), np.float32)
    faces = face_table(
        photo=photo,
        boxes=np.zeros((len(photo), 4), np.float32) if boxes is None else boxes,
        landmarks=np.zeros((len(photo), 5, 2), np.float32),
        scores=ones,
        norms=ones,
        qualities=[Qualities(ones, ones, ones)],
    )
    tables = {"photos": photo_table(photos), "faces": faces}
    content = ShardContent(number, vectors, tables, asdict(gallery.contract))
    write_shard(shard_path(gallery.shards_folder, number), content, dtype=gallery.dtype)
    return number


def _photo(number: int) -> PhotoRecord:
    return PhotoRecord(
        photo_id=-1,
        root=b"/photos",
        path=f"{number:06d}.jpg".encode(),
        size=1,
        mtime_ns=0,
        sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        width=SIDE,
        height=SIDE,
        taken_at="",
        status="ok",
        reason="",
        detail="",
    )
