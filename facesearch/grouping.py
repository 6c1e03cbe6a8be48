"""Clusterings of a gallery: run onto what people decided, and turned into an album."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from cluster.agglomerative import MOST_DENSE, agglomerative
from cluster.attach import attach
from cluster.constraints import Constraints, Contradiction, Resolved, no_pairs, resolve
from cluster.density import MOST_WHOLE, density
from cluster.grow import grown
from cluster.threshold import gallery_threshold
from cluster.types import NOISE, Clustering
from facesearch.album import Album, AlbumFace, FailedPhoto, build_album
from facesearch.cluster_graph import ClusteringGraph, clustering_graph
from facesearch.decided import Decided, people_concerned
from facesearch.earlier import earlier_people, older_runs
from facesearch.encoders import ENCODERS, thresholds_of
from facesearch.errors import GalleryError, InputError
from facesearch.gallery import Gallery, GalleryState
from facesearch.matching import Circumstances, Gone, changes_between, matched
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
    """

    method: str
    threshold: float
    min_size: int = 1
    min_quality: float = 0.0
    attach_threshold: float = 0.0
    same_photo: bool = False
    full: bool = False
    from_gallery: bool = False


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
    """Cluster all live faces, as people decided; raises InputError for an unknown method.

    Faces of less quality than ``min_quality`` cannot join what does not belong together: clusters
    are formed by the other faces alone. Then each of the poor goes to the cluster whose members
    are nearest on average, if that is within ``attach_threshold``, or is noise. Faces whose quality
    was never measured count as good, and so do those that something was decided of. Two faces of
    one photo are never put together, unless ``same_photo`` or a decision says so.

    Faces that are decided to be one person's form one cluster, those of two people never do, and
    no face comes to whom it was decided not to be. Where the options are those of the run before
    and not too many faces are new, they join its clusters, or each other; otherwise all are
    clustered anew. Either way each cluster keeps the number of the person it was
    (:func:`facesearch.matching.matched`), and the run tells what changed.
    """
    if options.method not in METHODS:
        raise InputError(f"expected method {' or '.join(METHODS)}, got {options.method!r}")
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
    graph = _graph(gallery, state, faces, options, how)
    if graph is not None:
        how = replace(how, graph=graph.source, edge_recall=graph.recall)
    constraints = resolve(_constraints(faces, decided), int((~faces.poor).sum()))
    clustering = _with_poor(
        _formed(faces, constraints, options, how, graph), faces, options, decided
    )
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
    changes = changes_between(
        before,
        now.of_faces(),
        earlier.people,
        _without_photos(before, then),
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
        how,
        changes,
        tuple(
            _contradiction_text(each, faces.ids[~faces.poor], decided)
            for each in constraints.contradictions
        ),
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
    good = ~faces.poor
    return Constraints(
        None if faces.photos is None else faces.photos[good],
        cannot=_rejected(faces, decided, good),
        people=faces.decided[good],
    )


def _rejected(faces: _Faces, decided: Decided, which: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Faces and people they were decided not to be, int64 (c, 2): the row of the face among those
    of ``which`` (n,), and that of one of the person's decided faces among the good ones."""
    if not decided.rejected:
        return no_pairs()
    row_of = {int(face): row for row, face in enumerate(faces.ids[which])}
    numbers, first = np.unique(faces.decided[~faces.poor], return_index=True)
    first_of = dict(zip(numbers.tolist(), first.tolist(), strict=True))
    pairs = [
        (row_of[face], first_of[number])
        for face, number in sorted(decided.rejected)
        if face in row_of and number in first_of
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


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


def _graph(
    gallery: Gallery, state: GalleryState, faces: _Faces, options: ClusterOptions, how: How
) -> ClusteringGraph | None:
    """The graph to cluster, where there are too many faces to look at all pairs."""
    good = ~faces.poor
    most = MOST_DENSE if options.method == "agglomerative" else MOST_WHOLE
    if not how.full or good.sum() <= most:
        return None
    return clustering_graph(gallery, state, faces.ids[good], faces.vectors[good])


def _formed(
    faces: _Faces,
    constraints: Resolved,
    options: ClusterOptions,
    how: How,
    graph: ClusteringGraph | None,
) -> Clustering:
    """The clusters of the good faces."""
    good = ~faces.poor
    ids, vectors = faces.ids[good], faces.vectors[good]
    edges = None if graph is None else graph.graph
    if options.method != "agglomerative":
        return density(
            ids,
            vectors,
            min_cluster_size=max(2, options.min_size),
            graph=edges,
            refine=_threshold(options),
            constraints=constraints,
        )
    if how.full:
        return agglomerative(
            ids,
            vectors,
            options.threshold,
            min_size=options.min_size,
            constraints=constraints,
            graph=edges,
        )
    before = np.where(faces.undone, NOBODY, faces.before)[good]
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


def _with_poor(
    clustering: Clustering, faces: _Faces, options: ClusterOptions, decided: Decided
) -> Clustering:
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
        cannot=_rejected(faces, decided, poor),
    )


def _without_photos(before: NDArray[np.int64], then: PeopleNow | None) -> tuple[Gone, ...]:
    """Who was there ``then``, and has none of the faces that were of somebody ``before`` now."""
    if then is None:
        return ()
    were, counts = np.unique(then.of_faces(), return_counts=True)
    still = np.isin(were, before) | (were == NOBODY)
    return tuple(
        Gone(number, faces, "their photos are gone")
        for number, faces in zip(were[~still].tolist(), counts[~still].tolist(), strict=True)
    )


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


def gallery_people(
    gallery: Gallery, state: GalleryState, decided: Decided | None = None
) -> PeopleNow:
    """Who is in a gallery now: the people of its last run, of faces that are live.

    Faces that came after it belong to those they were decided to be. ``decided`` is what holds, by
    default all that was decided and not undone.
    """
    live = state.live_ids()
    decided = People(gallery.folder).decided() if decided is None else decided
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
    present = [record for record in state.photos.values() if record.status != "gone"]
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
        photo_count=len(present),
        photos_without_faces=sum(
            state.holds(record) and state.contents[record.sha256] in state.faceless
            for record in present
        ),
        failed=[
            FailedPhoto(record.name, record.reason, record.detail)
            for record in sorted(present, key=lambda record: record.location_bytes)
            if record.status == "failed"
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
