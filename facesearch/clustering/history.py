"""Previous assignments of faces to people: in the last run, older runs, before undone decisions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.clustering.run_store import ClusterRun, run_at, run_paths
from facesearch.errors import GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.people.assignment import person_of_labels
from facesearch.people.ledger import Decision
from facesearch.people.projection import ABOUT_FACES, NOBODY, DecisionState, undone_since
from indexer.id_lookup import positions_of, values_at
from indexer.types import Ids

logger = logging.getLogger(__name__)

# How many runs are looked through, so that a gallery that is clustered daily does not get slower.
MOST_RUNS = 30

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class PreviousAssignments:
    """The number of each face's previous person, int64 (n,); :data:`NOBODY` for none.

    ``last`` is the person in the last run. If that run followed a decision that was undone since,
    the faces of its people have the person from before that decision.

    ``older`` is the person in an older run, for faces that had no person in the last run, or that
    the last run took from a person who disappeared in it. For other faces it repeats ``last``, so
    that it breaks ties between clusters with equally many faces of a person.

    ``undone`` bool (n,) marks faces of people that an undone decision was about: they need not stay
    together. ``people`` int64 (p,) are all people that any of these runs had for the faces.
    """

    last: Numbers
    older: Numbers
    undone: NDArray[np.bool_]
    people: Numbers


def older_runs(gallery: Gallery) -> Iterator[ClusterRun]:
    """The runs before the last one, newest first, without unreadable and very old ones."""
    for path in run_paths(gallery)[-2 : -2 - MOST_RUNS : -1]:
        try:
            run = run_at(path)
        except GalleryError as error:
            logger.warning("looking for people of before: %s", error)
            continue
        if run.people is not None:
            yield run


def earlier_people(
    ids: Ids,
    before: Numbers,
    decisions: list[Decision],
    known: int,
    *,
    decided: DecisionState,
    runs: Iterable[ClusterRun],
) -> PreviousAssignments:
    """Whose the faces ``ids`` (n,) were, that the last run had as ``before`` (n,).

    ``known`` is the newest decision that the last run knew, ``runs`` are those before it, newest
    first.
    """
    waiting = _undone_faces(ids, before, decisions, known)
    undone = np.zeros(len(ids), bool)
    for mask in waiting.values():
        undone |= mask
    last, older = before.copy(), np.full(len(ids), NOBODY, np.int64)
    there = np.unique(before)
    for run in runs:
        had = _people_of(run, ids, decided)
        for batch in [batch for batch in waiting if run.how.decisions < batch]:
            mask = waiting.pop(batch)
            last[mask] = had[mask]
        gone = ~np.isin(had, there)
        took = (older == NOBODY) & (had != NOBODY) & ((before == NOBODY) | gone)
        older[took] = had[took]
        there = np.union1d(there, had)
    older = np.where((older == NOBODY) & (last == before), before, older)
    return PreviousAssignments(last, older, undone, there[there != NOBODY])


def _undone_faces(
    ids: Ids, before: Numbers, decisions: list[Decision], known: int
) -> dict[int, NDArray[np.bool_]]:
    """For each undone batch the faces of the people it was about, also those that came since.

    A face that only a decision about itself had moved is back already, and moves no others."""
    undone_faces: dict[int, list[int]] = {}
    for decision in undone_since(decisions, known):
        if decision.action in ABOUT_FACES:
            continue
        undone_faces.setdefault(decision.batch, []).extend(each.face_id for each in decision.faces)
    masks = {}
    for batch, faces in sorted(undone_faces.items(), reverse=True):
        of_batch = np.isin(ids, np.array(faces, np.int64))
        people = np.unique(before[of_batch & (before != NOBODY)])
        masks[batch] = of_batch | np.isin(before, people)
    return masks


def _people_of(run: ClusterRun, ids: Ids, decided: DecisionState) -> Numbers:
    """The people that ``ids`` (n,) were of in a run, by the numbers that they have today."""
    numbers = decided.numbers_now(person_of_labels(run.clustering.labels, run.numbers))
    return values_at(numbers, positions_of(ids, run.clustering.ids), NOBODY)
