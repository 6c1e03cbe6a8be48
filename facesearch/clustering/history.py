"""Previous assignments of faces to people: in the last run, older runs, before undone decisions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import dropwhile

import numpy as np
from numpy.typing import NDArray

from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run_store import ClusterRun, run_at, run_paths
from facesearch.errors import GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.people.assignment import person_of_labels, voting_people
from facesearch.people.ledger import Decision
from facesearch.people.projection import ABOUT_FACES, NOBODY, DecisionState, undone_since
from indexer.id_lookup import contained, distinct, positions_of, values_at
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
    ``alike`` is the person in the last run with the same options, where that is not the last run.
    """

    last: Numbers
    older: Numbers
    undone: NDArray[np.bool_]
    people: Numbers
    alike: Numbers | None = None


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
    there = distinct(before)
    for run in runs:
        had = _people_of(run, ids, decided)
        for batch in [batch for batch in waiting if run.how.decisions < batch]:
            mask = waiting.pop(batch)
            last[mask] = had[mask]
        gone = ~contained(had, there)
        took = (older == NOBODY) & (had != NOBODY) & ((before == NOBODY) | gone)
        older[took] = had[took]
        there = distinct(np.concatenate([there, had]))
    older = np.where((older == NOBODY) & (last == before), before, older)
    return PreviousAssignments(last, older, undone, there[there != NOBODY])


def voted_people(run: ClusterRun, ids: Ids, decided: DecisionState) -> Numbers:
    """By whom clusters find the person that faces ``ids`` (n,) had in ``run``, int64 (n,)."""
    then = voting_people(run.clustering, run.numbers, decided, run.how.decisions)
    return values_at(then.of_faces(), positions_of(ids, run.clustering.ids), NOBODY)


def runs_of_same_options(
    gallery: Gallery, last: ClusterRun | None, options: ClusterOptions
) -> Iterator[ClusterRun]:
    """The newest run with ``options`` and all before it, newest first.

    None where that is the ``last`` run, nor where there is no such run.
    """
    if last is None or _is_alike(last, options):
        return iter(())
    return dropwhile(lambda run: not _is_alike(run, options), older_runs(gallery))


def with_same_options(
    earlier: PreviousAssignments,
    ids: Ids,
    decisions: list[Decision],
    *,
    decided: DecisionState,
    runs: Iterator[ClusterRun],
) -> PreviousAssignments:
    """``earlier``, but people first as they were in the first of ``runs``, if there is one.

    That run had the options of now (:func:`runs_of_same_options`). Runs with others have been made
    since, which may have put several of its people into one and one into several; whose the faces
    ``ids`` (n,) were in these only counts where its people do not tell.
    """
    alike = next(runs, None)
    if alike is None:
        return earlier
    before = voted_people(alike, ids, decided)
    then = earlier_people(ids, before, decisions, alike.how.decisions, decided=decided, runs=runs)
    since = np.where(then.last == NOBODY, earlier.last, NOBODY)
    older = np.where(since == NOBODY, then.older, since)
    return replace(earlier, last=then.last, older=older, alike=before)


def _is_alike(run: ClusterRun, options: ClusterOptions) -> bool:
    """Whether ``run`` was made with ``options``.

    A gallery's threshold is another at each run, and the same option.
    """
    given = run.how.threshold_from == "given"
    return (
        run.method == options.method
        and run.how.linkage == options.linkage
        and run.how.min_size == options.min_size
        and run.min_quality == options.min_quality
        and run.how.attach_threshold == options.attach_threshold
        and run.same_photo == options.same_photo
        and (not given if options.from_gallery else given and run.threshold == options.cut)
    )


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
        of_batch = contained(ids, np.array(faces, np.int64))
        people = np.unique(before[of_batch & (before != NOBODY)])
        masks[batch] = of_batch | np.isin(before, people)
    return masks


def _people_of(run: ClusterRun, ids: Ids, decided: DecisionState) -> Numbers:
    """The people that ``ids`` (n,) were of in a run, by the numbers that they have today."""
    numbers = decided.numbers_now(person_of_labels(run.clustering.labels, run.numbers))
    return values_at(numbers, positions_of(ids, run.clustering.ids), NOBODY)
