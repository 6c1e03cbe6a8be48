"""Cluster a gallery: follow decisions, build on the previous run, keep people's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints, no_pairs, resolve
from cluster.partitioned.runner import PartitionRunner
from cluster.types import NOISE, Clustering
from facesearch.clustering.current_people import album_people, last_run
from facesearch.clustering.face_set import FaceSet, no_faces, read_faces
from facesearch.clustering.history import (
    PreviousAssignments,
    earlier_people,
    older_runs,
    runs_of_same_options,
    voted_people,
    with_same_options,
)
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.partition import partition_faces
from facesearch.clustering.person_matching import (
    ChangeContext,
    PeopleChanges,
    changes_between,
    gone_with_photos,
    match_clusters,
)
from facesearch.clustering.run_store import ClusterRun, RunInfo
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.assignment import (
    PersonAssignment,
    assign_people,
    led_numbers,
)
from facesearch.people.decision_words import contradiction_text
from facesearch.people.ledger import Decision
from facesearch.people.projection import NOBODY, DecisionState, people_concerned
from facesearch.people.store import PeopleStore
from indexer.id_lookup import contained, positions_of, values_at
from indexer.types import Ids

# So many faces of a person are kept apart from each that was removed from the person.
MOST_BARRED = 200
# By how much a gallery may grow, from run to run, before all its faces are clustered again: beyond
# that it was not measured how much the people would differ
# (benchmarks/clustering/incremental.py).
MOST_GROWTH = 1.5


def run_clustering(
    gallery: Gallery,
    state: GalleryState,
    options: ClusterOptions,
    runner: PartitionRunner | None = None,
) -> ClusterRun:
    """Cluster all live faces of ``gallery``, following the decisions about people.

    Clusters are formed by the faces of quality ``min_quality`` or more, of unknown quality, and
    those that a decision is about. Afterwards each poor face joins the cluster whose members are
    nearest on average, if that is within ``attach_threshold``, or is noise. Two faces of one photo
    are never in one cluster, nor are two tracks that are seen in a video at one time, unless
    ``same_photo`` or a decision allows it.

    Confirmed faces of one person are always in one cluster, those of two people never, and no face
    joins a person that it was rejected from. If the options are those of the previous run and not
    too many faces are new, these join its clusters or each other; otherwise all faces are clustered
    again. If the gallery holds saved merges of the same faces, decisions, graph and ``reach``, they
    are cut at the threshold, which gives the same result as merging again. Either way clusters keep
    the numbers of their people (:func:`facesearch.clustering.person_matching.match_clusters`), and
    the run lists what changed.

    With ``options.partitions`` all faces are clustered again, in so many parts, each of which
    ``runner`` has in the memory of one worker (:mod:`facesearch.clustering.partitioned`).

    Raises InputError for an unknown method or linkage, one that the method does not have, or
    complete linkage of more than :data:`cluster.linkage.complete_single_linkage.MOST_PAIRS` faces.
    """
    options.check()
    before = _Before.read(gallery)
    faces = read_faces(gallery, state, options, before.decided, before.previously)
    earlier = before.earlier(gallery, faces.ids, options)
    faces = replace(faces, undone=earlier.undone, alike=earlier.alike)
    options, how = _planned(options, before, faces)
    constraints = resolve(_constraints(faces, before.decided), int((~faces.poor).sum()))
    barred = _rejected(faces, before.decided, faces.poor)
    made = partition_faces(
        gallery, state, faces, constraints, barred, options=options, how=how, runner=runner
    )
    other = "" if before.run is None else _other_options(options, before.run, made.threshold)
    now = _people(made.clustering, faces, earlier, before)
    return ClusterRun(
        _kept(now.clustering, made.clustering, no_faces(state, before.decided)),
        options.method,
        made.threshold,
        datetime.now(UTC).isoformat(timespec="seconds"),
        state.digest(),
        options.min_quality,
        options.same_photo,
        now.numbers,
        made.how,
        _changes(now, earlier, before, other),
        tuple(
            contradiction_text(each, faces.ids[~faces.poor], before.decided)
            for each in constraints.contradictions
        ),
        made.merges,
    )


@dataclass(frozen=True)
class _Before:
    """The decisions there are, and the previous run; ``people`` are its people as decided now.

    ``run`` and ``people`` are None where nothing was clustered yet.
    """

    store: PeopleStore
    decisions: list[Decision]
    decided: DecisionState
    run: ClusterRun | None
    people: PersonAssignment | None

    @classmethod
    def read(cls, gallery: Gallery) -> _Before:
        store = PeopleStore(gallery.folder)
        decisions, decided = store.decisions(), store.decided()
        run = last_run(gallery)
        people = None if run is None else album_people(run, decided)
        return cls(store, decisions, decided, run, people)

    @property
    def known(self) -> int:
        """The newest decision that the previous run followed, 0 for none."""
        return 0 if self.run is None else self.run.how.decisions

    def votes(self, ids: Ids) -> NDArray[np.int64]:
        """By whom clusters find the person they had, int64 (n,)."""
        if self.run is None:
            return np.full(len(ids), NOBODY, np.int64)
        return voted_people(self.run, ids, self.decided)

    def earlier(self, gallery: Gallery, ids: Ids, options: ClusterOptions) -> PreviousAssignments:
        """Whose faces were, in this run, those before it and the last one with these options."""
        votes, known, decided = self.votes(ids), self.known, self.decided
        runs = older_runs(gallery)
        found = earlier_people(ids, votes, self.decisions, known, decided=decided, runs=runs)
        runs = runs_of_same_options(gallery, self.run, options)
        return with_same_options(found, ids, self.decisions, decided=decided, runs=runs)

    def previously(self, ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The people of before (n,), after clusters were given to whom they show, and how surely
        each face was in its cluster (n,)."""
        if self.run is None:
            return np.full(len(ids), NOBODY, np.int64), np.zeros(len(ids), np.float32)
        was = self.run.clustering
        numbers = led_numbers(was, self.run.numbers, self.decided)
        people = _people_of(assign_people(was, numbers, self.decided, known=self.known), ids)
        return people, values_at(was.confidence, positions_of(ids, was.ids), 0)

    def new_people(self, count: int) -> range:
        """Numbers for ``count`` people that nobody had before."""
        above = 0 if self.run is None else int(self.run.numbers.max(initial=0))
        return self.store.new_people(count, above)


def _people_of(then: PersonAssignment | None, ids: Ids) -> NDArray[np.int64]:
    """The people of faces ``ids`` (n,); :data:`NOBODY` where there is none."""
    if then is None:
        return np.full(len(ids), NOBODY, np.int64)
    return values_at(then.of_faces(), positions_of(ids, then.clustering.ids), NOBODY)


def _kept(now: Clustering, made: Clustering, no_faces: Ids) -> Clustering:
    """What is kept of a run: its people's faces ``now`` with the confidences that were ``made``, of
    the same faces, and after these ``no_faces`` (m,), which are in no cluster."""
    sure = np.where(now.labels == NOISE, np.float32(0), made.confidence)
    return Clustering(
        np.concatenate([now.ids, no_faces]),
        np.concatenate([now.labels, np.full(len(no_faces), NOISE, np.int32)]),
        np.concatenate([sure, np.zeros(len(no_faces), np.float32)]),
    )


def _planned(
    options: ClusterOptions, before: _Before, faces: FaceSet
) -> tuple[ClusterOptions, RunInfo]:
    """The options with the threshold to use, and whether all faces are clustered again and why."""
    previous = before.run
    onto = _with_threshold_of(previous, options)
    how = _how(onto, previous, faces, before.decided)
    if how.full or previous is None:
        return options, replace(how, threshold_from="encoder" if options.from_gallery else "given")
    then = previous.how
    return onto, replace(how, threshold_from=then.threshold_from, rule=then.rule)


def _how(
    options: ClusterOptions, previous: ClusterRun | None, faces: FaceSet, decided: DecisionState
) -> RunInfo:
    """Whether all faces are clustered again, and why."""
    why = _why_full(options, previous, faces)
    formed = len(faces.ids) if why or previous is None else previous.how.formed
    return RunInfo(
        bool(why),
        why or f"the options are the same; faces to place: {_to_place(faces, previous)}",
        formed,
        options.min_size,
        options.attach_threshold,
        decided.last,
        linkage=options.linkage,
    )


def _to_place(faces: FaceSet, previous: ClusterRun | None) -> str:
    """Which faces an incremental run has to assign to people."""
    known = np.zeros(0, np.int64) if previous is None else previous.clustering.ids
    new = ~contained(faces.ids, known)
    lone = ~new & (faces.before == NOBODY)
    undone = faces.undone & ~new & ~lone
    kinds = (
        (new, "new"),
        (lone, "without a person"),
        (undone, "of people whose decision was undone"),
    )
    return ", ".join(f"{mask.sum()} {text}" for mask, text in kinds if mask.any()) or "none"


def _why_full(options: ClusterOptions, previous: ClusterRun | None, faces: FaceSet) -> str:
    if previous is None:
        return "this gallery had no clustering before"
    other = _other_options(options, previous, options.cut)
    formed = previous.how.formed
    reasons = (
        (options.full, "as asked for"),
        (options.partitions > 0, "partitions always cluster all faces"),
        (options.method != "agglomerative", f"{options.method} always clusters all faces"),
        (options.linkage != "average", f"{options.linkage} linkage always clusters all faces"),
        (previous.people is None, "the previous run has no numbers of people"),
        (previous.how.rule_lost, "the rule of the previous run is of an earlier version"),
        (other, other),
        (
            len(faces.ids) > MOST_GROWTH * formed,
            f"there are {len(faces.ids)} faces now, and the last full run had {formed}",
        ),
    )
    return next((text for holds, text in reasons if holds), "")


def _other_options(options: ClusterOptions, previous: ClusterRun, threshold: float) -> str:
    """Which option, or ``threshold``, is another than in the run before; "" if none is."""
    pairs = {
        "method": (previous.method, options.method),
        "linkage": (previous.how.linkage, options.linkage),
        "threshold": (previous.threshold, threshold),
        "min size": (previous.how.min_size, options.min_size),
        "min quality": (previous.min_quality, options.min_quality),
        "attach threshold": (previous.how.attach_threshold, options.attach_threshold),
        "same photo": (previous.same_photo, options.same_photo),
    }
    for name, (was, wanted) in pairs.items():
        if was != wanted:
            return f"{name} changed from {_option(was)} to {_option(wanted)}"
    return ""


def _option(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _constraints(faces: FaceSet, decided: DecisionState) -> Constraints:
    """What the good faces have to respect."""
    good = ~faces.poor
    return Constraints(
        None if faces.photos is None else faces.photos[good],
        cannot=np.concatenate([_rejected(faces, decided, good), faces.apart_among(good)]),
        people=faces.decided[good],
    )


def _rejected(
    faces: FaceSet, decided: DecisionState, which: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Faces and people they were decided not to be, int64 (c, 2): the row of the face among those
    of ``which`` (n,), and those of the person's faces among the good ones, the decided and the
    surest :data:`MOST_BARRED`: with one of them alone, others could go with the face. The person's
    faces are those of the last run, and of the last with the same options."""
    if not decided.rejected:
        return no_pairs()
    rejected = np.array(sorted(decided.rejected), np.int64)
    good = np.flatnonzero(~faces.poor)
    rows = positions_of(rejected[:, 0], faces.ids[which], ascending=True)
    known = (faces.before,) if faces.alike is None else (faces.before, faces.alike)
    pairs = [
        pair
        for before in known
        for pair in _rows_of_people(rejected[:, 1], rows, before, faces, good)
    ]
    found = np.concatenate([no_pairs(), *pairs])
    apart: NDArray[np.int64] = found[np.flatnonzero(which)[found[:, 0]] != good[found[:, 1]]]
    return apart


def _rows_of_people(
    people: NDArray[np.int64],
    rows: NDArray[np.int64],
    before: NDArray[np.int64],
    faces: FaceSet,
    good: NDArray[np.intp],
) -> Iterator[NDArray[np.int64]]:
    """For each of ``people`` (c,) its row of ``rows`` (c,) beside those of ``good`` that are the
    person's, decided or ``before`` (n,); the surest of these."""
    of_people = np.where(faces.decided == NOBODY, before, faces.decided)[good]
    order = np.lexsort((good, -faces.sure[good], faces.decided[good] == NOBODY, of_people))
    starts = np.searchsorted(of_people[order], people)
    ends = np.searchsorted(of_people[order], people, side="right")
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
        part = order[start : min(end, start + MOST_BARRED)]
        if row >= 0 and len(part):
            yield np.stack([np.full(len(part), row), part], axis=1)


def _people(
    clustering: Clustering, faces: FaceSet, earlier: PreviousAssignments, before: _Before
) -> PersonAssignment:
    """Who has which cluster: people keep their numbers."""
    rows = positions_of(clustering.ids, faces.ids, ascending=True)
    numbers = match_clusters(
        clustering.ids,
        clustering.labels,
        earlier.last[rows],
        before.decided,
        before.new_people,
        older=earlier.older[rows],
    )
    return assign_people(clustering, numbers, before.decided)


def _changes(
    now: PersonAssignment,
    earlier: PreviousAssignments,
    before: _Before,
    other: str,
) -> PeopleChanges:
    """What is another than in the previous run, and why; ``other`` is the option that is."""
    has = now.of_faces()
    had = _people_of(before.people, now.clustering.ids)
    decided = () if before.run is None else people_concerned(before.decisions, before.known)
    context = ChangeContext(
        other,
        frozenset(decided),
        frozenset(has[had == NOBODY].tolist()),
    )
    gone = gone_with_photos(had, before.people)
    return changes_between(had, has, earlier.people, gone, context)


def _with_threshold_of(previous: ClusterRun | None, options: ClusterOptions) -> ClusterOptions:
    """``options`` with the threshold of the run before, where the gallery or the encoder gave it.

    A run that can be built on keeps it: the gallery's own is another for every face.
    """
    if not options.from_gallery or previous is None or previous.threshold is None:
        return options
    if previous.how.threshold_from == "given" or previous.method != "agglomerative":
        return options
    return replace(options, threshold=previous.threshold)
