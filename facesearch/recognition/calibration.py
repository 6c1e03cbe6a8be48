"""The identification threshold learnt from a gallery, saved in ``calibration.json``.

Searches for people who are not enrolled should return a name at a given rate only (FPIR). What is
known of such searches comes from the gallery: each enrolled person is searched for among all
others, and the clusters without an enrolled face, each of which is taken for a person of its own,
among the enrolled. A cluster can only be distinguished from an enrolled person beyond the distance
at which clusters merge; nearer ones say nothing, and the law fitted to the rest knows that
(indexer/open_set/threshold.py).
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from facesearch.clustering.run_store import ClusterRun, latest_run, run_paths
from facesearch.errors import BusyGalleryError, GalleryError, InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.assignment import assign_people, led_numbers
from facesearch.people.store import PeopleStore
from facesearch.recognition.templates import RULE, PersonTemplates
from indexer.argument_checks import describe, is_number
from indexer.errors import TooFewImpostorsError
from indexer.id_lookup import contained
from indexer.open_set.threshold import (
    LEAST_IDENTITIES,
    MOST_FPIR,
    ImpostorSample,
    OpenSetThreshold,
    open_set_threshold,
    search_each_other,
    search_strangers,
)
from indexer.storage.atomic_files import write_atomically
from indexer.storage.plain_files import read_json
from indexer.types import Ids

logger = logging.getLogger(__name__)

FORMAT = "facesearch-calibration"
VERSION = 1
# By how much the enrolled people, or their faces, may grow before what was learnt is too old:
# the false positive rate grows at most as they do.
MOST_GROWTH = 1.5

# The share of strangers that may be taken for somebody where nobody said otherwise.
USUAL_FPIR = 0.01

# Of strangers' clusters: enough for a law of the nearest of them, in bounded memory.
_MOST_CLUSTERS = 20_000
_MOST_FACES = 5  # of each
_SEED = 0

Source = Literal["given", "calibration", "stale calibration", "encoder"]


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it was made of.

    ``result`` says how, from how many searches, and for what rate; ``people`` with ``faces`` were
    enrolled, searched by ``rule``; ``clusters`` without an enrolled face were searched for, and
    counted beyond the squared distance ``beyond``. ``state`` is the digest of the live faces.
    """

    result: OpenSetThreshold
    rule: str
    people: int
    faces: int
    clusters: int
    beyond: float
    state: str
    created_at: str

    def outgrown(self, people: int, faces: int) -> str:
        """Why this is stale with so many enrolled people and faces of them; "" while it is not."""
        for what, then, now in (("people", self.people, people), ("faces", self.faces, faces)):
            if now >= MOST_GROWTH * then:
                return f"it was made with {then} enrolled {what}, and there are {now} now"
        return ""

    def fpir_among(self, people: int) -> float:
        """The false positive rate to be expected of searches among so many people."""
        return -math.expm1(people / self.people * math.log1p(-self.result.fpir))


@dataclass(frozen=True)
class ThresholdInUse:
    """A squared distance up to which a face is named, and where it comes from.

    ``fpir`` is the calibrated rate, for as many people as there are now; None without one.
    """

    value: float
    source: Source
    fpir: float | None = None


def calibrate(
    gallery: Gallery, state: GalleryState, fpir: float, cluster_threshold: float
) -> Calibration:
    """Learn the threshold as :func:`learn_calibration` does, and keep it.

    Raises BusyGalleryError when another process is writing.
    """
    calibration = learn_calibration(gallery, state, fpir, cluster_threshold)
    with gallery.writing():
        _write(gallery, calibration)
    return calibration


def calibrate_unasked(
    gallery: Gallery, state: GalleryState, cluster_threshold: float
) -> Calibration | None:
    """The threshold of :data:`USUAL_FPIR` of a gallery that was never calibrated.

    It is kept if it can be. None where there is too little to learn from.
    """
    try:
        calibration = learn_calibration(gallery, state, USUAL_FPIR, cluster_threshold)
    except InputError as error:
        logger.info("not calibrated: %s", error)
        return None
    try:
        with gallery.writing():
            _write(gallery, calibration)
    except (BusyGalleryError, OSError) as error:
        logger.warning("the calibration of %s was not kept: %s", gallery.folder, error)
    return calibration


def learn_calibration(
    gallery: Gallery, state: GalleryState, fpir: float, cluster_threshold: float
) -> Calibration:
    """The threshold of rate ``fpir``, in (0, 0.1], that the gallery itself gives.

    ``cluster_threshold`` is the encoder's: that of clusterings which do not say theirs. Raises
    InputError where no one is enrolled or there are too few people and clusters to learn from, and
    for another rate.
    """
    if not is_number(fpir) or not 0 < fpir <= MOST_FPIR:
        raise InputError(
            f"expected a rate above 0 and at most {MOST_FPIR} as fpir, got {describe(fpir)}"
        )
    enrolled = PersonTemplates.load(gallery, state)
    samples = []
    if len(enrolled.names) > 1:
        samples.append(search_each_other(enrolled.vectors, enrolled.people, RULE))
    beyond = 0.0
    if run_paths(gallery):
        run = latest_run(gallery)
        beyond = cluster_threshold if run.threshold is None else run.threshold
        samples.append(_strangers(gallery, state, enrolled, run, beyond))
    try:
        result = open_set_threshold(samples, len(enrolled.names), fpir)
    except TooFewImpostorsError as error:
        raise InputError(
            f"the gallery has too few other people to learn from: {error}; enroll more people, or "
            f"index photos of others and run: facesearch cluster {gallery.folder} (each of "
            f"{LEAST_IDENTITIES} or more clusters then counts as a person)"
        ) from error
    clusters = sum(len(np.unique(each.identities)) for each in samples if not each.mutual)
    return Calibration(
        result,
        str(RULE),
        len(enrolled.names),
        len(enrolled.ids),
        clusters,
        beyond,
        state.digest(),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


def threshold_in_use(enrolled: PersonTemplates, calibration: Calibration) -> ThresholdInUse:
    """The calibrated threshold, among those who are enrolled now.

    A stale calibration is still used, and said to be stale: it knows more than the encoder's
    default, which knows no gallery.
    """
    people = len(enrolled.names)
    stale = calibration.outgrown(people, len(enrolled.ids))
    return ThresholdInUse(
        calibration.result.threshold,
        "stale calibration" if stale else "calibration",
        calibration.fpir_among(people),
    )


def _strangers(
    gallery: Gallery,
    state: GalleryState,
    enrolled: PersonTemplates,
    run: ClusterRun,
    beyond: float,
) -> ImpostorSample:
    """Faces of people without an enrolled face, searched among the enrolled."""
    decided = PeopleStore(gallery.folder).decided()
    # The rest of an enrolled face's cluster is taken to be that person, named yet or not.
    numbers = led_numbers(run.clustering, run.numbers, decided)
    now = assign_people(run.clustering, numbers, decided, known=run.how.decisions)
    clustering = now.clustering
    ids, labels = clustering.ids, clustering.labels.astype(np.int64)
    known = np.unique(labels[contained(ids, enrolled.ids)])
    kept = (labels >= 0) & ~np.isin(labels, known) & contained(ids, state.live_ids())
    ids, labels = _drawn(ids[kept], labels[kept])
    return search_strangers(enrolled.groups(), gallery.vectors(ids), labels, beyond)


def _drawn(ids: Ids, labels: Ids) -> tuple[Ids, Ids]:
    """A few faces of each cluster, of at most so many clusters, drawn."""
    rng = np.random.default_rng(_SEED)
    taken = rng.permutation(np.unique(labels))[:_MOST_CLUSTERS]
    order = rng.permutation(np.flatnonzero(np.isin(labels, taken)))
    order = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[order], labels[order])
    order = np.sort(order[np.arange(len(order)) - starts < _MOST_FACES])
    return ids[order], labels[order]


def calibration_path(gallery: Gallery) -> Path:
    """Where a gallery's calibration lies."""
    return gallery.folder / "calibration.json"


def read_calibration(gallery: Gallery) -> Calibration | None:
    """The calibration kept in a gallery, if any; raises GalleryError where it is damaged."""
    path = calibration_path(gallery)
    try:
        found = read_json(path)
        return _parsed(found)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GalleryError(
            f"cannot read {path}: {error}; rebuild it with: facesearch calibrate {gallery.folder}"
        ) from error


def _write(gallery: Gallery, calibration: Calibration) -> None:
    document = {"format": FORMAT, "version": VERSION, **asdict(calibration)}
    write_atomically(calibration_path(gallery), json.dumps(document, indent=1).encode())


def _parsed(found: Any) -> Calibration:
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"expected format {FORMAT!r}, got {str(found)[:80]}")
    if found.pop("version") != VERSION:
        raise ValueError(f"expected version {VERSION}")
    del found["format"]
    result = OpenSetThreshold(**found.pop("result"))
    calibration = Calibration(result, **found)
    if calibration.rule != str(RULE):
        raise ValueError(f"expected a threshold of the rule {RULE}, got {calibration.rule!r}")
    numbers = (result.threshold, result.fpir, result.low, result.high, calibration.beyond)
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in numbers):
        raise ValueError(f"expected numbers, got {numbers}")
    if not 0 <= result.threshold <= 4 or not 0 < result.fpir < 1:
        raise ValueError(f"expected a squared distance and a rate, got {numbers[:2]}")
    counts = (calibration.people, calibration.faces)
    if not all(type(each) is int and each > 0 for each in counts):
        raise ValueError(f"expected numbers of people and faces, got {counts}")
    return calibration
