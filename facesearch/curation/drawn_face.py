"""A face that detection missed, at a place that somebody drew on the photo."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.detect.types import Detections, Pixels
from facesearch.engine import FaceEngine, PhotoFaces
from facesearch.errors import ChangedGalleryError, InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import face_table
from facesearch.gallery.tombstones import Tombstones
from facesearch.images.types import DecodedPhoto
from facesearch.search.gallery_index import refresh_index
from indexer.storage.shards import Shard, ShardContent, replace_shard, shard_path
from indexer.types import Ids, split_ids

Box = tuple[float, float, float, float]
LEAST_SIDE = 8.0  # pixels of the photo; less shows nobody
# Of a face whose landmarks nothing finds: where those of YuNet's 60 surest large faces of the set
# `album` are on average, in parts of the box, made symmetric.
_LANDMARKS = np.array(
    [(0.273, 0.392), (0.727, 0.392), (0.5, 0.599), (0.305, 0.743), (0.695, 0.743)], np.float32
)
_AROUND = 1.0  # of the box's longer side, on each side, is looked at for landmarks
_SCORE = 0.5  # of a face that only a person has seen


def add_drawn_face(
    gallery: Gallery, engine: FaceEngine, photo_id: int, box: Box, decoded: DecodedPhoto
) -> int:
    """Add the face at ``box`` to the photo whose content row is ``photo_id``; returns its id.

    ``box`` is x0, y0, x1, y1 in pixels of the upright photo at full size, which is ``decoded``. The
    shard of the photo is replaced by one with one more row: ids of other faces stay. The index is
    brought up to date. Raises InputError for a box outside of the photo or too small, where there
    is a face already, and where one was forgotten; BusyGalleryError when another process is
    writing, ContractError for an engine whose vectors are not the gallery's.
    """
    gallery.require(engine.contract)
    clipped = _checked(box, decoded)
    found = _embedded(engine, decoded, clipped)
    with gallery.writing():
        state = gallery.state()
        _require_free(gallery, state, photo_id, clipped)
        face_id = _append(gallery, photo_id, found, decoded.scale)
    refresh_index(gallery)
    return face_id


def _checked(box: Box, decoded: DecodedPhoto) -> Box:
    """``box`` within the photo."""
    x0, y0, x1, y1 = box
    width, height = float(decoded.width), float(decoded.height)
    if not np.isfinite(box).all():
        raise InputError(f"expected a box in numbers, got {box}")
    clipped = (max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height))
    if clipped[2] - clipped[0] < LEAST_SIDE or clipped[3] - clipped[1] < LEAST_SIDE:
        raise InputError(
            f"expected a box of at least {LEAST_SIDE:g} pixels a side within the photo of "
            f"{width:g} x {height:g} pixels; draw a larger one"
        )
    return clipped


def _embedded(engine: FaceEngine, decoded: DecodedPhoto, box: Box) -> PhotoFaces:
    """The face at ``box``, in pixels of ``decoded``."""
    here = np.array(box, np.float32) * np.float32(decoded.scale)
    landmarks, score = _landmarks(engine, decoded.pixels, here)
    drawn = Detections(here[None], landmarks[None], np.array([score], np.float32))
    (found,) = engine.embed([decoded.pixels], [drawn])
    return found


def _landmarks(
    engine: FaceEngine, pixels: Pixels, box: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """Landmarks (5, 2) of the face at ``box``, and how sure the detector is of it.

    A detector often sees in a part of a photo what it missed in the whole.
    """
    side = float(max(box[2] - box[0], box[3] - box[1])) * _AROUND
    height, width = pixels.shape[:2]
    left, top = max(0, int(box[0] - side)), max(0, int(box[1] - side))
    right, bottom = min(width, int(box[2] + side) + 1), min(height, int(box[3] + side) + 1)
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    (found,) = engine.detect([part])
    offset = np.array([left, top], np.float32)
    if len(found):
        overlap = iou(found.boxes + np.tile(offset, 2), box[None])[:, 0]
        best = int(overlap.argmax())
        if overlap[best] >= SAME_FACE_IOU:
            return (found.landmarks[best] + offset).astype(np.float32), float(found.scores[best])
    size = box[2:] - box[:2]
    return (box[:2] + _LANDMARKS * size).astype(np.float32), _SCORE


def _require_free(gallery: Gallery, state: GalleryState, photo_id: int, box: Box) -> None:
    """That there is the photo, no face at ``box``, and none that was forgotten."""
    record = state.shown.get(photo_id)
    if record is None:
        raise ChangedGalleryError(
            f"the photo {photo_id} is no longer in {gallery.folder}; look again"
        )
    drawn = np.array([box], np.float64)
    ids = gallery.faces_of_photo(photo_id)
    if len(ids):
        boxes = np.array([face.box for face in gallery.faces(ids, state)], np.float64)
        overlap = iou(boxes, drawn)[:, 0]
        if overlap.max() >= SAME_FACE_IOU:
            raise InputError(
                f"there is a face at this place already: face {int(ids[overlap.argmax()])}"
            )
    forgotten = Tombstones.read(gallery.folder).boxes_of(record.sha256)
    if len(forgotten) and iou(forgotten, drawn).max() >= SAME_FACE_IOU:
        raise InputError(
            "a face at this place was forgotten and must not come back; to take the photo as new, "
            f"run: facesearch forget {gallery.folder} --lift PHOTO"
        )


def _append(gallery: Gallery, photo_id: int, found: PhotoFaces, scale: float) -> int:
    """Replace the shard of a photo by one with the face ``found`` at the end; its id."""
    (number,), (photo,) = split_ids(_one(photo_id))
    path = shard_path(gallery.shards_folder, int(number))
    detection = found.detections.scaled(1 / scale)
    row = face_table(
        photo=np.array([photo], np.int32),
        boxes=detection.boxes,
        landmarks=detection.landmarks,
        scores=detection.scores,
        norms=found.embeddings.norms,
        qualities=[found.qualities],
    )
    with Shard.open(path) as shard:
        tables = {name: shard.table(name) for name in shard.table_names}
        faces = tables["faces"]
        tables["faces"] = {name: _extended(faces[name], row.get(name)) for name in faces}
        vectors = np.concatenate([shard.vectors(), found.embeddings.vectors])
        content = ShardContent(shard.number, vectors, tables, dict(shard.attributes))
        count, dtype = shard.count, shard.dtype
    replace_shard(path, content, dtype)
    return (int(number) << 32) | count


def _extended(values: NDArray[Any], new: NDArray[Any] | None) -> NDArray[Any]:
    """A column with one more value; nothing, where it is a column that is not known here."""
    if new is None:
        new = np.array([b""], object) if values.dtype == object else np.zeros_like(values[:1])
        if not len(new):
            new = np.zeros((1, *values.shape[1:]), values.dtype)
    return np.concatenate([values, new.astype(values.dtype)])


def _one(record_id: int) -> Ids:
    return np.array([record_id], np.int64)
