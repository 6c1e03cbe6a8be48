"""The album as plain values for ``album.json``."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from facesearch.album.advice import MergeAdvice, MixtureAdvice
from facesearch.album.model import Album, AlbumFace, AlbumPerson

ALBUM_FORMAT = "facesearch-album"
ALBUM_VERSION = 1


def album_json(album: Album) -> dict[str, Any]:
    """The album as plain values for ``album.json``, whose layout ``version`` counts.

    Coordinates are pixels of the upright photo, or of the still of a track, whose ``seconds`` say
    when it is seen; ``photo_url`` gives the exact bytes of a name that
    ``photo`` can only show in part. Face ids are integers up to 2^63 - 1.
    """
    return {
        "format": ALBUM_FORMAT,
        "version": ALBUM_VERSION,
        "title": album.about.title,
        "created_at": album.about.created_at,
        "outdated": album.about.outdated or None,
        "encoder": album.about.encoder,
        "clustering": {
            "method": album.about.method,
            "linkage": album.about.linkage,
            "threshold": album.about.threshold,
        },
        "counts": {
            "photos": album.about.photo_count,
            "photos_without_faces": album.about.photos_without_faces,
            "photos_failed": len(album.about.failed),
            "faces": album.face_count,
            "people": len(album.people),
            "named_people": sum(person.name is not None for person in album.people),
            "noise": len(album.noise),
        },
        "people": [_person_json(person) for person in album.people],
        "noise": [_face_json(face) for face in album.noise],
        "failed": [
            {"photo": photo.name, "reason": photo.reason, "detail": photo.detail}
            for photo in album.about.failed
        ],
        "partial": [{"photo": photo.name, "detail": photo.detail} for photo in album.about.partial],
        "advice": {
            "merges": [
                {"people": list(each.keys), **_odds_json(each)} for each in album.advice.merges
            ],
            "mixtures": [
                {"person": each.key, "faces": list(each.faces), **_odds_json(each)}
                for each in album.advice.mixtures
            ],
            "doubts": [
                {
                    "person": each.key,
                    "face": each.face_id,
                    "next_person": each.next_key or None,
                    "probability": round(each.probability, 4),
                }
                for each in album.advice.doubts
            ],
        },
    }


def _odds_json(advice: MergeAdvice | MixtureAdvice) -> dict[str, float]:
    return {
        "distance": round(advice.distance, 4),
        "probability": round(advice.probability, 4),
        "gain": round(advice.gain, 3),
    }


def _person_json(person: AlbumPerson) -> dict[str, Any]:
    return {
        "key": person.key,
        "person_id": person.person_id or None,
        "name": person.name,
        "label": person.label,
        "photo_count": person.photo_count,
        "quality": known(person.quality),
        "first_taken": person.first_taken or None,
        "last_taken": person.last_taken or None,
        "cover": person.cover.face_id,
        "faces": [_face_json(face) for face in person.faces],
    }


def _face_json(face: AlbumFace) -> dict[str, Any]:
    return {
        "face_id": face.face_id,
        "photo": face.name,
        "photo_url": file_url(face.photo),
        "photo_size": list(face.photo_size),
        "box": [round(float(edge), 2) for edge in face.box],
        "score": round(float(face.score), 4),
        "confidence": round(float(face.confidence), 4),
        "quality": known(face.quality),
        "taken_at": face.taken_at or None,
        "seconds": None if face.span is None else face.span.as_json(),
    }


def known(value: float) -> float | None:
    """A number rounded for files, None for NaN."""
    return None if math.isnan(value) else round(float(value), 4)


def file_url(path: Path) -> str:
    """The ``file:`` URL of an absolute path, its bytes percent-encoded whatever they are."""
    return "file://" + quote(os.fsencode(path))
