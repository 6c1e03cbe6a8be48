"""Suggested corrections: people who may be one, people who may be two, doubtful faces."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints
from cluster.review.review_suggestions import MergeSuggestion, Suggestions, suggest
from cluster.types import NOISE
from facesearch.quality import MIN_QUALITY
from indexer.id_lookup import contained, positions_of

# What is less likely is not worth the owner's time.
LEAST_PROBABILITY = 0.2
LEAST_DOUBT = 0.25
MOST_DOUBTED = 200
# Somebody the owner is taken to know has a name, or is seen often; or again, and mostly neither
# among more faces than so many nor smaller than such a share of the photo
# (benchmarks/curation/crowd.py).
_SEEN_OFTEN = 10
_SEEN_AGAIN = 3
_AMONG_MANY = 4
_SMALL = 0.07

FacePair = tuple[int, int]


@dataclass(frozen=True)
class MergeAdvice:
    """``keys`` of two people who may be one, the one in more photos first.

    ``distance`` is the mean squared distance between their faces, ``probability`` in [0, 1], and
    ``gain`` the expected number of faces put right, each counted by its quality.
    """

    keys: tuple[str, str]
    distance: float
    probability: float
    gain: float


@dataclass(frozen=True)
class MixtureAdvice:
    """The person ``key`` may be two: ``faces`` are ids of the fewer faces that may be another's."""

    key: str
    faces: tuple[int, ...]
    distance: float
    probability: float
    gain: float


@dataclass(frozen=True)
class DoubtAdvice:
    """Face ``face_id`` of the person ``key`` may be of another; ``next_key`` is the nearest other
    person, "" if there is none."""

    key: str
    face_id: int
    next_key: str
    probability: float


@dataclass(frozen=True)
class Advice:
    """All of it: first about people the owner knows, then about the crowd; of each the greatest
    expected gain first."""

    merges: tuple[MergeAdvice, ...] = ()
    mixtures: tuple[MixtureAdvice, ...] = ()
    doubts: tuple[DoubtAdvice, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.merges or self.mixtures or self.doubts)


NO_ADVICE = Advice()


@dataclass(frozen=True)
class PersonFaces:
    """What advice needs of a person: their key, whether they have a name, and rows of vectors."""

    key: str
    named: bool
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class AdviceInput:
    """Of n faces: ids int64 (n,), numbers of their photos int64 (n,), unit vectors (n, d),
    qualities float64 (n,), NaN where unknown, and how large they are: the root of the share of
    their photo, float64 (n,), in [0, 1]; None: not known."""

    ids: NDArray[np.int64]
    photos: NDArray[np.int64]
    vectors: NDArray[np.float32]
    qualities: NDArray[np.float64]
    sides: NDArray[np.float64] | None = None

    @property
    def worth(self) -> NDArray[np.float64]:
        """What it is worth to look at each: nothing where it hardly is a face."""
        known = np.nan_to_num(self.qualities, nan=1.0)
        return np.where(known < MIN_QUALITY, 0.0, known)


@dataclass(frozen=True)
class AdvisedAlbum:
    """Advice, how good each of the people is (expected share of right faces, NaN if unknown), and
    whether they are of the crowd, whom the owner hardly knows."""

    advice: Advice
    quality: tuple[float, ...]
    crowd: tuple[bool, ...]


def advise(
    people: Sequence[PersonFaces],
    faces: AdviceInput,
    scale: float,
    apart: Iterable[FacePair] = (),
    confirmed: Collection[int] = (),
) -> AdvisedAlbum:
    """Advice on ``people``, whose rows are those of ``faces``; the other faces have no person.

    ``scale`` is the encoder's distance (see :mod:`cluster.review.review_suggestions`), ``apart``
    are pairs of face ids of which people said that they show two persons. People with two names are
    never advised to be one. ``confirmed`` are ids of faces of which people said that they are the
    person they are with: these are not doubted, and those of one person never advised to be two.
    """
    labels = np.full(len(faces.ids), NOISE, np.int32)
    for label, person in enumerate(people):
        labels[person.rows] = label
    cannot = _rows_of_pairs(apart, faces.ids)
    constraints = Constraints(faces.photos, cannot=cannot)
    found = suggest(
        faces.vectors,
        labels,
        scale,
        constraints,
        worth=faces.worth,
        confirmed=contained(faces.ids, np.array(list(confirmed), np.int64)),
        least=LEAST_PROBABILITY,
    )
    crowd = crowd_of(people, faces)
    return AdvisedAlbum(
        Advice(
            _merges(found, people, crowd),
            tuple(
                MixtureAdvice(
                    people[each.label].key,
                    tuple(faces.ids[each.rows].tolist()),
                    each.distance,
                    each.probability,
                    each.gain,
                )
                for each in sorted(found.mixtures, key=lambda each: bool(crowd[each.label]))
            ),
            _doubts(found, people, labels, faces, crowd=crowd),
        ),
        tuple(found.quality.tolist()),
        tuple(crowd.tolist()),
    )


def crowd_of(people: Sequence[PersonFaces], faces: AdviceInput) -> NDArray[np.bool_]:
    """Which of ``people`` mostly stood in the crowd, bool (p,): those without a name who have one
    or two faces, or fewer than ten that are mostly small or in photos of many faces."""
    _, dense, counts = np.unique(faces.photos, return_inverse=True, return_counts=True)
    faces_there = counts[dense]
    sides = np.ones(len(faces.ids)) if faces.sides is None else faces.sides

    def is_crowd(person: PersonFaces) -> bool:
        rows = person.rows
        if person.named or len(rows) >= _SEEN_OFTEN:
            return False
        among_many = float(np.median(faces_there[rows])) > _AMONG_MANY
        return len(rows) < _SEEN_AGAIN or among_many or float(np.median(sides[rows])) < _SMALL

    return np.array([is_crowd(each) for each in people], np.bool_)


def _merges(
    found: Suggestions, people: Sequence[PersonFaces], crowd: NDArray[np.bool_]
) -> tuple[MergeAdvice, ...]:
    """Those about people the owner knows first, then the greatest expected gain first."""

    def strangeness(each: MergeSuggestion) -> int:
        """0 where one has a name or neither is of the crowd, 1 where one is, 2 where both are."""
        if people[each.one].named or people[each.two].named:
            return 0
        return int(crowd[each.one]) + int(crowd[each.two])

    merges = sorted(found.merges, key=strangeness)
    return tuple(
        MergeAdvice(
            (people[each.one].key, people[each.two].key),
            each.distance,
            each.probability,
            each.gain,
        )
        for each in merges
        if not (people[each.one].named and people[each.two].named)
    )


def _doubts(
    found: Suggestions,
    people: Sequence[PersonFaces],
    labels: NDArray[np.int32],
    faces: AdviceInput,
    *,
    crowd: NDArray[np.bool_],
) -> tuple[DoubtAdvice, ...]:
    doubted = np.flatnonzero((found.doubt >= LEAST_DOUBT) & (faces.worth > 0))  # NaN is not
    gains = found.doubt[doubted] * faces.worth[doubted]
    order = doubted[np.lexsort((-gains, crowd[labels[doubted]]))][:MOST_DOUBTED]
    return tuple(
        DoubtAdvice(
            people[labels[row]].key,
            int(faces.ids[row]),
            people[found.belonging.next_label[row]].key
            if found.belonging.next_label[row] != NOISE
            else "",
            float(found.doubt[row]),
        )
        for row in order.tolist()
    )


def _rows_of_pairs(pairs: Iterable[FacePair], face_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the pairs whose faces are both there, int64 (c, 2)."""
    rows = positions_of(np.array(list(pairs), np.int64).reshape(-1, 2), face_ids)
    known = np.flatnonzero((rows.min(axis=1, initial=0) >= 0) & (rows[:, 0] != rows[:, 1]))
    return rows[known]
