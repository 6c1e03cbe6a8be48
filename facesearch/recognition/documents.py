"""Matches, names and verdicts as plain values: what commands print, and a service sends them.

Nothing in here is rounded, so that a command prints the same whichever of the two made its answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from facesearch.text import printable

if TYPE_CHECKING:
    from facesearch.recognition.identify import FaceMatches, Identification, Match, Verification
    from facesearch.video.types import TimeSpan

Document = dict[str, Any]


def matches_document(faces: Sequence[FaceMatches]) -> list[Document]:
    """The faces of a photo, each with its matches.

    ``photo`` is where a photo lies, bytes that are not UTF-8 as lone surrogates; ``name`` its path
    in its folder, printable.
    """
    return [
        {
            "box": list(face.box),
            "score": face.score,
            "quality": face.quality,
            "matches": [_match(match) for match in face.matches],
            **_times(face.span),
        }
        for face in faces
    ]


def identification_document(faces: Sequence[Identification]) -> list[Document]:
    """The faces of a photo, each with its name."""
    found = []
    for face in faces:
        document = {**asdict(face), "box": list(face.box)}
        del document["span"]
        found.append({**document, **_times(face.span)})
    return found


def verification_document(found: Verification) -> Document:
    """A verdict; ``too_poor`` is of the faces."""
    return {
        **asdict(found),
        "boxes": [list(box) for box in found.boxes],
        "qualities": list(found.qualities),
        "too_poor": found.too_poor,
    }


def _match(match: Match) -> Document:
    quality = match.face.quality
    return {
        "face_id": match.face.face_id,
        "distance": match.distance,
        "person": match.person,
        "photo": str(match.face.photo.location),
        "box": list(match.face.box),
        "quality": None if math.isnan(quality) else quality,
        "name": printable(match.face.place),
        **_times(match.face.span),
    }


def _times(span: TimeSpan | None) -> Document:
    """When a track of a video is seen: in ``seconds``, and in words; nothing of a photo."""
    return {} if span is None else {"seconds": span.as_json(), "time": span.text}
