"""Accuracy on labelled photos by published protocols, a function each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facesearch.api.arguments import AnyEngine, AnyPath, to_engine, to_path, to_threshold
from facesearch.argument_checks import choice, instance, number, whole_number
from facesearch.encoders import Thresholds, thresholds_of
from facesearch.engine_options import DEFAULT_ENGINE
from facesearch.errors import InputError
from facesearch.evaluate import protocols
from facesearch.evaluate.datasets.embed_dataset import DatasetEmbedOptions, Progress
from facesearch.evaluate.datasets.face_selection import DEFAULT_RULE, RULES
from facesearch.evaluate.datasets.labelled_photos import read_folder, read_tracks
from facesearch.evaluate.datasets.pair_lists import read_pairs_file
from facesearch.evaluate.datasets.sliced_photos import (
    photos_by_folders,
    photos_by_names,
    photos_by_table,
)
from facesearch.evaluate.degradation import paper_degradations
from facesearch.evaluate.presentation import report as presentation
from facesearch.evaluate.presentation.report import Report
from facesearch.evaluate.protocols import Setup
from facesearch.evaluate.robustness import FAR
from facesearch.evaluate.verification import read_pairs
from facesearch.evaluate.video import FRAMES
from facesearch.evaluate.video_clips import read_clips
from indexer.runtime.cores import available_cores

_PERSON_FOLDERS = "folder with a folder of photos for each person"


@dataclass(frozen=True)
class EvaluationOptions:
    """What all protocols share.

    ``face`` says which face of a photo counts: "prominent", "central" or "largest". A photo without
    one matches nothing where ``missing`` is "reject", and its centre counts where it is "centre".
    ``seed`` is that of all draws, ``cache`` a folder in which vectors are kept between runs;
    ``progress`` is called with the photos done and their total. Raises InputError for other values.
    """

    engine: AnyEngine = DEFAULT_ENGINE
    face: str = DEFAULT_RULE
    missing: str = "reject"
    seed: int = 0
    cache: AnyPath | None = None
    progress: Progress = lambda done, total: None

    def __post_init__(self) -> None:
        choice(self.face, RULES, "face")
        choice(self.missing, ("reject", "centre"), "missing")
        whole_number(self.seed, "seed")
        if self.cache is not None:
            to_path(self.cache, "folder for the cache")


DEFAULT_OPTIONS = EvaluationOptions()


def evaluate_lfw(
    photos: AnyPath,
    pairs: AnyPath | None = None,
    *,
    threshold: float | None = None,
    options: EvaluationOptions = DEFAULT_OPTIONS,
) -> Report:
    """Labeled Faces in the Wild, View 2: accuracy by folds, and true accepts at false accept rates.

    ``photos`` is the folder with ``images/`` and ``pairs.txt``, or that of the photos themselves,
    with the list ``pairs``. Accuracy is also reported at the squared distance ``threshold``, by
    default the encoder's. Raises InputError for files that are not there or not of that kind.
    """
    _require_options(options)
    folder, given = to_path(photos, "folder of LFW"), _optional_threshold(threshold)
    path = folder / "pairs.txt" if pairs is None else to_path(pairs, "list of pairs")
    if not path.is_file():
        raise InputError(f"expected LFW's list of pairs at {path}; name it with --pairs FILE")
    listed = read_pairs(path)
    setup, defaults = _ready(options)
    images = folder / "images"
    return protocols.run_pairs(
        setup,
        images if images.is_dir() else folder,
        listed,
        name="LFW View 2" if pairs is None else f"LFW, {path.name}",
        threshold=defaults.verification if given is None else given,
    )


def evaluate_pairs(
    photos: AnyPath,
    pairs: AnyPath,
    *,
    threshold: float | None = None,
    options: EvaluationOptions = DEFAULT_OPTIONS,
) -> Report:
    """Verification on the pairs of a file, whose paths are relative to ``photos``.

    Raises as :func:`evaluate_lfw` does.
    """
    _require_options(options)
    root, given = to_path(photos, "folder of photos"), _optional_threshold(threshold)
    listed = read_pairs_file(to_path(pairs, "list of pairs"))
    setup, defaults = _ready(options)
    chosen = defaults.verification if given is None else given
    return protocols.run_pairs(setup, root, listed, threshold=chosen)


def evaluate_folder(photos: AnyPath, *, options: EvaluationOptions = DEFAULT_OPTIONS) -> Report:
    """VAL and FAR of the FaceNet paper over every two photos of a folder for each person.

    Raises InputError for a folder that has no such folders.
    """
    _require_options(options)
    labelled = read_folder(to_path(photos, _PERSON_FOLDERS))
    setup, defaults = _ready(options)
    thresholds = (defaults.verification, defaults.identification)
    return protocols.run_folder(setup, labelled, thresholds=thresholds)


def evaluate_slices(
    photos: AnyPath,
    *,
    names: str | None = None,
    groups: AnyPath | None = None,
    options: EvaluationOptions = DEFAULT_OPTIONS,
) -> Report:
    """False accepts within groups of people, of photos of one face each.

    Groups are in file names by the pattern ``names``, such as "{age}_{gender}_*", or in the CSV
    file ``groups``, or are the folders, as ``group/person/photo.jpg``. Raises InputError for
    both, and for files that do not fit.
    """
    _require_options(options)
    root = to_path(photos, "folder of photos")
    instance(names, str | None, "a pattern of file names as names")
    if names is not None and groups is not None:
        raise InputError("expected names or groups, got both; groups are read in one way")
    if names is not None:
        sliced = photos_by_names(root, names)
    elif groups is not None:
        sliced = photos_by_table(root, to_path(groups, "table of groups"))
    else:
        sliced = photos_by_folders(root)
    setup, defaults = _ready(options)
    uses = ("verification", "identification", "cluster")
    return protocols.run_slices(setup, sliced, {use: getattr(defaults, use) for use in uses})


def evaluate_identification(
    photos: AnyPath,
    *,
    enrol: int = 1,
    repeats: int = 10,
    options: EvaluationOptions = DEFAULT_OPTIONS,
) -> Report:
    """Open-set identification among the people of a folder: FNIR at FPIR, and the cumulative match
    characteristic.

    ``enrol`` photos of each person are enrolled, drawn ``repeats`` times. Raises InputError for a
    folder without enough people and photos.
    """
    _require_options(options)
    whole_number(enrol, "enrolled photos for each person", 1)
    whole_number(repeats, "repeats", 1)
    labelled = read_folder(to_path(photos, _PERSON_FOLDERS))
    setup, _ = _ready(options)
    return protocols.run_identification(setup, labelled, enrol=enrol, repeats=repeats)


def evaluate_clustering(
    photos: AnyPath,
    *,
    threshold: float | None = None,
    hdbscan: bool = False,
    options: EvaluationOptions = DEFAULT_OPTIONS,
) -> Report:
    """Clusters against the people of a folder: pairwise, BCubed, NMI, AMI and ARI.

    Without a ``threshold`` that is judged which a gallery is clustered by where nothing is asked,
    and the encoder's threshold beside it. Raises InputError for a folder that has none for each
    person.
    """
    _require_options(options)
    given = _optional_threshold(threshold)
    labelled = read_folder(to_path(photos, _PERSON_FOLDERS))
    setup, defaults = _ready(options)
    return protocols.run_clustering(
        setup,
        labelled,
        threshold=defaults.cluster if given is None else given,
        from_gallery=given is None,
        with_density=hdbscan,
    )


def evaluate_video(
    photos: AnyPath,
    pairs: AnyPath | None = None,
    *,
    frames: int = FRAMES,
    threshold: float | None = None,
    options: EvaluationOptions = DEFAULT_OPTIONS,
) -> Report:
    """Verification of tracks by the mean over all pairs of their frames.

    ``photos`` has ``person/track/frame.jpg``, or a folder of video files for each person.

    ``pairs`` lists tracks, by default every two; the first ``frames`` frames with a face count.
    Frames without a face are left out, so ``missing`` must be "reject". Raises as
    :func:`evaluate_lfw` does.
    """
    _require_options(options)
    given = _optional_threshold(threshold)
    whole_number(frames, "frames of a track", 1)
    if options.missing != "reject":
        raise InputError("expected no --missing: frames without a face are left out of their track")
    listed = None if pairs is None else read_pairs_file(to_path(pairs, "list of pairs"))
    folder = to_path(photos, "folder of tracks")
    tracks = read_clips(folder) or read_tracks(folder)
    setup, defaults = _ready(options)
    chosen = defaults.verification if given is None else given
    return protocols.run_video(setup, tracks, listed, frames=frames, threshold=chosen)


def evaluate_robustness(
    photos: AnyPath,
    pairs: AnyPath | None = None,
    *,
    of: str = "face",
    far: float = FAR,
    people: int | None = None,
    options: EvaluationOptions = DEFAULT_OPTIONS,
) -> Report:
    """VAL at the false accept rate ``far``, by JPEG quality and by size in pixels.

    ``of`` "face": faces are found in the photo as it is, which is then made worse; "photo": the
    photo is made worse first. ``pairs`` are listed, or every two photos of a folder for each
    person, of so many ``people``, drawn. Raises InputError for ``pairs`` and ``people`` together,
    and as :func:`evaluate_lfw` does.
    """
    _require_options(options)
    root = to_path(photos, "folder of photos")
    choice(of, ("face", "photo"), "of")
    if number(far, "a false accept rate below 1 as far", 0, 1) == 1:
        raise InputError("expected a false accept rate below 1, got 1")
    if people is not None:
        whole_number(people, "how many people", 1)
        if pairs is not None:
            raise InputError("expected --pairs or --people, got both; pairs name their photos")
    if pairs is not None:
        listed = read_pairs_file(to_path(pairs, "list of pairs"))
        setup, _ = _ready(options)
        return protocols.run_robustness(setup, root, listed, paper_degradations(), of=of, far=far)
    labelled = read_folder(root)
    if people is not None:
        labelled = labelled.of_people(people, options.seed)
    setup, _ = _ready(options)
    return protocols.run_robustness(setup, root, labelled, paper_degradations(), of=of, far=far)


def write_evaluation(report: Report, folder: AnyPath, *, plots: bool = True) -> list[Path]:
    """Write ``report.md``, ``report.json`` and plots to ``folder``; returns the files.

    Raises InputError where plots are wanted and matplotlib is not installed.
    """
    instance(report, Report, "a report of an evaluation", "the evaluate functions make them")
    return presentation.write_report(to_path(folder, "folder for the report"), report, plots=plots)


def _require_options(options: EvaluationOptions) -> None:
    instance(options, EvaluationOptions, "EvaluationOptions as options")


def _ready(options: EvaluationOptions) -> tuple[Setup, Thresholds]:
    """What protocols share, and the thresholds of its engine, which takes long to make."""
    engine = to_engine(options.engine, callers=available_cores())
    cache = None if options.cache is None else to_path(options.cache, "folder for the cache")
    setup = Setup(
        engine,
        rule=options.face,
        missing=options.missing,
        seed=options.seed,
        options=DatasetEmbedOptions.for_cores(cache),
        progress=options.progress,
    )
    return setup, thresholds_of(engine.contract)


def _optional_threshold(threshold: float | None) -> float | None:
    return None if threshold is None else to_threshold(threshold)
