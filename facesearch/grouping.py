"""Clusterings of a gallery: run onto what people decided, and turned into an album."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from cluster.agglomerative import (
    LINKAGES,
    MOST_APART,
    LinkageName,
    clusters_at,
    merged,
    most_dense,
)
from cluster.attach import attach
from cluster.constraints import Constraints, Contradiction, Resolved, resolve
from cluster.density import MOST_WHOLE, density
from cluster.grow import grown
from cluster.pair_linkage import MOST_PAIRS
from cluster.threshold import gallery_threshold
from cluster.types import NOISE, Clustering
from facesearch.album import Album, AlbumFace, FailedPhoto, build_album
from facesearch.cluster_graph import NEIGHBOURS, clustering_graph, kept_graph
from facesearch.decided import Decided, people_concerned
from facesearch.earlier import earlier_people, older_runs
from facesearch.encoders import ENCODERS, thresholds_of
from facesearch.errors import GalleryError, InputError
from facesearch.gallery import Gallery, GalleryState
from facesearch.matching import Changes, Circumstances, Gone, changes_between, matched
from facesearch.merges import Merges, merges_key, read_merges
from facesearch.people import People
from facesearch.persons import NOBODY, PeopleNow, decided_rows, people_now, told_apart
from facesearch.records import FaceRecord
from facesearch.runs import ClusterRun, How, latest_run, run_paths
from indexer.types import Ids, Vectors

logger = logging.getLogger(__name__)

METHODS = ("agglomerative", "hdbscan")
# Clusters of density are sure of more than average linkage is: they are taken apart only beyond so
# many times its threshold (chosen on half of LFW's people).
REFINE = 1.15
# By how much a gallery may grow, from run to run, before all its faces are clustered anew: further
# than that nobody has measured how much the people would differ (benchmarks/incremental.py).
MOST_GROWTH = 1.5


@dataclass(frozen=True)
class ClusterOptions:
    """How to cluster; see :func:`run_clustering`.

    ``threshold`` is a mean squared distance, and with ``from_gallery`` the loosest one: if the
    gallery's impostors are near enough for a stricter one, that is taken. ``attach_threshold`` is
    the one within which poor faces join. ``same_photo`` lets two faces of one photo be one person,
    as in collages. ``full`` clusters all faces anew, even where the run before could be built on.
    ``reach`` is the distance that average linkage merges up to for every threshold within it; for
    others it merges all it can. ``linkage`` is one of :data:`cluster.agglomerative.LINKAGES`.
    """

    method: str
    threshold: float
    min_size: int = 1
    min_quality: float = 0.0
    attach_threshold: float = 0.0
    same_photo: bool = False
    full: bool = False
    from_gallery: bool = False
    reach: float = 0.0
    linkage: LinkageName = "average"


@dataclass(frozen=True)
class _Faces:
    """What is clustered: ids (n,), vectors (n, d), and of each face whether it is too ``poor`` to
    take part, its photo (None: photos do not count), its person before and by decision, and
    whether that one is of before a decision was ``undone``: then it does not bind."""

    ids: Ids
    vectors: Vectors
    poor: NDArray[np.bool_]
    photos: NDArray[np.int64] | None
    before: NDArray[np.int64]
    decided: NDArray[np.int64]
    undone: NDArray[np.bool_]


def run_clustering(gallery: Gallery, state: GalleryState, options: ClusterOptions) -> ClusterRun:
    """Cluster all live faces, as people decided.

    Faces of less quality than ``min_quality`` cannot join what does not belong together: clusters
    are formed by the other faces alone. Then each of the poor goes to the cluster whose members
    are nearest on average, if that is within ``attach_threshold``, or is noise. Faces whose quality
    was never measured count as good, and so do those that something was decided of. Two faces of
    one photo are never put together, unless ``same_photo`` or a decision says so.

    Faces that are decided to be one person's form one cluster, those of two people never do, and
    no face comes to whom it was decided not to be. Where the options are those of the run before
    and not too many faces are new, they join its clusters, or each other; otherwise all are
    clustered anew. That is a cut of the merges that the gallery keeps, where they are of the same
    faces, decisions, graph and ``reach``: they do not depend on the threshold, so the cut is what
    merging again would give. Either way each cluster keeps the number of the person it was
    (:func:`facesearch.matching.matched`), and the run tells what changed.

    Raises InputError for an unknown method or linkage, one that the method does not have, or
    complete linkage of more than :data:`cluster.pair_linkage.MOST_PAIRS` faces.
    """
    _check(options)
    people = People(gallery.folder)
    decisions = people.decisions()
    decided = people.decided()
    previous = _previous(gallery)
    then = None if previous is None else album_people(previous, decided)
    known = 0 if previous is None else previous.how.decisions
    faces = _faces(gallery, state, options, decided, then)
    earlier = earlier_people(
        faces.ids, faces.before, decisions, known, decided=decided, runs=older_runs(gallery)
    )
    faces = replace(faces, undone=earlier.undone)
    options, source = _with_threshold(options, previous, faces)
    how = replace(_how(options, previous, faces, decided), threshold_from=source)
    constraints = resolve(_constraints(faces, decided), int((~faces.poor).sum()))
    formed = _formed(gallery, state, faces, constraints, options=options, how=how)
    clustering = _with_poor(formed.clustering, faces, options)
    before = _in_order(faces.before, faces.ids, clustering.ids)
    above = int(previous.numbers.max(initial=0)) if previous is not None else 0
    numbers = matched(
        clustering.ids,
        clustering.labels,
        _in_order(earlier.last, faces.ids, clustering.ids),
        decided,
        lambda count: people.new_people(count, above),
        older=_in_order(earlier.older, faces.ids, clustering.ids),
    )
    now = people_now(clustering, numbers, decided)
    changes = _changes(
        before,
        now,
        previous,
        then,
        Circumstances(
            "" if previous is None else _other_options(options, previous),
            frozenset() if previous is None else people_concerned(decisions, known),
            frozenset(now.of_faces()[before == NOBODY].tolist()),
        ),
    )
    return ClusterRun(
        now.clustering,
        options.method,
        _threshold(options),
        datetime.now(UTC).isoformat(timespec="seconds"),
        state.digest(),
        options.min_quality,
        options.same_photo,
        now.numbers,
        formed.how,
        changes,
        tuple(
            _contradiction_text(each, faces.ids[~faces.poor], decided)
            for each in constraints.contradictions
        ),
        formed.merges,
    )


def _check(options: ClusterOptions) -> None:
    if options.method not in METHODS:
        raise InputError(f"expected method {' or '.join(METHODS)}, got {options.method!r}")
    if options.linkage not in LINKAGES:
        raise InputError(f"expected linkage {', '.join(LINKAGES)}, got {options.linkage!r}")
    if options.linkage != "average" and options.method != "agglomerative":
        raise InputError(
            f"expected method agglomerative with {options.linkage} linkage, got {options.method}, "
            "which has none"
        )
    if options.linkage != "average" and options.from_gallery:
        raise InputError(
            f"expected a threshold with {options.linkage} linkage, got none; the gallery's own and "
            "the encoder's are for average linkage: give one with --threshold"
        )


def _previous(gallery: Gallery) -> ClusterRun | None:
    if not run_paths(gallery):
        return None
    try:
        return latest_run(gallery)
    except GalleryError as error:
        logger.warning("clustering without the run before: %s", error)
        return None


def _faces(
    gallery: Gallery,
    state: GalleryState,
    options: ClusterOptions,
    decided: Decided,
    then: PeopleNow | None,
) -> _Faces:
    blocks = list(gallery.blocks(state))
    none = np.zeros((0, gallery.contract.dimension), np.float32)
    ids = np.concatenate([np.zeros(0, np.int64), *(block.ids for block in blocks)])
    vectors = np.concatenate([none, *(block.vectors for block in blocks)])
    of_people = decided_rows(ids, decided)
    before = np.full(len(ids), NOBODY, np.int64)
    if then is not None:
        before = _in_order(then.of_faces(), then.clustering.ids, ids)
    poor = gallery.qualities(ids) < options.min_quality  # NaN is not less
    return _Faces(
        ids,
        vectors,
        poor & (of_people == NOBODY),
        None if options.same_photo else gallery.photo_ids(ids),
        before,
        of_people,
        np.zeros(len(ids), bool),
    )


def _in_order(numbers: NDArray[np.int64], of_ids: Ids, ids: Ids) -> NDArray[np.int64]:
    """``numbers`` of the faces ``of_ids`` for the faces ``ids``; NOBODY for others."""
    order = np.argsort(of_ids, kind="stable")
    if not len(order):
        return np.full(len(ids), NOBODY, np.int64)
    rows = order[np.minimum(np.searchsorted(of_ids[order], ids), len(order) - 1)]
    result: NDArray[np.int64] = np.where(of_ids[rows] == ids, numbers[rows], NOBODY)
    return result


def _how(
    options: ClusterOptions, previous: ClusterRun | None, faces: _Faces, decided: Decided
) -> How:
    """Whether all faces are clustered anew, and why."""
    why = _why_full(options, previous, faces)
    formed = len(faces.ids) if why or previous is None else previous.how.formed
    return How(
        bool(why),
        why
        or f"the options are those of the run before; faces to place: {_to_place(faces, previous)}",
        formed,
        options.min_size,
        options.attach_threshold,
        decided.last,
        linkage=options.linkage,
    )


def _to_place(faces: _Faces, previous: ClusterRun | None) -> str:
    """Which faces an incremental run has to find somebody for."""
    known = np.zeros(0, np.int64) if previous is None else previous.clustering.ids
    new = ~np.isin(faces.ids, known)
    nobodys = ~new & (faces.before == NOBODY)
    undone = faces.undone & ~new & ~nobodys
    kinds = (
        (new, "new"),
        (nobodys, "of nobody"),
        (undone, "of people of whom a decision was undone"),
    )
    return ", ".join(f"{mask.sum()} {text}" for mask, text in kinds if mask.any()) or "none"


def _why_full(options: ClusterOptions, previous: ClusterRun | None, faces: _Faces) -> str:
    if previous is None:
        return "there is no run to build on"
    other = _other_options(options, previous)
    formed = previous.how.formed
    reasons = (
        (options.full, "asked for"),
        (options.method != "agglomerative", f"{options.method} has no other way"),
        (options.linkage != "average", f"{options.linkage} linkage has no other way"),
        (previous.people is None, "the run before is from before people had numbers"),
        (other, other),
        (
            len(faces.ids) > MOST_GROWTH * formed,
            f"there are {len(faces.ids)} faces, and the last full run had {formed}",
        ),
    )
    return next((text for holds, text in reasons if holds), "")


def _other_options(options: ClusterOptions, previous: ClusterRun) -> str:
    """Which option is another than in the run before; "" if none is."""
    pairs = {
        "method": (previous.method, options.method),
        "linkage": (previous.how.linkage, options.linkage),
        "threshold": (previous.threshold, _threshold(options)),
        "min size": (previous.how.min_size, options.min_size),
        "min quality": (previous.min_quality, options.min_quality),
        "attach threshold": (previous.how.attach_threshold, options.attach_threshold),
        "same photo": (previous.same_photo, options.same_photo),
    }
    for name, (was, wanted) in pairs.items():
        if was != wanted:
            return f"{name} {was} became {wanted}"
    return ""


def _constraints(faces: _Faces, decided: Decided) -> Constraints:
    """What the good faces have to respect."""
    good = np.flatnonzero(~faces.poor)
    people = faces.decided[good]
    row_of = {int(face): row for row, face in enumerate(faces.ids[good])} if decided.people else {}
    first_of: dict[int, int] = {}
    for row in np.flatnonzero(people != NOBODY).tolist():
        first_of.setdefault(int(people[row]), row)
    cannot = [
        (row_of[face], first_of[number])
        for face, number in sorted(decided.rejected)
        if face in row_of and number in first_of
    ]
    return Constraints(
        None if faces.photos is None else faces.photos[good],
        cannot=np.array(cannot, np.int64).reshape(-1, 2),
        people=people,
    )


def _threshold(options: ClusterOptions) -> float:
    """The one that clusters are cut at."""
    return options.threshold * (1 if options.method == "agglomerative" else REFINE)


def _with_threshold(
    options: ClusterOptions, previous: ClusterRun | None, faces: _Faces
) -> tuple[ClusterOptions, str]:
    """``options`` with the threshold to use, and who set it.

    A run that can be built on keeps its threshold: the gallery's own is another for every face.
    """
    if not options.from_gallery:
        return options, "given"
    if previous is not None and previous.threshold and previous.how.threshold_from != "given":
        same = replace(options, threshold=previous.threshold)
        if not _why_full(same, previous, faces):
            return same, previous.how.threshold_from
    found = gallery_threshold(faces.vectors[~faces.poor], options.threshold)
    if found is None:
        return options, "encoder"
    return replace(options, threshold=found), "gallery"


@dataclass(frozen=True)
class _Formed:
    """The clusters of the good faces, how they were formed, and the merges made for it, if any."""

    clustering: Clustering
    how: How
    merges: Merges | None = None


def _formed(
    gallery: Gallery,
    state: GalleryState,
    faces: _Faces,
    constraints: Resolved,
    *,
    options: ClusterOptions,
    how: How,
) -> _Formed:
    good = ~faces.poor
    ids, vectors = faces.ids[good], faces.vectors[good]
    if options.method != "agglomerative":
        graph = None
        if len(ids) > MOST_WHOLE:
            graph = clustering_graph(vectors, kept_graph(gallery, state, ids))
            how = replace(how, graph=graph.source, edge_recall=graph.recall)
        clustering = density(
            ids,
            vectors,
            min_cluster_size=max(2, options.min_size),
            graph=None if graph is None else graph.graph,
            refine=_threshold(options),
            constraints=constraints,
        )
        return _Formed(clustering, how)
    if not how.full:
        return _Formed(_grown(ids, vectors, faces, constraints, options), how)
    merges, made = _merges(gallery, state, (ids, vectors), constraints, options)
    how = replace(
        how,
        graph=merges.graph,
        edge_recall=merges.edge_recall,
        cut=not made,
        exact=options.linkage != "single" or _has_all(merges, options.threshold),
    )
    if not made:
        how = replace(how, why=f"{how.why}; the merges of an earlier run were cut")
    clustering = clusters_at(
        ids, vectors, merges.dendrogram, options.threshold, min_size=options.min_size
    )
    return _Formed(clustering, how, merges if made else None)


def _merges(
    gallery: Gallery,
    state: GalleryState,
    good: tuple[Ids, Vectors],
    constraints: Resolved,
    options: ClusterOptions,
) -> tuple[Merges, bool]:
    """The merges of these faces, and whether they were made now."""
    ids, vectors = good
    average = options.linkage == "average"
    reach = options.reach if average and options.threshold <= options.reach else MOST_APART
    many = len(ids) > most_dense(options.linkage)  # too many to look at all pairs
    if many and options.linkage == "complete":
        raise InputError(
            f"expected at most {MOST_PAIRS} faces for complete linkage, which looks at all pairs, "
            f"got {len(ids)}; take average linkage, or keep more poor faces out with --min-quality"
        )
    kept = kept_graph(gallery, state, ids) if many else None
    told = f"made, {NEIGHBOURS}" if many else ""
    key = merges_key(ids, constraints, reach, told if kept is None else kept, options.linkage)
    if not options.full and (found := read_merges(gallery, key)) is not None:
        return found, False
    graph = clustering_graph(vectors, kept) if many else None
    dendrogram = merged(
        vectors,
        reach,
        constraints=constraints,
        graph=None if graph is None else graph.graph,
        linkage=options.linkage,
    )
    if graph is None:
        return Merges(key, dendrogram), True
    return Merges(key, dendrogram, graph.source, graph.recall), True


def _has_all(merges: Merges, threshold: float) -> bool:
    """Whether every pair within ``threshold`` was looked at, as far as can be told."""
    return merges.edge_recall == 1 and threshold < merges.dendrogram.horizon


def _grown(
    ids: Ids, vectors: Vectors, faces: _Faces, constraints: Resolved, options: ClusterOptions
) -> Clustering:
    """The clusters of before, of the good faces, with those that are new."""
    before = np.where(faces.undone, NOBODY, faces.before)[~faces.poor]
    _, dense = np.unique(before, return_inverse=True)
    nobody = int((before == NOBODY).any())
    groups = np.where(before == NOBODY, NOISE, dense - nobody).astype(np.int32)
    return grown(
        Clustering(ids, groups, np.zeros(len(ids), np.float32)),
        vectors,
        options.threshold,
        min_size=options.min_size,
        constraints=constraints,
    )


def _with_poor(clustering: Clustering, faces: _Faces, options: ClusterOptions) -> Clustering:
    """``clustering`` of the good faces, and after it the poor ones."""
    poor = faces.poor
    if not poor.any():
        return clustering
    photos = faces.photos
    return attach(
        clustering,
        faces.vectors[~poor],
        faces.ids[poor],
        faces.vectors[poor],
        options.attach_threshold,
        photos=None if photos is None else (photos[~poor], photos[poor]),
    )


def _changes(
    before: NDArray[np.int64],
    now: PeopleNow,
    previous: ClusterRun | None,
    then: PeopleNow | None,
    why: Circumstances,
) -> Changes:
    gone: tuple[Gone, ...] = ()
    if previous is not None and then is not None:
        were, counts = np.unique(then.of_faces(), return_counts=True)
        still = np.isin(were, before) | (were == NOBODY)
        gone = tuple(
            Gone(number, faces, "their photos are gone")
            for number, faces in zip(were[~still].tolist(), counts[~still].tolist(), strict=True)
        )
    return changes_between(before, now.of_faces(), gone, why)


def _contradiction_text(each: Contradiction, ids: Ids, decided: Decided) -> str:
    """In words what could not be followed."""
    one, two = (int(ids[row]) for row in each.apart)
    number = decided.faces.get(int(ids[each.must[0]]))
    whom = "one person" if number is None else decided.person(number).key
    if each.honoured:
        return f"faces {one} and {two} are in one photo, and both were decided to be {whom}"
    return f"face {one} cannot be {whom}, whom face {two} was decided to be"


def album_people(run: ClusterRun, decided: Decided) -> PeopleNow:
    """The people of a run as was decided up to now."""
    return people_now(run.clustering, run.numbers, decided)


def gallery_people(gallery: Gallery, state: GalleryState) -> PeopleNow:
    """Who is in a gallery now: the people of its last run, of faces that are live.

    Faces that came after it belong to those they were decided to be.
    """
    live = state.live_ids()
    decided = People(gallery.folder).decided()
    run = _previous(gallery)
    if run is None:
        none = np.zeros(0, np.int64)
        known, numbers = Clustering(none, none.astype(np.int32), none.astype(np.float32)), none
    else:
        known, numbers = _of(run.clustering, live), run.numbers
    late = live[~np.isin(live, known.ids)]
    everyone = Clustering(
        np.concatenate([known.ids, late]),
        np.concatenate([known.labels, np.full(len(late), NOISE, np.int32)]),
        np.concatenate([known.confidence, np.zeros(len(late), np.float32)]),
    )
    return people_now(everyone, numbers, decided)


def _of(clustering: Clustering, ids: Ids) -> Clustering:
    kept = np.isin(clustering.ids, ids)
    return Clustering(clustering.ids[kept], clustering.labels[kept], clustering.confidence[kept])


def gallery_album(gallery: Gallery, state: GalleryState, run: ClusterRun, title: str) -> Album:
    """The album of a run: its live faces grouped and named, and the photos that failed.

    Faces that came after the run are left out; faces that have gone since are dropped, and so are
    those of hidden people.
    """
    decided = People(gallery.folder).decided()
    now = people_now(_of(run.clustering, state.live_ids()), run.numbers, decided)
    clustering, names, person_ids = _shown(now)
    records = gallery.faces(clustering.ids, state)
    return build_album(
        [_album_face(record, clustering, row) for row, record in enumerate(records)],
        gallery.vectors(clustering.ids),
        clustering,
        names,
        person_ids,
        title=title,
        created_at=run.created_at,
        method=run.method,
        threshold=run.threshold,
        encoder=gallery.contract.name,
        photo_count=len(state.photos) - state.count("gone"),
        photos_without_faces=state.faceless_count,
        failed=[
            FailedPhoto(record.name, record.reason, record.detail)
            for record in state.having("failed")
        ],
        outdated=outdated(gallery, state, run),
        scale=_scale(gallery, run),
        apart=told_apart(now, decided),
        gallery=gallery.folder,
        confirmed=decided.faces.keys(),
    )


def _shown(now: PeopleNow) -> tuple[Clustering, dict[int, str], dict[int, str]]:
    """The faces of all but hidden people, without gaps in the labels, and by label the names of
    these and what commands call them; those of runs from before people had numbers: nothing."""
    hidden = np.array([each.hidden for each in now.people], bool)
    dense = np.where(hidden, NOISE, np.cumsum(~hidden) - 1).astype(np.int32)
    labels = now.clustering.labels
    kept = (labels == NOISE) | ~np.append(hidden, False)[labels]
    clustering = Clustering(
        now.clustering.ids[kept],
        np.append(dense, np.int32(NOISE))[labels[kept]],
        now.clustering.confidence[kept],
    )
    shown = [(int(dense[row]), each) for row, each in enumerate(now.people) if not each.hidden]
    names = {label: each.name for label, each in shown if each.name is not None}
    return clustering, names, {label: each.key for label, each in shown if each.id > 0}


def _scale(gallery: Gallery, run: ClusterRun) -> float | None:
    """The distance at which this encoder's faces are grouped; another's: that of the run."""
    if gallery.contract.name in ENCODERS:
        return thresholds_of(gallery.contract).cluster
    return run.threshold


def outdated(gallery: Gallery, state: GalleryState, run: ClusterRun) -> str:
    """What a run does not know of, and what to do; "" when it is of the faces live now."""
    new = int((~np.isin(state.live_ids(), run.clustering.ids)).sum())
    if not new:
        return ""
    return (
        f"{new} face{'s were' if new > 1 else ' was'} added after this clustering and "
        f"{'are' if new > 1 else 'is'} not shown; run: facesearch cluster {gallery.folder}"
    )


def _album_face(record: FaceRecord, clustering: Clustering, row: int) -> AlbumFace:
    return AlbumFace(
        face_id=record.face_id,
        photo=record.photo.location,
        name=record.photo.name,
        box=record.box,
        photo_size=record.size,
        score=record.score,
        confidence=float(clustering.confidence[row]),
        taken_at=record.taken_at,
        sha256=record.photo.sha256,
        quality=record.quality,
    )
