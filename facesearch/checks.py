"""Is a gallery whole? Checksums, contract, people and freshness of what is derived."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facesearch.errors import FacesearchError
from facesearch.gallery import Gallery, GalleryState
from facesearch.grouping import latest_run
from facesearch.people import People
from facesearch.search import index_folder, load_index
from indexer.errors import IndexerError, MissingFaissError
from indexer.shards import Shard


@dataclass(frozen=True)
class Finding:
    """One thing found. ``severe``: the truth itself is damaged, not something derived from it."""

    subject: str
    problem: str
    severe: bool


def check_gallery(gallery: Gallery) -> list[Finding]:
    """Every problem of a gallery, the severe ones first; empty when all is well."""
    findings = [finding for path in gallery.shard_paths() for finding in _check_shard(path)]
    try:
        state = gallery.state()
    except (FacesearchError, IndexerError) as error:
        return [*findings, Finding("gallery", str(error), severe=True)]
    findings += _check_people(gallery, state)
    findings += _check_index(gallery, state)
    findings += _check_clusters(gallery, state)
    return findings


def _check_shard(path: Path) -> list[Finding]:
    try:
        with Shard.open(path) as shard:
            return [Finding(path.name, problem, severe=True) for problem in shard.verify()]
    except IndexerError as error:
        return [Finding(path.name, str(error), severe=True)]


def _check_people(gallery: Gallery, state: GalleryState) -> list[Finding]:
    try:
        ids = People(gallery.folder).memberships().ids
    except FacesearchError as error:
        return [Finding("people.sqlite", str(error), severe=True)]
    lost = int((~np.isin(ids, state.live_ids())).sum())
    if not lost:
        return []
    text = f"{lost} named face(s) belong to photos that are no longer there; their names are kept"
    return [Finding("people.sqlite", text, severe=False)]


def _check_index(gallery: Gallery, state: GalleryState) -> list[Finding]:
    if not (index_folder(gallery) / "index.json").exists():
        text = f"there is none, so searches read the shards; run: facesearch build {gallery.folder}"
        return [Finding("index", text, severe=False)]
    try:
        load_index(gallery, state)
    except MissingFaissError as error:
        return [Finding("index", f"not checked: {error}", severe=False)]
    except (FacesearchError, IndexerError) as error:
        return [Finding("index", str(error), severe=False)]
    return []


def _check_clusters(gallery: Gallery, state: GalleryState) -> list[Finding]:
    if not any((gallery.folder / "clusters").glob("*.h5")):
        return []
    try:
        run = latest_run(gallery)
    except FacesearchError as error:
        return [Finding("clusters", str(error), severe=False)]
    if run.state == state.digest():
        return []
    text = f"older than the gallery's faces; run: facesearch cluster {gallery.folder}"
    return [Finding("clusters", text, severe=False)]
