"""Photos and faces as they are sent."""

from __future__ import annotations

from typing import Literal

from facesearch.gallery.records import PhotoRecord
from facesearch.service.shapes.common import BoxList, RecordId, Shape, known_number
from facesearch.service.views.face_columns import FaceColumns
from facesearch.service.views.snapshot import GallerySnapshot


class PhotoOfFace(Shape):
    """The photo that a face is in."""

    id: RecordId
    name: str
    taken_at: str | None
    width: int
    height: int


class TrackTimes(Shape):
    """Of a face in a video: seconds from its start at which it is first and last seen, and those of
    the ``still`` that its box lies in."""

    start: float
    end: float
    still: float


class FaceSummary(Shape):
    """A face: ``sureness`` in [0, 1] is how surely it is the person, 1 where somebody said so.

    ``seconds`` is for a face in a video, null in a photo.
    """

    id: RecordId
    photo: PhotoOfFace
    box: BoxList
    score: float | None
    quality: float | None
    person: str | None
    label: str | None
    named: bool
    sureness: float
    confirmed: bool
    seconds: TrackTimes | None

    @classmethod
    def of(cls, snapshot: GallerySnapshot, row: int) -> FaceSummary:
        """The face in a row of the snapshot's faces."""
        faces, photos = snapshot.faces, snapshot.photos
        (photo,) = photos.rows_of(faces.photo[row : row + 1]).tolist()
        width, height = photos.size(photo)
        person = snapshot.person_of_row(row)
        x0, y0, x1, y1 = (round(float(edge), 2) for edge in faces.box[row])
        return cls(
            id=int(faces.ids[row]),
            photo=PhotoOfFace(
                id=int(photos.ids[photo]),
                name=photos.names[photo],
                taken_at=photos.taken_at(photo),
                width=width,
                height=height,
            ),
            box=(x0, y0, x1, y1),
            score=known_number(faces.score[row]),
            quality=known_number(faces.quality[row]),
            person=None if person is None else person.key,
            label=None if person is None else person.label,
            named=person is not None and person.name is not None,
            sureness=round(float(snapshot.sureness[row]), 4),
            confirmed=bool(snapshot.confirmed[row]),
            seconds=_seconds(faces, row),
        )


def _seconds(faces: FaceColumns, row: int) -> TrackTimes | None:
    start, end, still = (time / 1e6 for time in faces.times[row].tolist())
    return None if still < 0 else TrackTimes(start=start, end=end, still=still)


class FacePage(Shape):
    """A page of faces."""

    faces: list[FaceSummary]
    next: str | None
    total: int


class PhotoView(Shape):
    """A photo, or a file that could not be read, with the ``reason`` and its ``detail``.

    ``video`` is whether it is a video with faces.
    """

    id: RecordId | None
    name: str
    folder: str
    taken_at: str | None
    width: int
    height: int
    status: Literal["ok", "failed"]
    faces: int
    video: bool
    reason: str | None
    detail: str | None

    @classmethod
    def of(cls, snapshot: GallerySnapshot, row: int) -> PhotoView:
        """The photo in a row of the snapshot's photos."""
        photos = snapshot.photos
        width, height = photos.size(row)
        return cls(
            id=int(photos.ids[row]),
            name=photos.names[row],
            folder=photos.folders[row],
            taken_at=photos.taken_at(row),
            width=width,
            height=height,
            status="ok",
            faces=int(photos.faces[row]),
            video=photos.still_of(row) >= 0,
            reason=None,
            detail=None,
        )

    @classmethod
    def failed(cls, name: str, record: PhotoRecord) -> PhotoView:
        """A file that could not be read."""
        return cls(
            id=None,
            name=name,
            folder=name.rpartition("/")[0],
            taken_at=None,
            width=0,
            height=0,
            status="failed",
            faces=0,
            video=False,
            reason=record.reason,
            detail=record.detail,
        )


class PhotoDetail(PhotoView):
    """A photo with its faces, the largest first, and all places where it lies.

    One whose file ends early has the ``reason`` "partial", and a ``detail`` of what is missing.
    """

    locations: list[str]
    found: list[FaceSummary]


class PhotoPage(Shape):
    """A page of photos."""

    photos: list[PhotoView]
    next: str | None
    total: int


class DrawnFace(Shape):
    """A face that was missed: where it is, and whose it is if that is known."""

    box: BoxList
    person: str | None = None
    name: str | None = None


class MonthView(Shape):
    """Photos and faces of one month, "2019-07"."""

    month: str
    photos: int
    faces: int


class UndatedView(Shape):
    """Photos and faces of unknown time."""

    photos: int
    faces: int


class TimelineView(Shape):
    """The months with photos, the earliest first."""

    months: list[MonthView]
    undated: UndatedView


class FolderView(Shape):
    """A folder: photos and faces in it and below it, and how many folders it holds."""

    path: str
    name: str
    photos: int
    faces: int
    folders: int


class FolderList(Shape):
    """The folders in ``folder``, and how many photos lie in it directly."""

    folder: str
    folders: list[FolderView]
    photos: int
