"""Albums made of drawn photos, where every face is a coloured rectangle at a known place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from cluster.types import Clustering
from facesearch.album.model import Album, AlbumFace, AlbumInfo, FailedPhoto, build_album

Box = tuple[float, float, float, float]
COLOURS = ((200, 40, 40), (40, 160, 60), (40, 70, 200), (220, 180, 30), (160, 60, 180))


def draw_photo(
    path: Path, boxes: list[Box], size: tuple[int, int] = (640, 480), orientation: int = 1
) -> None:
    """Write a grey photo with one rectangle a face; ``boxes`` and ``size`` are of it upright."""
    image = Image.new("RGB", size, (120, 120, 120))
    draw = ImageDraw.Draw(image)
    for number, box in enumerate(boxes):
        draw.rectangle(box, fill=COLOURS[number % len(COLOURS)])
    exif = Image.Exif()
    if orientation == 6:  # stored turned a quarter to the left, to be shown turned back
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, exif=exif, **({"quality": 92} if path.suffix == ".jpg" else {}))


def face(face_id: int, photo: Path, box: Box = (100, 80, 180, 180), **other: Any) -> AlbumFace:
    """A face of a 640 x 480 photo, unless ``other`` says otherwise."""
    fields: dict[str, Any] = {
        "name": photo.name,
        "photo_size": (640, 480),
        "score": 0.9,
        "confidence": 0.0,
    }
    return AlbumFace(face_id, photo, box=box, **{**fields, **other})


def album_of(
    faces: list[AlbumFace],
    labels: list[int],
    names: dict[int, str] | None = None,
    failed: tuple[FailedPhoto, ...] = (),
    title: str = "An album",
    *,
    person_ids: dict[int, str] | None = None,
) -> Album:
    """The album of ``faces`` clustered by ``labels``, with vectors that say no more than those."""
    rng = np.random.default_rng(5)
    vectors = np.eye(64, dtype=np.float32)[np.array(labels, dtype=np.int64) % 63]
    vectors = vectors + rng.normal(0, 0.01, vectors.shape).astype(np.float32)
    clustering = Clustering(
        np.array([face.face_id for face in faces], dtype=np.int64),
        np.array(labels, dtype=np.int32),
        np.where(np.array(labels, dtype=np.int64) < 0, 0, 0.9).astype(np.float32),
    )
    return build_album(
        faces,
        vectors,
        clustering,
        names or {},
        person_ids,
        about=AlbumInfo(
            title=title,
            created_at="2026-05-04T09:30:00",
            method="agglomerative",
            threshold=0.36,
            encoder="test-encoder",
            photo_count=len({face.photo for face in faces}) + len(failed),
            failed=failed,
        ),
    )


def about(album: Album, **changes: Any) -> Album:
    """``album`` that says something else of itself."""
    return replace(album, about=replace(album.about, **changes))
