"""Clusterings saved in a gallery, one file for each run."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.merge_rule import MergeRule
from cluster.types import NOISE, Clustering
from facesearch.clustering.dendrogram_cache import CachedDendrogram, write_dendrogram
from facesearch.clustering.person_matching import PeopleChanges, PersonGone, PersonMove
from facesearch.errors import ChangedGalleryError, GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.tombstones import Tombstones
from facesearch.people.assignment import NOBODY, person_of_labels, undecided_numbers
from indexer.storage.atomic_files import partial_path, sync_file, sync_folder

FORMAT = "facesearch-clustering"
VERSION = 1


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
    where single linkage may have missed a pair.
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

    @property
    def merge_rule(self) -> MergeRule | None:
        """``rule`` as it is used."""
        return None if self.rule is None else MergeRule.of(self.rule)


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
        folder.mkdir(exist_ok=True)
        runs = run_paths(gallery)
        path = folder / f"{int(runs[-1].stem) + 1 if runs else 0:06d}.h5"
        partial = partial_path(path)
        _write_run(partial, run)
        sync_file(partial)
        partial.replace(path)
        sync_folder(folder)
        if run.merges is not None:
            write_dendrogram(gallery, run.merges)
    return path


def _write_run(path: Path, run: ClusterRun) -> None:
    with h5py.File(path, "w") as file:
        file.attrs.update(
            format=FORMAT,
            version=VERSION,
            method=run.method,
            threshold=np.nan if run.threshold is None else run.threshold,
            created_at=run.created_at,
            state=run.state,
            min_quality=run.min_quality,
            same_photo=run.same_photo,
        )
        for name in ("ids", "labels", "confidence"):
            file.create_dataset(name, data=getattr(run.clustering, name), fletcher32=True)
        if run.people is not None:
            of_faces = person_of_labels(run.clustering.labels, run.people)
            file.create_dataset("people", data=of_faces, fletcher32=True)
        story = {
            "how": asdict(run.how),
            "changes": asdict(run.changes),
            "contradictions": run.contradictions,
        }
        text = np.frombuffer(json.dumps(story).encode(), np.uint8)
        file.create_dataset("story", data=text[None], fletcher32=True)


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
        raise GalleryError(f"cannot read {path}: {error}; delete it and cluster again") from error


def read_run(path: Path) -> ClusterRun:
    """One kept run; raises OSError, KeyError, ValueError or TypeError when it is damaged."""
    with h5py.File(path, "r") as file:
        if file.attrs["format"] != FORMAT or file.attrs["version"] != VERSION:
            raise ValueError(f"not a clustering of version {VERSION}")
        threshold = float(file.attrs["threshold"])
        clustering = Clustering(file["ids"][:], file["labels"][:], file["confidence"][:])
        people = _people(file, clustering)
        story = json.loads(file["story"][:].tobytes() or "{}") if "story" in file else {}
        return ClusterRun(
            clustering,
            str(file.attrs["method"]),
            None if np.isnan(threshold) else threshold,
            str(file.attrs["created_at"]),
            str(file.attrs["state"]),
            float(file.attrs.get("min_quality", 0.0)),  # runs before there was any have none
            bool(file.attrs.get("same_photo", True)),
            people,
            RunInfo(**story.get("how", {})),
            _changes(story.get("changes", {})),
            tuple(map(str, story.get("contradictions", ()))),
            path=path,
        )


def _people(file: Any, clustering: Clustering) -> NDArray[np.int64] | None:
    if "people" not in file:
        return None
    people: NDArray[np.int64] = file["people"][:]
    labels = clustering.labels
    if people.shape != labels.shape or people.dtype != np.int64:
        raise ValueError(
            f"expected people int64 ({len(labels)},), got {people.dtype} {people.shape}"
        )
    numbers = np.full(clustering.count, NOBODY, np.int64)
    numbers[labels[labels != NOISE]] = people[labels != NOISE]
    return numbers


def _changes(found: dict[str, Any]) -> PeopleChanges:
    moves = tuple(PersonMove(**each) for each in found.pop("moves", ()))
    gone = tuple(PersonGone(**each) for each in found.pop("gone", ()))
    return PeopleChanges(**found, moves=moves, gone=gone)


def run_paths(gallery: Gallery) -> list[Path]:
    """The kept runs, oldest first."""
    folder = gallery.folder / "clusters"
    return sorted(path for path in folder.glob("*.h5") if re.fullmatch(r"\d{6}", path.stem))
