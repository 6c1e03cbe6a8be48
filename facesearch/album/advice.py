"""Suggested corrections: people who may be one, people who may be two, doubtful faces."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints
from cluster.review.review_suggestions import Suggestions, suggest
from cluster.types import NOISE
from facesearch.quality import MIN_QUALITY
from indexer.id_lookup import positions_of

# What is less likely is not worth the owner's time.
LEAST_PROBABILITY = 0.2
LEAST_DOUBT = 0.25
MOST_DOUBTED = 200
_SEEN_AGAIN = 3  # faces of somebody the owner is taken to know

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
    """Of n faces: ids int64 (n,), numbers of their photos int64 (n,), unit vectors (n, d), and
    qualities float64 (n,), NaN where unknown."""

    ids: NDArray[np.int64]
    photos: NDArray[np.int64]
    vectors: NDArray[np.float32]
    qualities: NDArray[np.float64]

    @property
    def worth(self) -> NDArray[np.float64]:
        """What it is worth to look at each: nothing where it hardly is a face."""
        known = np.nan_to_num(self.qualities, nan=1.0)
        return np.where(known < MIN_QUALITY, 0.0, known)


@dataclass(frozen=True)
class AdvisedAlbum:
    """Advice, and how good each of the people is: expected share of right faces, NaN if unknown."""

    advice: Advice
    quality: tuple[float, ...]


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
        confirmed=np.isin(faces.ids, np.array(list(confirmed), np.int64)),
        least=LEAST_PROBABILITY,
    )
    return AdvisedAlbum(
        Advice(
            _merges(found, people),
            tuple(
                MixtureAdvice(
                    people[each.label].key,
                    tuple(faces.ids[each.rows].tolist()),
                    each.distance,
                    each.probability,
                    each.gain,
                )
                for each in sorted(found.mixtures, key=lambda each: _crowd(people[each.label]))
            ),
            _doubts(found, people, labels, faces),
        ),
        tuple(found.quality.tolist()),
    )


def _merges(found: Suggestions, people: Sequence[PersonFaces]) -> tuple[MergeAdvice, ...]:
    """Those about people the owner knows first, then the greatest expected gain first."""
    merges = sorted(found.merges, key=lambda each: _strangeness(people[each.one], people[each.two]))
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


def _strangeness(one: PersonFaces, two: PersonFaces) -> int:
    """0 where one of two has a name or both are seen again and again, 1 where one is, else 2.

    Who is in one or two photos mostly stood in the crowd.
    """
    if one.named or two.named:
        return 0
    return _crowd(one) + _crowd(two)


def _crowd(person: PersonFaces) -> bool:
    """Whether nobody named the person, who is not seen again and again."""
    return not person.named and len(person.rows) < _SEEN_AGAIN


def _doubts(
    found: Suggestions,
    people: Sequence[PersonFaces],
    labels: NDArray[np.int32],
    faces: AdviceInput,
) -> tuple[DoubtAdvice, ...]:
    doubted = np.flatnonzero((found.doubt >= LEAST_DOUBT) & (faces.worth > 0))  # NaN is not
    gains = found.doubt[doubted] * faces.worth[doubted]
    crowd = np.array([_crowd(people[label]) for label in labels[doubted]], bool)
    order = doubted[np.lexsort((-gains, crowd))][:MOST_DOUBTED]
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
