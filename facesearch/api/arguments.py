"""Convert arguments: paths given as text, galleries by folder, engines by options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.engine_options import EngineOptions
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.images.file_access import as_spelled

AnyPath = str | os.PathLike[str]
AnyGallery = Gallery | AnyPath
AnyEngine = FaceEngine | EngineOptions


def to_path(path: AnyPath, what: str = "path") -> Path:
    """``path`` as a Path; raises InputError for anything else."""
    try:
        return Path(path)
    except TypeError:
        raise InputError(f"expected a {what}, got {type(path).__name__} {path!r}") from None


def to_paths(paths: AnyPath | Sequence[AnyPath], what: str = "path") -> list[Path]:
    """One path or several as a list; raises InputError for anything else, and for none."""
    if isinstance(paths, str | os.PathLike):
        return [to_path(paths, what)]
    try:
        found = [to_path(path, what) for path in paths]
    except TypeError:
        raise InputError(f"expected a {what} or several, got {paths!r}") from None
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
    try:
        within = 0 <= threshold <= 4
    except TypeError:
        within = False
    if not within:
        raise InputError(f"expected a squared distance from 0 to 4 as threshold, got {threshold!r}")
    return float(threshold)


def to_gallery(gallery: AnyGallery) -> Gallery:
    """``gallery``, opened where it is a folder; raises GalleryError where that is none."""
    return gallery if isinstance(gallery, Gallery) else Gallery.open(to_path(gallery, "gallery"))


def to_engine(
    engine: AnyEngine, contract: EncoderContract | None = None, *, callers: int = 1
) -> FaceEngine:
    """``engine``, made where it is options: for the rest as ``contract`` has it.

    ``callers`` is how many threads will use it at once.
    """
    if isinstance(engine, EngineOptions):
        return engine.create(contract, callers=callers)
    return engine
