"""Faces that detection missed, at places that somebody drew on photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.detect.types import Detections, Pixels
from facesearch.engine import FaceEngine, PhotoFaces
from facesearch.errors import ChangedGalleryError, InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import face_table
from facesearch.gallery.schema import TIMES
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


@dataclass(frozen=True)
class DrawnFaceRow:
    """A face on the photo whose content row is ``photo_id``, with its vector.

    ``box`` is in pixels of the upright photo at full size, ``found`` in those of a photo at
    ``scale``.
    """

    photo_id: int
    box: Box
    found: PhotoFaces
    scale: float


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
    (entered,) = enter_drawn_faces(gallery, [embed_drawn_face(engine, photo_id, box, decoded)])
    if isinstance(entered, InputError):
        raise entered
    refresh_index(gallery)
    return entered


def embed_drawn_face(
    engine: FaceEngine, photo_id: int, box: Box, decoded: DecodedPhoto
) -> DrawnFaceRow:
    """The face at ``box``, not yet in a gallery; raises InputError as :func:`add_drawn_face`."""
    clipped = _checked(box, decoded)
    return DrawnFaceRow(photo_id, clipped, _embedded(engine, decoded, clipped), decoded.scale)


def enter_drawn_faces(gallery: Gallery, drawn: Sequence[DrawnFaceRow]) -> list[int | InputError]:
    """Add faces to a gallery: for each its id, or why it cannot be there.

    Each shard that has some of the photos is replaced once. The index is left as it is.
    """
    entered: dict[int, int | InputError] = {}
    with gallery.writing():
        state = gallery.state()
        of_shard: dict[int, list[int]] = {}
        for place, face in enumerate(drawn):
            try:
                _require_free(gallery, state, face.photo_id, face.box)
            except InputError as error:
                entered[place] = error
                continue
            (number,), _ = split_ids(_one(face.photo_id))
            of_shard.setdefault(int(number), []).append(place)
        for number, places in of_shard.items():
            ids = _append(gallery, number, [drawn[place] for place in places])
            entered |= dict(zip(places, ids, strict=True))
    return [entered[place] for place in range(len(drawn))]


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


def _append(gallery: Gallery, number: int, drawn: Sequence[DrawnFaceRow]) -> list[int]:
    """Replace a shard by one with the faces ``drawn`` at the end; their ids."""
    path = shard_path(gallery.shards_folder, number)
    detections = [each.found.detections.scaled(1 / each.scale) for each in drawn]
    _, photos = split_ids(np.array([each.photo_id for each in drawn], np.int64))
    rows = face_table(
        photo=photos.astype(np.int32),
        boxes=np.concatenate([each.boxes for each in detections]),
        landmarks=np.concatenate([each.landmarks for each in detections]),
        scores=np.concatenate([each.scores for each in detections]),
        norms=np.concatenate([each.found.embeddings.norms for each in drawn]),
        qualities=[each.found.qualities for each in drawn],
    )
    with Shard.open(path) as shard:
        tables = {name: shard.table(name) for name in shard.table_names}
        faces = tables["faces"]
        tables["faces"] = {
            name: _extended(faces[name], rows.get(name), len(drawn), -1 if name in TIMES else 0)
            for name in faces
        }
        vectors = [shard.vectors(), *(each.found.embeddings.vectors for each in drawn)]
        content = ShardContent(
            shard.number, np.concatenate(vectors), tables, dict(shard.attributes)
        )
        count, dtype = shard.count, shard.dtype
    replace_shard(path, content, dtype)
    return [(number << 32) | (count + row) for row in range(len(drawn))]


def _extended(
    values: NDArray[Any], new: NDArray[Any] | None, count: int, unknown: int
) -> NDArray[Any]:
    """A column with ``count`` more values; ``unknown``, where it is a column not known here."""
    if new is None:
        filled: Any = b"" if values.dtype == object else unknown
        new = np.full((count, *values.shape[1:]), filled, values.dtype)
    return np.concatenate([values, new.astype(values.dtype)])


def _one(record_id: int) -> Ids:
    return np.array([record_id], np.int64)
