"""Clusterings saved in a gallery, one file for each run."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.merge_rule import GROUP_NAMES, MergeRule
from cluster.types import NOISE, Clustering
from facesearch.clustering.dendrogram_cache import CachedDendrogram, write_dendrogram
from facesearch.clustering.person_matching import PeopleChanges, PersonGone, PersonMove
from facesearch.clustering.unsealed_run import is_unsealed, unsealed_content
from facesearch.errors import ChangedGalleryError, GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.tombstones import Tombstones
from facesearch.people.assignment import person_of_labels, undecided_numbers
from facesearch.people.projection import NOBODY
from indexer.errors import ShardError
from indexer.id_lookup import distinct, positions_of
from indexer.storage.atomic_files import make_folder
from indexer.storage.hdf5_reader import Checker, open_hdf5, reading
from indexer.storage.plain_files import parse_json
from indexer.storage.sealed_arrays import (
    SealedArrays,
    require_array,
    sealed_content,
    write_sealed,
)
from indexer.storage.shard_format import Scalar
from indexer.types import Ids

FORMAT = "facesearch-clustering"
VERSION = 2


@dataclass(frozen=True)
class RunInfo:
    """How a run was made: from all faces (``full``), or built on the previous run; and ``why``.

    ``formed`` is how many faces the last full run had, and ``min_size`` and ``attach_threshold``
    are its other options. ``decisions`` is the newest decision it knew. ``threshold_from`` is
    who set the threshold: whoever asked ("given"), the gallery's own merges ("gallery"), or the
    "encoder". ``rule`` is the one that a gallery gave, by name
    (:meth:`cluster.adaptive.merge_rule.MergeRule.as_dict`). ``graph`` is "kept" or "made" where a
    graph of neighbours was clustered, with the share of exact neighbours it had, ``edge_recall``;
    "" where all pairs were looked at. ``cut`` tells that nothing was merged: the merges of an
    earlier run were cut. ``linkage`` is which distance between groups counted; ``exact`` is False
    where single linkage may have missed a pair. ``partitions`` is in how many parts the
    merges were made, 0 where not in parts, and ``worker_bytes`` about what each worker took.
    """

    full: bool = True
    why: str = ""
    formed: int = 0
    min_size: int = 1
    attach_threshold: float = 0.0
    decisions: int = 0
    threshold_from: str = "given"
    graph: str = ""
    edge_recall: float = 1.0
    cut: bool = False
    linkage: str = "average"
    exact: bool = True
    rule: dict[str, float] | None = None
    partitions: int = 0
    worker_bytes: int = 0

    @property
    def merge_rule(self) -> MergeRule | None:
        """``rule`` as it is used."""
        return None if self.rule is None else MergeRule.of(self.rule)

    @property
    def rule_lost(self) -> bool:
        """Whether the gallery gave a rule that is of an earlier version, and is not read."""
        return self.threshold_from == "gallery" and self.rule is None


@dataclass(frozen=True)
class ClusterRun:
    """A clustering and how it came about.

    ``threshold`` is the mean squared distance below which two clusters merge, or by hdbscan (None:
    of old) are not taken apart again;
    ``state`` is the digest of the live faces that were clustered. Faces of less quality than
    ``min_quality`` took no part in forming the clusters. ``same_photo`` tells whether two faces of
    one photo could come into one cluster. ``people`` int64 (k,) are the numbers of the people of
    the labels, or None for runs from before people had any. ``contradictions`` say in words which
    decisions could not both be followed. ``merges`` are those that were made for this run, to be
    kept with it; None for a run that is read. ``path`` is the file that the run is kept in.
    """

    clustering: Clustering
    method: str
    threshold: float | None
    created_at: str
    state: str
    min_quality: float
    same_photo: bool
    people: NDArray[np.int64] | None = None
    how: RunInfo = RunInfo()
    changes: PeopleChanges = field(default_factory=PeopleChanges)
    contradictions: tuple[str, ...] = ()
    merges: CachedDendrogram | None = field(default=None, compare=False)
    path: Path | None = field(default=None, compare=False)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """``people``, or stand-ins where there are none."""
        return undecided_numbers(self.clustering.count) if self.people is None else self.people


def save_run(gallery: Gallery, run: ClusterRun) -> Path:
    """Keep a run as ``clusters/NUMBER.h5``, and its merges in place of others; returns the path.

    Raises ChangedGalleryError where faces of the run were forgotten meanwhile, and BusyGalleryError
    when another process is writing; then nothing is written.
    """
    folder = gallery.folder / "clusters"
    with gallery.writing():
        forgotten = int(Tombstones.read(gallery.folder).among(run.clustering.ids).sum())
        if forgotten:
            raise ChangedGalleryError(
                f"{forgotten} faces of {gallery.folder} were forgotten while it was clustered; "
                f"run: facesearch cluster {gallery.folder}"
            )
        make_folder(folder)
        runs = run_paths(gallery)
        path = folder / f"{int(runs[-1].stem) + 1 if runs else 0:06d}.h5"
        write_run(path, run)
        if run.merges is not None:
            write_dendrogram(gallery, run.merges)
    return path


def write_run(path: Path, run: ClusterRun) -> None:
    """Put a run in the place of the file ``path``; for who holds the gallery's lock."""
    attributes: dict[str, Scalar] = {
        "method": run.method,
        "threshold": np.nan if run.threshold is None else float(run.threshold),
        "created_at": run.created_at,
        "state": run.state,
        "min_quality": float(run.min_quality),
        "same_photo": int(run.same_photo),
    }
    found = run.clustering
    arrays: dict[str, NDArray[Any]] = {
        "ids": found.ids,
        "labels": found.labels,
        "confidence": found.confidence,
    }
    if run.people is not None:
        arrays["people"] = person_of_labels(found.labels, run.people)
    story = {
        "how": asdict(run.how),
        "changes": asdict(run.changes),
        "contradictions": run.contradictions,
    }
    arrays["story"] = np.frombuffer(json.dumps(story).encode(), np.uint8)
    write_sealed(path, FORMAT, VERSION, SealedArrays(attributes, arrays))


def without_faces(run: ClusterRun, ids: Ids) -> ClusterRun:
    """``run`` as if it had never had the faces ``ids``, ascending; itself where it has none."""
    kept = positions_of(run.clustering.ids, ids, ascending=True) < 0
    if kept.all():
        return run
    found, labels = run.clustering, run.clustering.labels[kept]
    left = np.unique(labels[labels != NOISE])  # some clusters may have lost all faces
    labels = np.where(labels == NOISE, NOISE, np.searchsorted(left, labels)).astype(np.int32)
    rest = Clustering(found.ids[kept], labels, found.confidence[kept])
    people = None if run.people is None else run.people[left]
    # What could not be followed is told by face, so it goes.
    return replace(run, clustering=rest, people=people, contradictions=())


def latest_run(gallery: Gallery) -> ClusterRun:
    """The newest run; raises GalleryError when there is none or it cannot be read."""
    runs = run_paths(gallery)
    if not runs:
        raise GalleryError(
            f"the gallery {gallery.folder} has not been clustered; "
            f"run: facesearch cluster {gallery.folder}"
        )
    return run_at(runs[-1])


def run_at(path: Path) -> ClusterRun:
    """One kept run; raises GalleryError when it cannot be read."""
    try:
        return read_run(path)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise GalleryError(
            f"cannot read {path}: {error}; delete this file and run: facesearch cluster "
            f"{path.parent.parent}"
        ) from error


def read_run(path: Path) -> ClusterRun:
    """One kept run; raises OSError, KeyError, ValueError or TypeError when it is damaged."""
    with open_hdf5(path) as file, reading(path, "the file"):
        checker = Checker(file, path)
        if is_unsealed(file):
            content = unsealed_content(checker, file, FORMAT)
        else:
            content = sealed_content(checker, file, FORMAT, VERSION)
    clustering, people = _labelled(content, path)
    said = content.attributes
    threshold, min_quality = float(said["threshold"]), float(said["min_quality"])
    story = parse_json(require_array(content, path, "story", "uint8", (None,)).tobytes())
    return ClusterRun(
        clustering,
        str(said["method"]),
        None if np.isnan(threshold) else threshold,
        str(said["created_at"]),
        str(said["state"]),
        min_quality,
        bool(said["same_photo"]),
        people,
        _run_info(story["how"]),
        _changes(story["changes"]),
        tuple(map(str, story["contradictions"])),
        path=path,
    )


def _labelled(content: SealedArrays, path: Path) -> tuple[Clustering, NDArray[np.int64] | None]:
    """The clustering, each number of it in bounds, and the people of its labels."""
    ids = require_array(content, path, "ids", "int64", (None,))
    labels = require_array(content, path, "labels", "int32", (len(ids),))
    confidence = require_array(content, path, "confidence", "float32", (len(ids),))
    if len(distinct(ids)) < len(ids) or (ids < 0).any():
        raise ShardError(f"{path}: expected ids of faces, each once")
    # So that what is counted by labels is never larger than what is counted by faces.
    if len(labels) and not NOISE <= labels.min() <= labels.max() < len(labels):
        raise ShardError(f"{path}: expected labels from {NOISE} to {len(labels) - 1}")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ShardError(f"{path}: expected confidences in [0, 1]")
    clustering = Clustering(ids, labels, confidence)
    if "people" not in content.arrays:
        return clustering, None
    people = require_array(content, path, "people", "int64", (len(ids),))
    if (people < NOBODY).any():
        raise ShardError(f"{path}: expected people from {NOBODY} on")
    numbers = np.full(clustering.count, NOBODY, np.int64)
    numbers[labels[labels != NOISE]] = people[labels != NOISE]
    return clustering, numbers


def _run_info(found: dict[str, Any]) -> RunInfo:
    rule = found.get("rule")
    if isinstance(rule, dict) and not rule.keys() >= set(GROUP_NAMES):
        found = {**found, "rule": None}  # learnt before groups were counted
    expected = asdict(RunInfo())
    for name, value in found.items():
        if name == "rule":
            if value is not None:
                MergeRule.of(value)
            continue
        kinds = (int, float) if isinstance(expected.get(name), float) else type(expected.get(name))
        if name not in expected or not isinstance(value, kinds):
            raise ValueError(f"expected how a run was made, got {name} {str(value)[:80]}")
    return RunInfo(**found)


def _changes(found: dict[str, Any]) -> PeopleChanges:
    moves = tuple(PersonMove(**each) for each in found.pop("moves", ()))
    gone = tuple(PersonGone(**each) for each in found.pop("gone", ()))
    numbers = [
        *found.values(),
        *(number for each in moves for number in (each.source, each.target, each.faces)),
        *(number for each in gone for number in (each.person, each.faces)),
    ]
    if not all(type(each) is int for each in numbers):
        raise ValueError("expected changes in whole numbers")
    return PeopleChanges(**found, moves=moves, gone=gone)


def run_paths(gallery: Gallery) -> list[Path]:
    """The kept runs, oldest first."""
    folder = gallery.folder / "clusters"
    return sorted(path for path in folder.glob("*.h5") if re.fullmatch(r"\d{6}", path.stem))
