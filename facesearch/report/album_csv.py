"""The album as CSV for spreadsheets: one row for each face."""

from __future__ import annotations

import csv
import io

from facesearch.album.model import Album, AlbumFace, AlbumPerson
from facesearch.album.to_json import known
from facesearch.text import escape_csv_cell

COLUMNS = (
    "face_id",
    "photo",
    "left",
    "top",
    "right",
    "bottom",
    "photo_width",
    "photo_height",
    "person",
    "person_id",
    "label",
    "name",
    "confidence",
    "person_quality",
    "face_quality",
    "score",
    "taken_at",
    "start_seconds",
    "end_seconds",
)


def album_csv(album: Album) -> str:
    """The faces of ``album``, person by person as in ``album.json``, then those without a person.

    Boxes are pixels of the upright photo, or of a frame of the video in which a track is seen from
    ``start_seconds`` to ``end_seconds``. What is unknown is left empty. RFC 4180 with a header;
    names of photos and people are as :func:`facesearch.text.escape_csv_cell` has them.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for person in album.people:
        writer.writerows(_row(face, person) for face in person.faces)
    writer.writerows(_row(face, None) for face in album.noise)
    return text.getvalue()


def _row(face: AlbumFace, person: AlbumPerson | None) -> tuple[object, ...]:
    return (
        face.face_id,
        escape_csv_cell(face.name),
        *(round(float(edge), 2) for edge in face.box),
        *face.photo_size,
        *(_who(person) if person else ("", "", "", "")),
        round(float(face.confidence), 4),
        known(person.quality) if person else None,
        known(face.quality),
        round(float(face.score), 4),
        face.taken_at,
        *(
            (None, None)
            if face.span is None
            else (round(face.span.start, 3), round(face.span.end, 3))
        ),
    )


def _who(person: AlbumPerson) -> tuple[str, str, str, str | None]:
    name = None if person.name is None else escape_csv_cell(person.name)
    return person.key, person.person_id, escape_csv_cell(person.label), name
