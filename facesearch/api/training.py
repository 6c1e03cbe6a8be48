"""Crops to train on, and training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facesearch.api.arguments import AnyPath, to_engine_options, to_names, to_path, to_photos
from facesearch.argument_checks import instance
from facesearch.detect import DEFAULT_DETECTOR
from facesearch.encoders import encoder_spec, load_encoder
from facesearch.encoders.flip_averaging import flip_averaged
from facesearch.engine import create_aligner, create_face_finder
from facesearch.engine_options import DEFAULT_ENGINE, EngineOptions
from facesearch.errors import InputError
from facesearch.train.config import compatible_with as make_compatible
from facesearch.train.config import read_settings
from facesearch.train.data.crop_maker import CropReport, Teacher, make_crops
from facesearch.train.progress import ProgressRow
from facesearch.train.trainer import Trainer, TrainingResult
from indexer.runtime.cores import available_cores


def crop_photos(
    photos: AnyPath | Sequence[AnyPath],
    output: AnyPath,
    *,
    teachers: Sequence[str] = (),
    labelled: bool = True,
    engine: EngineOptions = DEFAULT_ENGINE,
    progress: Callable[[int], None] = lambda photos: None,
) -> CropReport:
    """Write the crop file ``output`` with the main face of each photo, to train an encoder on.

    ``labelled``: a photo's folder, relative to the folder given, names its person. ``teachers`` are
    names of encoders whose vectors, averaged with those of the mirror image, are kept beside the
    crops. Of ``engine`` only the detector counts. Raises InputError where ``output`` exists.
    """
    path, chosen = to_path(output, "crop file"), to_photos(photos, "folder of photos")
    engine, names = to_engine_options(engine), to_names(teachers, "the name of an encoder")
    if path.exists():
        raise InputError(f"{path} exists; delete it or give another name")
    detector = create_face_finder(
        str(engine.detector or DEFAULT_DETECTOR),
        min_face=engine.min_face,
        min_score=engine.min_score,
        turned=engine.turned,
    )
    return make_crops(
        chosen,
        path,
        detector,
        [_teacher(name) for name in names],
        labelled=labelled,
        decoders=max(1, available_cores() - 1),
        progress=progress,
    )


def _teacher(name: str) -> Teacher:
    return Teacher(create_aligner(encoder_spec(name)), flip_averaged(load_encoder(name)))


def train_encoder(
    config: AnyPath,
    *,
    compatible_with: str | None = None,
    progress: Callable[[ProgressRow], None] = lambda row: None,
) -> TrainingResult:
    """Train as the TOML file ``config`` says, or go on where that run stopped.

    ``compatible_with``: the name of vectors in the crop files, of an older encoder, that the new
    ones shall be comparable with. Raises InputError for settings or crops that do not fit,
    WeightsError for a damaged checkpoint, and TrainingCollapsedError where all faces come to have
    nearly one vector.
    """
    instance(compatible_with, str | None, "the name of vectors as compatible_with")
    settings = read_settings(to_path(config, "training configuration"))
    if compatible_with is not None:
        settings = make_compatible(settings, compatible_with)
    return Trainer(settings).run(progress)
