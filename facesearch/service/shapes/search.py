"""Matches, names and verdicts as they are sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from facesearch.recognition.identify import FaceMatches, Identification, Verification
from facesearch.service.shapes.common import BoxList, Shape, UnsearchedView, known_number
from facesearch.service.shapes.photos import FaceSummary
from facesearch.service.views.snapshot import GallerySnapshot


class FaceMatch(Shape):
    """A face of the gallery and its squared distance in [0, 4]."""

    face: FaceSummary
    distance: float

    @classmethod
    def of(cls, snapshot: GallerySnapshot, row: int, distance: float) -> FaceMatch:
        """The face in a row of the snapshot's faces."""
        return cls(face=FaceSummary.of(snapshot, row), distance=round(distance, 6))


class FaceNeighbours(Shape):
    """The nearest first, of the faces that were searched."""

    matches: list[FaceMatch]
    unsearched: list[UnsearchedView]


class FoundFace(Shape):
    """A face of the photo that was sent, and what is nearest to it."""

    box: BoxList
    score: float
    quality: float | None
    matches: list[FaceMatch]

    @classmethod
    def of(cls, snapshot: GallerySnapshot, found: FaceMatches) -> FoundFace:
        """The matches that the snapshot knows."""
        matches = []
        for match in found.matches:
            row = snapshot.face_row(match.face.face_id)
            if row >= 0:
                matches.append(FaceMatch.of(snapshot, row, match.distance))
        return cls(
            box=found.box,
            score=round(found.score, 4),
            quality=known_number(found.quality),
            matches=matches,
        )


class SearchResult(Shape):
    """The faces of the photo that was sent, the largest first, and what was not searched."""

    faces: list[FoundFace]
    unsearched: list[UnsearchedView]


class NameView(Shape):
    """A person with a name."""

    id: str | None
    name: str


class IdentifiedFace(Shape):
    """Whose a face is: ``person`` is None for unknown; ``nearest`` is who is nearest, near enough
    or not. Distances are squared. ``unsure``: another person is nearly as near; ``rejected``: the
    face is nearest to one that was removed from that person."""

    box: BoxList
    score: float
    quality: float | None
    person: str | None
    name: str | None
    nearest: NameView
    distance: float
    margin: float | None
    threshold: float
    threshold_from: str
    fpir: float | None
    unsure: bool
    rejected: bool

    @classmethod
    def of(cls, snapshot: GallerySnapshot, found: Identification) -> IdentifiedFace:
        """``found`` with the numbers of its people."""
        nearest = snapshot.view.decided.named(found.nearest)
        key = None if nearest is None else nearest.key
        return cls(
            box=found.box,
            score=round(found.score, 4),
            quality=known_number(found.quality),
            person=key if found.person is not None else None,
            name=found.person,
            nearest=NameView(id=key, name=found.nearest),
            distance=round(found.distance, 6),
            margin=None if found.margin is None else known_number(found.margin, 6),
            threshold=found.threshold,
            threshold_from=found.threshold_from,
            fpir=found.fpir,
            unsure=found.unsure,
            rejected=found.rejected,
        )


class IdentifiedPhoto(Shape):
    """One of the photos that were sent; ``problem`` says why it could not be used."""

    name: str
    problem: str | None
    faces: list[IdentifiedFace]


class IdentifyFolderRequest(Shape):
    """A folder on the machine of the service, and the threshold if it is not the gallery's."""

    folder: Annotated[str, Field(min_length=1, max_length=4096)]
    threshold: Annotated[float, Field(ge=0, le=4)] | None = None


class IdentifyResult(Shape):
    """The photos in the order in which they were sent."""

    photos: list[IdentifiedPhoto]


class VerifyResult(Shape):
    """Whether the largest faces of two photos show one person."""

    same: bool
    distance: float
    threshold: float
    too_poor: bool
    boxes: tuple[BoxList, BoxList]
    qualities: tuple[float | None, float | None]

    @classmethod
    def of(cls, found: Verification) -> VerifyResult:
        """``found`` rounded."""
        one, two = found.qualities
        return cls(
            same=found.same,
            distance=round(found.distance, 6),
            threshold=found.threshold,
            too_poor=found.too_poor,
            boxes=found.boxes,
            qualities=(known_number(one), known_number(two)),
        )
