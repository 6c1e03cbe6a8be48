"""The album: people and their faces as a reader sees them. Pure values, no input or output."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.types import NOISE, Clustering
from facesearch.album.advice import NO_ADVICE, Advice, AdviceInput, FacePair, PersonFaces, advise
from facesearch.album.figures import AlbumFigures, figures_of
from facesearch.album.photo_place import PhotoPlace
from facesearch.text import printable
from facesearch.video.overlap import overlapping
from facesearch.video.types import TimeSpan
from indexer.id_lookup import positions_of
from indexer.types import Ids

# A photo, or a video and the time in microseconds of one of its frames.
Picture = tuple[Path, int]
NO_STILL = -1


def _shown(text: str) -> str:
    """``text`` as a page can hold it: what is unsafe to show becomes U+FFFD."""
    return printable(text, "\ufffd")


@dataclass(frozen=True)
class AlbumFace:
    """One face: where it is and how sure the engine is of it.

    ``photo`` is the photo's absolute location and ``name`` its relative path, made printable.
    ``box`` is x0, y0, x1, y1 in pixels of the upright photo at full size, ``photo_size`` that
    photo's (width, height). ``score`` is the detector's and ``confidence`` the clustering's, both
    in [0, 1]. ``taken_at`` is ISO 8601, or "" if unknown. ``sha256`` is the hex digest of the
    photo's content when the face was found in it, or "" if unknown. ``quality`` is in [0, 1], NaN
    if unknown. Of a track of a video, ``photo`` is the video, ``span`` says when it is seen, and
    ``box`` where in its still. ``copies`` are the other places of the same photo.
    """

    face_id: int
    photo: Path
    name: str
    box: tuple[float, float, float, float]
    photo_size: tuple[int, int]
    score: float
    confidence: float
    taken_at: str = ""
    sha256: str = ""
    quality: float = math.nan
    copies: tuple[PhotoPlace, ...] = ()
    span: TimeSpan | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _shown(self.name))

    @property
    def picture(self) -> Picture:
        """Where ``box`` is: the photo, or a frame of the video."""
        return self.photo, NO_STILL if self.span is None else self.span.still_us


@dataclass(frozen=True)
class FailedPhoto:
    """A photo not all of which could be used: its relative path (made printable), why, details."""

    name: str
    reason: str
    detail: str

    def __post_init__(self) -> None:
        for key in ("name", "reason", "detail"):
            object.__setattr__(self, key, _shown(getattr(self, key)))


@dataclass(frozen=True)
class AlbumPerson:
    """A person: faces with the surest first, so that doubtful ones gather at the end.

    ``person_id`` is what commands call the person, in every report: "p31"; "" in albums of
    clusterings that gave people no numbers. ``key`` is the same, or "person-7" by the place in this
    album. ``label`` is what to call them: their name, else ``person_id``, else "Unnamed 7" counted
    in album order. ``cover`` is the face that was chosen, or the medoid of ``faces``. ``quality``
    is the share of them that is expected to be right, in [0, 1], NaN where nothing tells. ``crowd``
    tells that the owner hardly knows the person: one without a name who is in one or two photos, or
    in fewer than ten and mostly small or among many faces.
    """

    key: str
    name: str | None
    label: str
    faces: tuple[AlbumFace, ...]
    cover: AlbumFace
    quality: float = math.nan
    person_id: str = ""
    crowd: bool = False

    @property
    def photo_count(self) -> int:
        """In how many different photos the person is."""
        return len({face.photo for face in self.faces})

    @property
    def first_taken(self) -> str:
        """The earliest capture time among the faces, "" if none is known."""
        return min(self._times(), default="", key=_clock)

    @property
    def last_taken(self) -> str:
        """The latest capture time among the faces, "" if none is known."""
        return max(self._times(), default="", key=_clock)

    def _times(self) -> list[str]:
        return [face.taken_at for face in self.faces if face.taken_at]


@dataclass(frozen=True)
class AlbumInfo:
    """What an album says of itself and of the photos behind it.

    ``photo_count`` counts all photos, also failed and faceless ones. ``threshold`` is the squared
    distance at which groups were cut, None where the method has none; ``linkage`` is which distance
    between two groups that is, of :data:`cluster.agglomerative.LINKAGES`. ``outdated`` is a
    sentence for the reader where the gallery has changed since the clustering. ``gallery`` is the
    folder of the gallery, for commands that act on it; None if there is none. ``partial`` photos
    are in the album; their files end early, and what is there was read.
    """

    title: str
    created_at: str
    method: str
    threshold: float | None
    encoder: str
    photo_count: int
    photos_without_faces: int = 0
    failed: tuple[FailedPhoto, ...] = ()
    outdated: str = ""
    gallery: Path | None = None
    linkage: str = "average"
    partial: tuple[FailedPhoto, ...] = ()

    def __post_init__(self) -> None:
        for key in ("title", "outdated"):
            object.__setattr__(self, key, _shown(getattr(self, key)))

    @property
    def grouped_by(self) -> str:
        """The method, and the linkage where it is another than the average."""
        other = self.linkage != "average"
        return f"{self.method}, {self.linkage} linkage" if other else self.method


@dataclass(frozen=True)
class Album:
    """Everything a report says: the people, then ``noise``, the faces without a person.

    ``advice`` is what is worth a look, ``figures`` what plots show, None where it is unknown.
    """

    about: AlbumInfo
    people: tuple[AlbumPerson, ...] = ()
    noise: tuple[AlbumFace, ...] = ()
    advice: Advice = NO_ADVICE
    figures: AlbumFigures | None = field(default=None, compare=False)

    @property
    def face_count(self) -> int:
        """How many faces are in the album, also those without a person."""
        return sum(len(person.faces) for person in self.people) + len(self.noise)

    @property
    def faces(self) -> Iterable[AlbumFace]:
        """Every face, person by person, then the noise."""
        for person in self.people:
            yield from person.faces
        yield from self.noise


@dataclass(frozen=True)
class AdviceBasis:
    """What advice on an album rests on.

    ``scale`` is the mean squared distance at which the encoder's clusters are cut by default.
    ``apart`` are pairs of face ids that people said to show two persons, ``confirmed`` ids of faces
    that they said to be the person they are with.
    """

    scale: float
    apart: Collection[FacePair] = ()
    confirmed: Collection[int] = ()


def build_album(
    faces: Sequence[AlbumFace],
    vectors: NDArray[np.float32],
    clustering: Clustering,
    names: Mapping[int, str],
    person_ids: Mapping[int, str] | None = None,
    *,
    about: AlbumInfo,
    basis: AdviceBasis | None = None,
    covers: Collection[int] = (),
) -> Album:
    """The album of ``faces`` with vectors float32 (n, d), row i for ``faces[i]``.

    ``clustering`` must know every face; ids it has beyond them (deleted photos) are left out.
    ``names`` maps labels to people: clusters that carry the same name are one person. People with
    the most photos come first. ``person_ids`` maps labels to what commands call the people; of
    several that carry one name the first is kept. The confidence of each face is the one the
    clustering gives. A person whose face is among ``covers`` is shown by it, others by their
    medoid. With a ``basis`` there are figures and advice.

    Raises ValueError when rows and faces differ in number or a face was never clustered.
    """
    if vectors.ndim != 2 or len(vectors) != len(faces):
        raise ValueError(f"expected vectors of shape ({len(faces)}, d), got {vectors.shape}")
    labels, confidence = _look_up(clustering, faces)
    people = [
        replace(
            _person(name, rows, faces, vectors, confidence, covers=covers),
            person_id=(person_ids or {}).get(int(labels[rows].min()), ""),
        )
        for name, rows in _groups(labels, names).values()
    ]
    noise = [_with_confidence(faces[row], 0.0) for row in np.flatnonzero(labels == NOISE).tolist()]
    noise.sort(key=lambda face: (-_worth(face), -face.score, *_order(face)))
    album = Album(about, _numbered(people), tuple(noise))
    return album if basis is None else _advised(album, faces, vectors, basis)


def _advised(
    album: Album, faces: Sequence[AlbumFace], vectors: NDArray[np.float32], basis: AdviceBasis
) -> Album:
    """``album`` with advice, figures, and how good each of its people is."""
    people = _faces_of(album.people, faces)
    qualities = np.array([face.quality for face in faces], np.float64)
    known_faces = AdviceInput(
        _ids_of(faces), _photo_numbers(faces), vectors, qualities, _sides(faces)
    )
    apart = [*basis.apart, *_seen_together(faces)]
    advised = advise(people, known_faces, basis.scale, apart, basis.confirmed)
    return replace(
        album,
        people=tuple(
            replace(person, quality=quality, crowd=crowd)
            for person, quality, crowd in zip(
                album.people, advised.quality, advised.crowd, strict=True
            )
        ),
        advice=advised.advice,
        figures=figures_of(people, vectors),
    )


def _faces_of(people: Sequence[AlbumPerson], faces: Sequence[AlbumFace]) -> list[PersonFaces]:
    """The rows of each person's faces among ``faces``."""
    ids = _ids_of(faces)
    return [
        PersonFaces(person.key, person.name is not None, positions_of(_ids_of(person.faces), ids))
        for person in people
    ]


def _ids_of(faces: Sequence[AlbumFace]) -> Ids:
    return np.array([face.face_id for face in faces], np.int64)


def _photo_numbers(faces: Sequence[AlbumFace]) -> NDArray[np.int64]:
    """A number for the photo of each face, int64 (n,); -1 of tracks, which a person has many of."""
    numbers = _numbers(faces)
    return np.where([face.span is not None for face in faces], -1, numbers).astype(np.int64)


def _numbers(faces: Sequence[AlbumFace]) -> NDArray[np.int64]:
    numbers: dict[Path, int] = {}
    return np.array([numbers.setdefault(face.photo, len(numbers)) for face in faces], np.int64)


def _seen_together(faces: Sequence[AlbumFace]) -> list[FacePair]:
    """Tracks that are seen in a video at one time, by their face ids."""
    seen = np.array(
        [
            (-1, -1) if face.span is None else (face.span.start_us, face.span.end_us)
            for face in faces
        ],
        np.int64,
    ).reshape(-1, 2)
    ids = _ids_of(faces)
    return [(one, two) for one, two in ids[overlapping(_numbers(faces), seen)].tolist()]


def _sides(faces: Sequence[AlbumFace]) -> NDArray[np.float64]:
    """The root of each face's share of its photo, float64 (n,)."""
    boxes = np.array([face.box for face in faces], np.float64).reshape(-1, 4)
    sizes = np.array([face.photo_size for face in faces], np.float64).reshape(-1, 2)
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    sides: NDArray[np.float64] = np.sqrt(area / np.maximum(np.prod(sizes, axis=1), 1))
    return sides


def medoid(vectors: NDArray[np.floating[Any]]) -> int:
    """The row of ``vectors`` (n, d), n > 0, with the least mean squared distance to the others.

    Sums over j of |x_i - x_j|^2 = n |x_i|^2 + sum_j |x_j|^2 - 2 x_i . sum_j x_j: the middle term is
    the same for every i, so the total vector is enough and no n x n table is made. Ties go to the
    first row.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    total = rows.sum(axis=0)
    spread = len(rows) * np.einsum("ij,ij->i", rows, rows) - 2.0 * (rows @ total)
    # Rounding must not choose between rows that are equally central.
    tolerance = 1e-12 * max(1.0, float(np.abs(spread).max()))
    return int(np.flatnonzero(spread <= spread.min() + tolerance)[0])


def _look_up(
    clustering: Clustering, faces: Sequence[AlbumFace]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Label int32 (n,) and confidence float32 (n,) of each face."""
    ids = _ids_of(faces)
    rows = positions_of(ids, clustering.ids)
    unknown = ids[rows < 0]
    if len(unknown):
        raise ValueError(
            f"expected a clustering of every face, but {len(unknown)} of {len(ids)} are not "
            f"in it (the first is face {unknown[0]}); cluster the gallery again"
        )
    return clustering.labels[rows], clustering.confidence[rows]


def _groups(
    labels: NDArray[np.int32], names: Mapping[int, str]
) -> dict[str | int, tuple[str | None, NDArray[np.int64]]]:
    """Name and rows of each person, keyed by name where there is one and by label otherwise."""
    groups: dict[str | int, tuple[str | None, NDArray[np.int64]]] = {}
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=NOISE))
    for rows in np.split(order, starts)[1:]:
        label = int(labels[rows[0]])
        name = _shown(names.get(label, "")).strip() or None
        key = label if name is None else name
        earlier = groups.get(key, (name, np.empty(0, np.int64)))[1]
        groups[key] = (name, np.sort(np.concatenate([earlier, rows])))
    return groups


def _person(
    name: str | None,
    rows: NDArray[np.int64],
    faces: Sequence[AlbumFace],
    vectors: NDArray[np.float32],
    confidence: NDArray[np.float32],
    *,
    covers: Collection[int],
) -> AlbumPerson:
    """One person without key and label, which depend on the place in the album."""
    members = [_with_confidence(faces[row], float(confidence[row])) for row in rows]
    chosen = [face for face in members if face.face_id in covers]
    cover = chosen[0] if chosen else members[medoid(vectors[rows])]
    members.sort(key=lambda face: (-face.confidence, *_order(face)))
    return AlbumPerson("", name, "", tuple(members), cover)


def _numbered(people: list[AlbumPerson]) -> tuple[AlbumPerson, ...]:
    """The people in album order, each with key and label."""
    people.sort(
        key=lambda p: (-p.photo_count, -len(p.faces), p.name is None, p.name or "", p.cover.face_id)
    )
    numbered, unnamed = [], 0
    for place, person in enumerate(people, start=1):
        unnamed += person.name is None
        label = person.name or person.person_id or f"Unnamed {unnamed}"
        key = person.person_id or f"person-{place}"
        numbered.append(replace(person, key=key, label=label))
    return tuple(numbered)


def _with_confidence(face: AlbumFace, confidence: float) -> AlbumFace:
    return replace(face, confidence=confidence)


def _clock(taken_at: str) -> str:
    """The time on the photographer's clock: offsets differ between cameras, days rarely do."""
    return taken_at[:19]


def _worth(face: AlbumFace) -> float:
    """The quality; of a face whose quality is unknown nothing bad is known."""
    return 1.0 if math.isnan(face.quality) else face.quality


def _order(face: AlbumFace) -> tuple[bool, str, str, int]:
    """Earlier photos first, undated ones after them, then by name."""
    return not face.taken_at, _clock(face.taken_at), face.name, face.face_id
