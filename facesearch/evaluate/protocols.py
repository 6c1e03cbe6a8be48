"""The published protocols, from photos to a report. Each function runs one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.evaluate import verification as v
from facesearch.evaluate.all_pairs import FARS as ALL_PAIRS_FARS
from facesearch.evaluate.all_pairs import AllPairs, all_pairs
from facesearch.evaluate.clustering import clustering_study
from facesearch.evaluate.datasets.embed_dataset import (
    NO_CACHE,
    DatasetEmbedOptions,
    OneFace,
    Progress,
    embed_photos,
)
from facesearch.evaluate.datasets.embedded_photos import (
    EmbeddedPhotos,
    PhotoFailure,
    State,
    distances_of,
)
from facesearch.evaluate.datasets.face_selection import DEFAULT_RULE
from facesearch.evaluate.datasets.labelled_photos import FrameTracks, LabelledPhotos
from facesearch.evaluate.datasets.sliced_photos import SlicedPhotos
from facesearch.evaluate.degradation import Degradation, Degraded
from facesearch.evaluate.identification import RANKS, identification
from facesearch.evaluate.presentation import charts, tables
from facesearch.evaluate.presentation.report import Conditions, Report
from facesearch.evaluate.robustness import FAR, EveryPair, ListedPairs, PairSource, robustness
from facesearch.evaluate.slices import slice_study
from facesearch.evaluate.verification_metrics import FARS, PairFigures, pair_figures
from facesearch.evaluate.video import FRAMES, EmbeddedTracks, embed_tracks, track_distances
from facesearch.evaluate.video_clips import VideoClips, embed_clips

logger = logging.getLogger(__name__)

_MANY = 0.05  # of the photos that cannot be used


@dataclass(frozen=True)
class Setup:
    """What protocols share; ``rule`` chooses a photo's face, ``missing`` says what if none is."""

    engine: FaceEngine
    rule: str = DEFAULT_RULE
    missing: str = "reject"
    seed: int = 0
    options: DatasetEmbedOptions = NO_CACHE
    progress: Progress = lambda done, total: None

    def embed(self, root: Path, paths: Sequence[str]) -> EmbeddedPhotos:
        """One face of each photo."""
        (embedded,) = embed_photos(
            self.engine,
            root,
            paths,
            way=OneFace(self.rule),
            options=self.options,
            progress=self.progress,
        )
        _require_photos(root, embedded.failures, len(paths))
        return embedded

    def conditions(self, embedded: EmbeddedPhotos) -> Conditions:
        """Of photos that this setup embedded."""
        return Conditions(
            contract=self.engine.contract,
            settings=self.engine.settings,
            face=f"the {self.rule} face",
            missing={"reject": "matching nothing", "centre": "the centre in its stead"}[
                self.missing
            ],
            photos=len(embedded.paths),
            without_face=embedded.count(State.NO_FACE),
            failures=embedded.failures,
        )


def run_pairs(
    setup: Setup,
    root: Path,
    pairs: v.LabelledPairs,
    *,
    name: str = "pairs",
    threshold: float | None = None,
    fars: Sequence[float] = FARS,
) -> Report:
    """Verification on listed pairs of photos below ``root``."""
    embedded = setup.embed(root, photos_of(pairs))
    distances = distances_of(embedded, pairs.first, pairs.second, setup.missing)
    figures = pair_figures(
        distances, pairs.same, pairs.folds, threshold=threshold, fars=fars, seed=setup.seed
    )
    lacking = {
        path
        for path, usable in zip(embedded.paths, embedded.usable(setup.missing), strict=True)
        if not usable
    }
    missing = sum(
        first in lacking or second in lacking
        for first, second in zip(pairs.first, pairs.second, strict=True)
    )
    return Report(
        name,
        setup.conditions(embedded),
        figures,
        tables.pair_tables(figures, missing),
        _pair_charts(figures),
    )


def run_folder(
    setup: Setup,
    photos: LabelledPhotos,
    *,
    fars: Sequence[float] = ALL_PAIRS_FARS,
    thresholds: Sequence[float] = (),
) -> Report:
    """VAL and FAR of every two photos of a labelled folder."""
    embedded = setup.embed(photos.root, photos.paths)
    result = all_pairs(
        embedded.vectors,
        photos.person_numbers,
        embedded.usable(setup.missing),
        fars=fars,
        thresholds=thresholds,
    )
    return Report(
        "all pairs of a folder",
        setup.conditions(embedded),
        result,
        tables.all_pairs_tables(result),
        _pair_charts(result),
    )


def run_slices(setup: Setup, photos: SlicedPhotos, thresholds: Mapping[str, float]) -> Report:
    """False accepts within each group of people, at each threshold."""
    embedded = setup.embed(photos.root, photos.paths)
    usable = embedded.usable(setup.missing)
    people = np.unique(np.array(photos.people), return_inverse=True)[1]
    study = slice_study(
        embedded.vectors[usable],
        people[usable],
        {kind: np.array(names)[usable].tolist() for kind, names in photos.groups.items()},
        thresholds,
        distinct=photos.distinct,
    )
    conditions = setup.conditions(embedded)
    return Report("slices", conditions, study, tables.slice_tables(study), ())


def run_identification(
    setup: Setup,
    photos: LabelledPhotos,
    *,
    enrol: int = 1,
    repeats: int = 10,
    ranks: int = RANKS,
) -> Report:
    """Open-set identification among the people of a labelled folder."""
    embedded = setup.embed(photos.root, photos.paths)
    found = identification(
        embedded.vectors,
        photos.person_numbers,
        embedded.usable(setup.missing),
        enrol=enrol,
        repeats=repeats,
        seed=setup.seed,
        ranks=ranks,
    )
    return Report(
        "open-set identification",
        setup.conditions(embedded),
        found,
        tables.identification_tables(found),
        charts.identification_charts(found),
    )


def run_clustering(
    setup: Setup,
    photos: LabelledPhotos,
    *,
    threshold: float,
    from_gallery: bool = False,
    with_density: bool = False,
) -> Report:
    """Clusterings of a labelled folder; see :func:`facesearch.evaluate.clustering`."""
    embedded = setup.embed(photos.root, photos.paths)
    study = clustering_study(
        embedded.vectors,
        photos.person_numbers,
        embedded.usable(setup.missing),
        threshold=threshold,
        from_gallery=from_gallery,
        with_density=with_density,
    )
    return Report(
        "clustering",
        setup.conditions(embedded),
        study,
        tables.clustering_tables(study),
        charts.clustering_charts(study),
    )


def run_video(
    setup: Setup,
    tracks: FrameTracks | VideoClips,
    pairs: v.LabelledPairs | None = None,
    *,
    frames: int = FRAMES,
    threshold: float | None = None,
    fars: Sequence[float] = FARS,
) -> Report:
    """Verification of tracks: the listed ``pairs``, or every two where there is no list."""
    if pairs is not None:
        tracks = tracks.named({*pairs.first, *pairs.second})
    if isinstance(tracks, VideoClips):
        embedded = embed_clips(setup.engine, tracks, frames=frames, progress=setup.progress)
    else:
        embedded = embed_tracks(
            setup.engine,
            tracks,
            frames=frames,
            way=OneFace(setup.rule),
            options=setup.options,
            progress=setup.progress,
        )
    face = "the longest track" if isinstance(tracks, VideoClips) else f"the {setup.rule} face"
    conditions = _track_conditions(setup, embedded, face)
    if pairs is None:
        thresholds = () if threshold is None else (threshold,)
        result = all_pairs(
            embedded.means,
            tracks.person_numbers,
            embedded.usable,
            fars=fars,
            thresholds=thresholds,
        )
        shown = tables.all_pairs_tables(result)
        return Report("video", conditions, result, shown, _pair_charts(result))
    distances = track_distances(embedded, pairs.first, pairs.second)
    figures = pair_figures(
        distances, pairs.same, pairs.folds, threshold=threshold, fars=fars, seed=setup.seed
    )
    faceless = set(np.array(embedded.names)[~embedded.usable].tolist())
    missing = sum(
        first in faceless or second in faceless
        for first, second in zip(pairs.first, pairs.second, strict=True)
    )
    shown = tables.pair_tables(figures, missing)
    return Report("video", conditions, figures, shown, _pair_charts(figures))


def run_robustness(
    setup: Setup,
    root: Path,
    subject: LabelledPhotos | v.LabelledPairs,
    degradations: Sequence[Degradation],
    *,
    of: str = "face",
    far: float = FAR,
) -> Report:
    """VAL of photos made worse, over every two photos of a folder or over listed pairs."""
    source: PairSource
    if isinstance(subject, LabelledPhotos):
        paths, source = subject.paths, EveryPair(subject.person_numbers, setup.missing)
    else:
        paths, source = photos_of(subject), ListedPairs(subject, setup.missing)
    variants = embed_photos(
        setup.engine,
        root,
        paths,
        way=Degraded(tuple(degradations), of, setup.rule),
        options=setup.options,
        progress=setup.progress,
    )
    _require_photos(root, variants[0].failures, len(paths))
    result = robustness(variants, degradations, source, of, far)
    return Report(
        "robustness",
        setup.conditions(variants[0]),
        result,
        tables.robustness_tables(result),
        charts.robustness_charts(result),
    )


def photos_of(pairs: v.LabelledPairs) -> tuple[str, ...]:
    """Every photo (or track) that a list of pairs names, once, sorted."""
    return tuple(sorted({*pairs.first, *pairs.second}))


def _require_photos(root: Path, failures: Sequence[PhotoFailure], count: int) -> None:
    """Raise InputError where no photo at all could be read: the folder is wrong, not the photos."""
    if failures and len(failures) == count:
        first = failures[0]
        raise InputError(
            f"expected the photos in {root}, but none of {count} can be used; the first is "
            f"{first.photo}: {first.reason}: {first.detail}"
        )
    if len(failures) > _MANY * count:
        logger.warning("%d of %d photos in %s cannot be used", len(failures), count, root)


def _pair_charts(figures: PairFigures | AllPairs) -> tuple[charts.Chart, ...]:
    same, different = figures.same_pairs, figures.different_pairs
    title = f"Verification: {same:,} same and {different:,} different pairs"
    return (
        charts.roc_chart(figures.roc, different, title),
        charts.det_chart(figures.roc, same, different, title),
    )


def _track_conditions(setup: Setup, embedded: EmbeddedTracks, face: str) -> Conditions:
    return Conditions(
        contract=setup.engine.contract,
        settings=setup.engine.settings,
        face=face,
        missing="left out of its track",
        photos=int(embedded.read.sum()),
        without_face=int(embedded.read.sum() - embedded.frames.sum()) - len(embedded.failures),
        failures=embedded.failures,
    )
