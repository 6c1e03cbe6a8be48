"""Convert arguments, or say what was expected: paths as text, galleries by folder, engines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from facesearch.argument_checks import instance, number, path_of, whole_number
from facesearch.embed import EmbedOptions
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.engine_options import EngineOptions
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.images.file_access import as_spelled
from indexer.argument_checks import describe

AnyPath = str | os.PathLike[str]
AnyGallery = Gallery | AnyPath
AnyEngine = FaceEngine | EngineOptions


def to_path(path: AnyPath, what: str = "path") -> Path:
    """``path`` as a Path; raises InputError for anything else."""
    return path_of(path, what)


def to_paths(paths: AnyPath | Sequence[AnyPath], what: str = "path") -> list[Path]:
    """One path or several as a list; raises InputError for anything else, and for none."""
    if isinstance(paths, str | os.PathLike):
        return [to_path(paths, what)]
    if not isinstance(paths, Iterable):
        raise InputError(f"expected a {what} or several, got {describe(paths)}")
    found = [to_path(path, what) for path in paths]
    if not found:
        raise InputError(f"expected a {what} or several, got none; name one")
    return found


def to_photo(path: AnyPath, what: str = "photo") -> Path:
    """As :func:`to_path`, spelled as the file system spells it (Unicode's normal forms differ)."""
    return as_spelled(to_path(path, what))


def to_photos(paths: AnyPath | Sequence[AnyPath], what: str = "photo") -> list[Path]:
    """As :func:`to_paths`, each spelled as the file system spells it."""
    return [as_spelled(path) for path in to_paths(paths, what)]


def to_threshold(threshold: float) -> float:
    """A squared distance between unit vectors; raises InputError for anything else."""
    return number(threshold, "a squared distance as threshold", 0, 4)


def to_neighbours(k: int) -> int:
    """How many neighbours or matches are asked for; raises InputError for anything else."""
    return whole_number(k, "how many matches as k", 1)


def to_names(names: str | Sequence[str], what: str) -> tuple[str, ...]:
    """One name or several; raises InputError for anything else."""
    if isinstance(names, str):
        return (names,)
    if not isinstance(names, Iterable) or not all(isinstance(each, str) for each in names):
        raise InputError(f"expected {what} or several, got {describe(names)}")
    return tuple(names)


def to_options(options: EmbedOptions | None) -> EmbedOptions:
    """``options``, by default those that use all cores; raises InputError for anything else."""
    if options is None:
        return EmbedOptions.for_cores()
    instance(options, EmbedOptions, "EmbedOptions as options")
    return options


def to_gallery(gallery: AnyGallery) -> Gallery:
    """``gallery``, opened where it is a folder; raises GalleryError where that is none."""
    return gallery if isinstance(gallery, Gallery) else Gallery.open(to_path(gallery, "gallery"))


def to_engine(
    engine: AnyEngine, contract: EncoderContract | None = None, *, callers: int = 1
) -> FaceEngine:
    """``engine``, made where it is options: for the rest as ``contract`` has it.

    ``callers`` is how many threads will use it at once.
    """
    require_engine(engine)
    if isinstance(engine, EngineOptions):
        return engine.create(contract, callers=callers)
    return engine


def require_engine(engine: AnyEngine) -> None:
    """Raise InputError unless ``engine`` is one, or options of one."""
    if not isinstance(engine, EngineOptions) and not callable(getattr(engine, "faces", None)):
        raise InputError(
            f"expected a FaceEngine or EngineOptions as engine, got {describe(engine)}; make one "
            "with create_engine"
        )


def to_engine_options(options: EngineOptions) -> EngineOptions:
    """``options``, which an engine of its own is made from; InputError for anything else."""
    instance(options, EngineOptions, "EngineOptions as engine")
    return options
