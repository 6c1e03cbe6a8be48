"""Verify a gallery: checksums, schema, contract, people, and whether derived files are current."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from facesearch.clustering.dendrogram_cache import dendrogram_path, load_dendrogram
from facesearch.clustering.run_store import run_at, run_paths
from facesearch.erasure.forget import unfinished
from facesearch.errors import FacesearchError, GalleryError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.schema import schema_problems
from facesearch.gallery.state_cache import FILE as STATE_FILE
from facesearch.gallery.state_cache import read_state
from facesearch.gallery.tombstones import Tombstones
from facesearch.people.store import PeopleStore
from facesearch.recognition.calibration import read_calibration
from facesearch.recognition.templates import PersonTemplates
from facesearch.search.gallery_index import index_folder, load_index
from facesearch.search.knn_graph import graph_path, open_graph
from facesearch.text import count
from indexer.errors import IndexerError, MissingFaissError, ShardError, StaleIndexError
from indexer.id_lookup import contained
from indexer.storage.shards import Shard
from indexer.types import split_ids

logger = logging.getLogger(__name__)

_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """A problem. It is ``severe`` if shards or people are damaged, which nothing can rebuild."""

    subject: str
    problem: str
    severe: bool


def check_gallery(gallery: Gallery) -> list[Finding]:
    """Every problem of a gallery, those of its shards first; empty when all is well.

    Whatever is wrong in the gallery's folder is a finding, never an error.
    """
    try:
        paths = gallery.shard_paths()
    except (OSError, IndexerError, FacesearchError) as error:
        return [_failure("shards", error, severe=True)]
    findings = []
    for path in paths:
        findings += _findings(path.name, partial(_check_shard, path), severe=True)
    state = None
    try:
        state = gallery.state(ignore_cache=True)
    except Exception as error:
        findings.append(_failure("gallery", error, severe=True))
    findings += _findings("next-shard", partial(_check_numbers, gallery), severe=True)
    findings += _findings("settings.json", partial(_check_settings, gallery), severe=False)
    people = partial(_check_people, gallery, paths, state)
    findings += _findings("people.sqlite", people, severe=True)
    forgotten = partial(_check_forgotten, gallery)
    findings += _findings("forgotten.json", forgotten, severe=True)
    if state is not None:
        findings += _check_contents(state)
        findings += _findings(STATE_FILE, partial(_check_kept_state, gallery, state), severe=False)
        findings += _findings("index", partial(_check_index, gallery, state), severe=False)
        findings += _findings("clusters", partial(_check_clusters, gallery, state), severe=False)
        findings += _findings("graph.h5", partial(_check_graph, gallery, state), severe=False)
        calibration = partial(_check_calibration, gallery, state)
        findings += _findings("calibration.json", calibration, severe=False)
    return findings


def _findings(subject: str, check: Callable[[], list[Finding]], severe: bool) -> list[Finding]:
    try:
        return check()
    except Exception as error:
        return [_failure(subject, error, severe)]


def _failure(subject: str, error: Exception, severe: bool) -> Finding:
    if isinstance(error, FacesearchError | IndexerError):
        return Finding(subject, str(error), severe)
    # Libraries raise all sorts of things on damaged files; the check goes on all the same.
    logger.debug("%s cannot be checked", subject, exc_info=error)
    return Finding(subject, f"cannot be read: {type(error).__name__}: {error}", severe)


def _check_shard(path: Path) -> list[Finding]:
    with Shard.open(path) as shard:
        problems = shard.verify()
        try:
            problems += schema_problems(shard)
        except ShardError as error:
            if str(error) not in problems:
                problems.append(str(error))
    return [Finding(path.name, problem, severe=True) for problem in problems]


def _check_numbers(gallery: Gallery) -> list[Finding]:
    gallery.next_shard_number()
    return []


def _check_settings(gallery: Gallery) -> list[Finding]:
    _ = gallery.settings  # reading it checks it
    return []


def _check_contents(state: GalleryState) -> list[Finding]:
    """Photos whose content is in no shard any more."""
    if not state.lost_count:
        return []
    text = (
        f"{count(state.lost_count, 'photo')} with faces in missing shards; restore the shards from "
        "a backup, or index the photos again"
    )
    return [Finding("shards", text, severe=True)]


def _check_kept_state(gallery: Gallery, state: GalleryState) -> list[Finding]:
    """A state.h5 that cannot be read, or differs from ``state``, read from the shards."""
    path = gallery.folder / STATE_FILE
    if not os.path.lexists(path):
        return []
    if read_state(gallery.folder, gallery.contract) is None:
        text = f"cannot be used, so every command reads all shards; delete {path}"
        return [Finding(STATE_FILE, text, severe=False)]
    log = gallery.state().log
    # Other shards than those: a job is at work.
    if not np.array_equal(log.shards, state.log.shards) or log.equals(state.log):
        return []
    text = f"does not agree with the shards; delete {path}"
    return [Finding(STATE_FILE, text, severe=False)]


def _check_forgotten(gallery: Gallery) -> list[Finding]:
    """Forgotten faces that are still in their shards."""
    left = len(unfinished(gallery, Tombstones.read(gallery.folder).ids))
    if not left:
        return []
    text = (
        f"{count(left, 'forgotten face')} left in shards, where no search finds them; "
        f"to delete them, run: facesearch forget {gallery.folder}"
    )
    return [Finding("forgotten.json", text, severe=True)]


def _check_people(
    gallery: Gallery, paths: Sequence[Path], state: GalleryState | None
) -> list[Finding]:
    people = PeopleStore(gallery.folder)
    damage = [
        f"damaged: {problem}; restore it from a backup, or export what can be read: facesearch "
        f"people export {gallery.folder} FILE"
        for problem in people.check()
    ]
    if damage:
        return [Finding("people.sqlite", text, severe=True) for text in damage]
    ids = people.memberships().ids
    numbers, _ = split_ids(ids)
    there = np.isin(numbers, [int(path.stem) for path in paths])
    findings = []
    if not there.all():
        names = [f"{number:08d}.h5" for number in np.unique(numbers[~there]).tolist()]
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        text = (
            f"{count(int((~there).sum()), 'named face')} in missing shards "
            f"({', '.join(names[:_NAMES_SHOWN])}{more}); restore them from a backup"
        )
        findings.append(Finding("people.sqlite", text, severe=True))
    gone = 0 if state is None else int((there & ~contained(ids, state.live_ids())).sum())
    if gone:
        text = f"{count(gone, 'named face')} of deleted photos; the names are kept"
        findings.append(Finding("people.sqlite", text, severe=False))
    return findings


def _check_index(gallery: Gallery, state: GalleryState) -> list[Finding]:
    command = f"facesearch build {gallery.folder}"
    if not (index_folder(gallery) / "index.json").exists():
        text = f"missing, so searches read the shards; run: {command}"
        return [Finding("index", text, severe=False)]
    try:
        coverage = load_index(gallery, state, verify=True).coverage
    except MissingFaissError as error:
        return [Finding("index", f"not checked: {error}", severe=False)]
    except StaleIndexError as error:
        return [Finding("index", f"{error} (run: {command})", severe=False)]
    if not coverage.worth_rebuilding():
        return []
    text = (
        f"out of date: {count(coverage.fresh, 'new face')} searched separately, "
        f"{count(coverage.hidden, 'deleted face')} skipped; to rebuild it, run: {command}"
    )
    return [Finding("index", text, severe=False)]


def _check_clusters(gallery: Gallery, state: GalleryState) -> list[Finding]:
    paths = run_paths(gallery)
    findings = []
    for path in paths:
        try:
            run = run_at(path)
        except GalleryError as error:
            findings.append(Finding("clusters", str(error), severe=False))
            continue
        if path == paths[-1] and run.state != state.digest():
            text = f"older than the faces; run: facesearch cluster {gallery.folder}"
            findings.append(Finding("clusters", text, severe=False))
    merges = dendrogram_path(gallery)
    if os.path.lexists(merges):
        try:
            load_dendrogram(merges)
        except ShardError as error:
            text = f"{error} (run: facesearch cluster {gallery.folder} --full)"
            findings.append(Finding("clusters", text, severe=False))
    return findings


def _check_graph(gallery: Gallery, state: GalleryState) -> list[Finding]:
    if not os.path.lexists(graph_path(gallery)):
        return []
    try:
        with open_graph(gallery, state) as graph:
            for _ in graph.blocks():
                pass
    except StaleIndexError as error:
        return [Finding("graph.h5", f"{error} (run: facesearch graph {gallery.folder})", False)]
    return []


def _check_calibration(gallery: Gallery, state: GalleryState) -> list[Finding]:
    calibration = read_calibration(gallery)
    if calibration is None:
        return []
    enrolled = PersonTemplates.load(gallery, state)
    stale = calibration.outgrown(len(enrolled.names), len(enrolled.ids))
    if not stale:
        return []
    text = f"{stale}; run: facesearch calibrate {gallery.folder}"
    return [Finding("calibration.json", text, severe=False)]
