"""Faces of a person or of nobody in the orders in which they are listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facesearch.service.views.paging import Key
from facesearch.service.views.snapshot import GallerySnapshot

FaceOrder = Literal["sureness", "doubt", "quality", "time"]
_UNMEASURED = 0.5  # where a face stands whose quality is not known


def ordered_faces(
    snapshot: GallerySnapshot, label: int, order: FaceOrder, confirmed: bool | None = None
) -> memoryview:
    """Rows of the faces with ``label``, -1 for those of nobody, in ``order``; of a person all, or
    only those that are confirmed or not. Sorted once for a snapshot."""

    def make() -> NDArray[np.int64]:
        rows = snapshot.faces_of_label(label)
        if confirmed is not None:
            rows = rows[snapshot.confirmed[rows] == confirmed]
        return _sorted(snapshot, rows, order)

    return snapshot.orders.rows(("faces", label, order, confirmed), make)


def face_key(snapshot: GallerySnapshot, order: FaceOrder) -> Callable[[int], Key]:
    """What a row of faces stands by in ``order``: it rises along the list, and is JSON."""
    faces, photos = snapshot.faces, snapshot.photos

    def key(row: int) -> Key:
        face = int(faces.ids[row])
        if order == "time":
            (photo,) = snapshot.photo_of_face_rows(np.array([row])).tolist()
            time = photos.taken[photo].decode()
            return not time, time, photos.names[photo], face
        return float(_ranking(snapshot, np.array([row]), order)[0]), face

    return key


def _sorted(
    snapshot: GallerySnapshot, rows: NDArray[np.int64], order: FaceOrder
) -> NDArray[np.int64]:
    """``rows`` in ``order``, equal ones by face id."""
    if order == "time":
        first = snapshot.photos.time_rank[snapshot.photo_of_face_rows(rows)]
        return rows[np.lexsort((snapshot.faces.ids[rows], first))]
    return rows[np.lexsort((snapshot.faces.ids[rows], _ranking(snapshot, rows, order)))]


def _ranking(
    snapshot: GallerySnapshot, rows: NDArray[np.int64], order: FaceOrder
) -> NDArray[np.float32]:
    """By what ``rows`` are sorted, smallest first."""
    if order == "doubt":
        return snapshot.sureness[rows]
    if order == "quality":
        return -np.nan_to_num(snapshot.faces.quality[rows], nan=_UNMEASURED)
    return -snapshot.sureness[rows]
