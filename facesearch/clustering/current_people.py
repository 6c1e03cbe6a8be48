"""The present people of a gallery, by its last clustering and the decisions since."""

from __future__ import annotations

import logging

import numpy as np

from cluster.types import NOISE, Clustering
from facesearch.clustering.run_store import ClusterRun, latest_run, run_paths
from facesearch.errors import GalleryError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.assignment import PersonAssignment, assign_people
from facesearch.people.projection import DecisionState
from facesearch.people.store import PeopleStore
from indexer.id_lookup import contained
from indexer.types import Ids

logger = logging.getLogger(__name__)


def album_people(run: ClusterRun, decided: DecisionState) -> PersonAssignment:
    """The people of a run as was decided up to now."""
    return assign_people(run.clustering, run.numbers, decided, known=run.how.decisions)


def gallery_people(
    gallery: Gallery, state: GalleryState, decided: DecisionState | None = None
) -> PersonAssignment:
    """Who is in a gallery now: the people of its last run, of faces that are live.

    Faces that came after it belong to those they were decided to be. ``decided`` is what holds, by
    default all that was decided and not undone.
    """
    live = state.live_ids()
    decided = PeopleStore(gallery.folder).decided() if decided is None else decided
    run = last_run(gallery)
    if run is None:
        none = np.zeros(0, np.int64)
        known, numbers = Clustering(none, none.astype(np.int32), none.astype(np.float32)), none
        followed = 0
    else:
        known, numbers = clustering_of(run.clustering, live), run.numbers
        followed = run.how.decisions
    late = live[~contained(live, known.ids)]
    everyone = Clustering(
        np.concatenate([known.ids, late]),
        np.concatenate([known.labels, np.full(len(late), NOISE, np.int32)]),
        np.concatenate([known.confidence, np.zeros(len(late), np.float32)]),
    )
    return assign_people(everyone, numbers, decided, known=followed)


def clustering_of(clustering: Clustering, ids: Ids) -> Clustering:
    """The lines of ``clustering`` that are of ``ids``."""
    kept = contained(clustering.ids, ids)
    return Clustering(clustering.ids[kept], clustering.labels[kept], clustering.confidence[kept])


def last_run(gallery: Gallery) -> ClusterRun | None:
    """The newest run; None where there is none that can be read."""
    if not run_paths(gallery):
        return None
    try:
        return latest_run(gallery)
    except GalleryError as error:
        logger.warning("going on without the last clustering: %s", error)
        return None
