"""Wrong arguments: what is called with which, and what is wrong with the error that comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import facesearch
from facesearch import (
    ClusterOptions,
    EmbedOptions,
    EngineOptions,
    Gallery,
    GalleryError,
    GallerySession,
    InputError,
    PeopleEditor,
    cluster_gallery,
    enroll,
    gallery_album,
    index_photos,
)
from facesearch.album.model import Album
from indexer.errors import DeviceError
from support.fake_engine import FakeEngine, write_photo

ENGINE: Any = FakeEngine("dlib-resnet-v1")
OPTIONS = EmbedOptions(decoders=0, threads=1)
NAN = math.nan

PATH = (7, None, 1.5, b"photos", ["photos"])
PATHS = (7, None, 1.5, [7], [])
TEXT = (7, 1.5, b"Ann", ["Ann"])
COUNT = (0, -3, 1.5, "many", NAN, True, [1])
DISTANCE = (-0.1, 4.1, NAN, math.inf, "near", [1], True)
SHARE = (-0.1, 1.1, NAN, "half", [1], True)
GALLERY = (7, None, 1.5, ["my.gallery"])
GALLERY_ITSELF = ("my.gallery", Path("my.gallery"), None, 7)
ENGINES = (7, "yunet", EngineOptions, object())
OPTION_SETS = (7, "fast", {}, ClusterOptions)
ADDRESS = (*PATH, "my.gallery")
DEVICE = (7, "tpu", "cuda:x", None)


@dataclass(frozen=True)
class ClusteredGallery:
    """A gallery with a clustering and a person called Ann, what it was made of, and its album."""

    folder: Path
    photos: Path
    gallery: Gallery
    session: GallerySession
    editor: PeopleEditor
    album: Album


@contextmanager
def clustered_gallery(root: Path) -> Iterator[ClusteredGallery]:
    """A gallery in the empty folder ``root``, which no mistake may change."""
    for person in (1, 2, 3):
        for number in range(2):
            write_photo(root / "photos" / f"{person}-{number}.png", [person], number)
    folder = root / "my.gallery"
    gallery = index_photos(root / "photos", folder, engine=ENGINE, options=OPTIONS).gallery
    cluster_gallery(gallery)
    enroll(gallery, "Ann", root / "photos" / "1-0.png", engine=ENGINE)
    session, editor = GallerySession(gallery, ENGINE), PeopleEditor(gallery)
    before = files_of(root)
    yield ClusteredGallery(folder, root / "photos", gallery, session, editor, gallery_album(folder))
    assert files_of(root) == before


def files_of(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


Call = Callable[[ClusteredGallery], Any]
Arguments = Callable[[ClusteredGallery], dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """What is called, with arguments that would do, and wrong values of each."""

    called: Call
    arguments: Callable[[ClusteredGallery], dict[str, Any]]
    wrong: dict[str, tuple[Any, ...]]


def nothing(_: ClusteredGallery) -> dict[str, Any]:
    return {}


def in_gallery(made: ClusteredGallery) -> dict[str, Any]:
    return {"gallery": made.folder}


def at_address(_: ClusteredGallery) -> dict[str, Any]:
    return {"address": "s3://nowhere/my.gallery"}


def sending(made: ClusteredGallery) -> dict[str, Any]:
    return {**at_address(made), "gallery": made.folder}


def fetching(made: ClusteredGallery) -> dict[str, Any]:
    return {**at_address(made), "gallery": made.photos / "new"}


def asking(made: ClusteredGallery) -> dict[str, Any]:
    return {"gallery": made.folder, "photo": made.photos / "1-0.png", "engine": ENGINE}


def function(public: str, arguments: Arguments, /, **wrong: tuple[Any, ...]) -> tuple[str, Subject]:
    return public, Subject(lambda _: getattr(facesearch, public), arguments, wrong)


def method(
    label: str, called: Call, arguments: Arguments, /, **wrong: tuple[Any, ...]
) -> tuple[str, Subject]:
    return label, Subject(called, arguments, wrong)


def problems(subject: Subject, made: ClusteredGallery) -> list[str]:
    """What is wrong with how a subject takes each wrong value; empty where nothing is."""
    called, arguments = subject.called(made), subject.arguments(made)
    found = [
        (argument, value, _problem(called, {**arguments, argument: value}, value))
        for argument, values in subject.wrong.items()
        for value in values
    ]
    return [f"{argument}={value!r}: {problem}" for argument, value, problem in found if problem]


def _problem(called: Callable[..., Any], arguments: dict[str, Any], value: Any) -> str:
    """What is wrong with how ``called`` takes a wrong ``value``; "" where nothing is."""
    try:
        called(**arguments)
    except (InputError, GalleryError, DeviceError) as error:
        text = str(error)
        shown = (value, *value) if isinstance(value, list | tuple) else (value,)
        names = [name for each in shown for name in (repr(each), str(each), type(each).__name__)]
        if not any(name in text for name in (*names, "got none", "points")):
            return f"what arrived is not in {text!r}"
        return "" if "expected" in text else text
    except Exception as error:  # any other is what is looked for
        return f"{type(error).__name__}: {error}"
    return "was taken"
