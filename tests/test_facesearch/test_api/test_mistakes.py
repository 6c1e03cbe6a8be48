"""Wrong arguments of every exported name: the error says what was expected, and what arrived.

Truth values and functions that are called back are left to Python.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import facesearch
from facesearch import (
    ClusterOptions,
    EmbedOptions,
    EngineOptions,
    FaceTable,
    Gallery,
    GalleryError,
    GallerySession,
    InputError,
    PeopleEditor,
    PixelFormat,
    cluster_gallery,
    enroll,
    gallery_album,
    index_photos,
)
from facesearch.album.model import Album
from facesearch.encoders.catalogue.templates import ARCFACE
from facesearch.evaluate.presentation.report import Report
from indexer.errors import DeviceError
from support.fake_engine import FakeEngine, write_photo

ENGINE: Any = FakeEngine("dlib-resnet-v1")
OPTIONS = EmbedOptions(decoders=0, threads=1)
REPORT = Report("nothing", None, None, (), ())  # type: ignore[arg-type]
NAN = math.nan
LEFT_TO_PYTHON = {"progress", "dry_run", "drop_unreadable", "labelled", "replace"}
LEFT_TO_PYTHON |= {"turned", "hidden", "hdbscan", "plots"}

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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusteredGallery]:
    root = tmp_path_factory.mktemp("mistakes")
    for person in (1, 2, 3):
        for number in range(2):
            write_photo(root / "photos" / f"{person}-{number}.png", [person], number)
    folder = root / "my.gallery"
    gallery = index_photos(root / "photos", folder, engine=ENGINE, options=OPTIONS).gallery
    cluster_gallery(gallery)
    enroll(gallery, "Ann", root / "photos" / "1-0.png", engine=ENGINE)
    session, editor = GallerySession(gallery, ENGINE), PeopleEditor(gallery)
    before = _files(root)
    yield ClusteredGallery(folder, root / "photos", gallery, session, editor, gallery_album(folder))
    assert _files(root) == before  # a mistake changes nothing


def _files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


Call = Callable[[ClusteredGallery], Any]
Arguments = Callable[[ClusteredGallery], dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """What is called, with arguments that would do, and wrong values of each."""

    called: Call
    arguments: Callable[[ClusteredGallery], dict[str, Any]]
    wrong: dict[str, tuple[Any, ...]]


def _none(_: ClusteredGallery) -> dict[str, Any]:
    return {}


def _gallery(made: ClusteredGallery) -> dict[str, Any]:
    return {"gallery": made.folder}


def _asking(made: ClusteredGallery) -> dict[str, Any]:
    return {"gallery": made.folder, "photo": made.photos / "1-0.png", "engine": ENGINE}


def _function(
    public: str, arguments: Arguments, /, **wrong: tuple[Any, ...]
) -> tuple[str, Subject]:
    return public, Subject(lambda _: getattr(facesearch, public), arguments, wrong)


def _method(
    label: str, called: Call, arguments: Arguments, /, **wrong: tuple[Any, ...]
) -> tuple[str, Subject]:
    return label, Subject(called, arguments, wrong)


def _clustered_with(made: ClusteredGallery) -> Callable[..., Any]:
    """Options are looked at when they are used."""
    return lambda **options: cluster_gallery(made.folder, ClusterOptions(**options))


SUBJECTS: dict[str, Subject] = dict(
    (
        _function("build_index", _gallery, gallery=GALLERY, recall=SHARE, memory=(0, -1, "1 GB")),
        _function("calibrate", _gallery, gallery=GALLERY, fpir=(0, 0.2, NAN, "1 %", None)),
        _function("check_gallery", _gallery, gallery=GALLERY),
        _function("gallery_info", _gallery, gallery=GALLERY),
        _function("latest_run", _gallery, gallery=GALLERY),
        _function("gallery_album", _gallery, gallery=GALLERY, title=TEXT),
        _function(
            "cluster_gallery", _gallery, gallery=GALLERY, options=("hdbscan", 7, {}, OPTIONS)
        ),
        _function("make_graph", _gallery, gallery=GALLERY, k=COUNT, device=DEVICE),
        _function(
            "check_erased",
            lambda made: {"gallery": made.folder, "receipt": made.folder / "receipt.json"},
            gallery=GALLERY,
            receipt=PATH,
            names=(7, [7]),
        ),
        _function(
            "forget_faces",
            lambda made: {"gallery": made.folder, "people": "Ann"},
            gallery=GALLERY,
            photos=(7, None, [7]),
            ids=(7, None, ["x"], [1.5], [-1], "12"),
            people=(7, None, [7]),
            receipt=(7, 1.5),
        ),
        _function(
            "unforget_photos",
            lambda made: {"gallery": made.folder, "photos": made.photos},
            gallery=GALLERY,
            photos=PATHS,
        ),
        _function(
            "enroll",
            lambda made: {
                "gallery": made.folder,
                "name": "Eve",
                "photos": made.photos / "2-0.png",
                "engine": ENGINE,
            },
            gallery=GALLERY,
            name=(*TEXT, None, "", "p7"),
            photos=PATHS,
            engine=ENGINES,
        ),
        _function("list_people", _gallery, gallery=GALLERY),
        _function("list_decisions", _gallery, gallery=GALLERY),
        _function(
            "show_person",
            lambda made: {"gallery": made.folder, "person": "Ann"},
            gallery=GALLERY,
            person=(*TEXT, None, "", "nobody", "p99"),
        ),
        _function(
            "export_people",
            lambda made: {"gallery": made.folder, "file": made.photos / "people.json"},
            gallery=GALLERY,
            file=PATH,
        ),
        _function(
            "import_people",
            lambda made: {"gallery": made.folder, "file": made.photos / "people.json"},
            gallery=GALLERY,
            file=PATH,
        ),
        _function(
            "index_photos",
            lambda made: {
                "photos": made.photos,
                "gallery": made.folder,
                "engine": ENGINE,
                "options": OPTIONS,
            },
            photos=PATHS,
            gallery=GALLERY,
            engine=ENGINES,
            options=OPTION_SETS,
            vectors=("int3", 16, None),
        ),
        _function(
            "search_photo",
            _asking,
            gallery=GALLERY,
            photo=PATH,
            k=COUNT,
            engine=ENGINES,
            device=DEVICE,
        ),
        _function(
            "identify_photo",
            _asking,
            gallery=GALLERY,
            photo=PATH,
            threshold=DISTANCE,
            engine=ENGINES,
        ),
        _function(
            "verify_photos",
            lambda made: {
                "first": made.photos / "1-0.png",
                "second": made.photos / "1-1.png",
                "engine": ENGINE,
            },
            first=PATH,
            second=PATH,
            threshold=DISTANCE,
            engine=ENGINES,
        ),
        _function(
            "search_many",
            lambda made: {
                "gallery": made.folder,
                "probes": made.photos,
                "out": made.photos / "out.csv",
                "engine": ENGINE,
            },
            gallery=GALLERY,
            probes=PATH,
            out=(*PATH, "out.txt"),
            k=COUNT,
            engine=ENGINES,
            device=DEVICE,
        ),
        _function(
            "upgrade_gallery",
            lambda made: {"gallery": made.folder, "options": OPTIONS},
            gallery=GALLERY,
            encoder=(7, "nothing", ["dlib-resnet-v1"]),
            engine=(*ENGINES, ENGINE),
            options=OPTION_SETS,
        ),
        _function(
            "write_report",
            lambda made: {"album": made.album, "folder": made.folder / "report"},
            album=(7, None, "album"),
            folder=(7, 1.5),
            workers=(-1, 1.5, "all"),
        ),
        _function(
            "write_sidecars",
            lambda made: {"album": made.album, "folder": made.folder / "sidecars"},
            album=(7, None, "album"),
            folder=(7, 1.5),
        ),
        _function(
            "create_engine",
            _none,
            detector=(7, "nothing"),
            encoder=(7, "nothing", EngineOptions()),
            min_face=COUNT,
            min_score=(*SHARE, 1),
        ),
        _function(
            "calibrate_encoder",
            lambda made: {"name": "dlib-resnet-v1", "photos": made.photos},
            name=(*TEXT, "nothing"),
            photos=PATH,
            engine=ENGINES,
            cache=(7, 1.5),
        ),
        _function(
            "quantise_encoder",
            lambda made: {"name": "dlib-resnet-v1", "photos": made.photos},
            name=(*TEXT, "nothing"),
            photos=PATHS,
            weights=(7, 1.5),
            faces=COUNT,
        ),
        _function(
            "add_encoder",
            lambda made: {"name": "mine", "file": made.photos / "mine.onnx"},
            name=(*TEXT, "", "My Encoder"),
            file=PATH,
            settings=(7, "arcface", PixelFormat()),
        ),
        _function(
            "fetch_encoder",
            lambda _: {"name": "dlib-resnet-v1"},
            name=(*TEXT, "nothing"),
            url=TEXT,
            folder=(7, 1.5),
        ),
        _function(
            "EvaluationOptions",
            _none,
            face=("best", 7, None),
            missing=("forget", 7, None),
            seed=(-1, 1.5, "x"),
            cache=(7, 1.5),
        ),
        *[
            _function(
                f"evaluate_{name}",
                lambda made, given=given: {"photos": made.photos / "people", **given},
                photos=PATH,
                options=(7, {}, OPTIONS),
                **wrong,
            )
            for name, given, wrong in (
                ("lfw", {}, {"pairs": (7, 1.5), "threshold": DISTANCE}),
                ("pairs", {"pairs": "pairs.csv"}, {"pairs": PATH, "threshold": DISTANCE}),
                ("folder", {}, {}),
                ("slices", {}, {"names": TEXT, "groups": (7, 1.5)}),
                ("identification", {}, {"enrol": COUNT, "repeats": COUNT}),
                ("clustering", {}, {"threshold": DISTANCE}),
                ("video", {}, {"pairs": (7, 1.5), "frames": COUNT, "threshold": DISTANCE}),
                (
                    "robustness",
                    {},
                    {
                        "pairs": (7, 1.5),
                        "of": ("person", 7, None),
                        "far": (*SHARE, 1),
                        "people": COUNT,
                    },
                ),
            )
        ],
        _function(
            "write_evaluation",
            lambda made: {"report": REPORT, "folder": made.photos / "report"},
            report=(7, None, "report"),
            folder=PATH,
        ),
        _function("remove_encoder", _none, name=(*TEXT, "nothing")),
        _function(
            "crop_photos",
            lambda made: {"photos": made.photos, "output": made.photos / "crops.h5"},
            photos=PATHS,
            output=PATH,
            teachers=(7, [7], "nothing", ["nothing"]),
            engine=(*ENGINES, ENGINE),
        ),
        _function(
            "train_encoder",
            lambda made: {"config": made.photos / "train.toml"},
            config=PATH,
            compatible_with=TEXT,
        ),
        _function(
            "EmbedOptions",
            _none,
            decoders=(-1, 1.5, "all", True),
            threads=COUNT,
            shard_photos=COUNT,
            decode_timeout=(-1, NAN, "long", None),
        ),
        _function(
            "EngineOptions",
            _none,
            detector=(7, 1.5),
            min_face=COUNT,
            min_score=SHARE,
            encoder=TEXT,
            weights=(7, 1.5),
            device=(7, None),
            precision=TEXT,
        ),
        _function(
            "EncoderSettings",
            _none,
            template=(7, "arcface"),
            pixels=(7, "BGR"),
            licence=(7, None),
            output=TEXT,
        ),
        _function(
            "PixelFormat",
            _none,
            order=("XYZ", 7, None),
            mean=(7, (1, 2), "RGB", (1, 2, NAN)),
            divisor=((1, 2, 0), 7, None),
        ),
        _function(
            "Template",
            lambda _: {"name": "mine", "points": ARCFACE.points},
            points=(7, None, (), ((0, 0),) * 5, ARCFACE.points[:4], "corners", ((7, 7),) * 5),
        ),
        _method(
            "ClusterOptions",
            _clustered_with,
            lambda _: {"method": "agglomerative", "threshold": 1.0},
            method=("k-means", 7, None),
            threshold=(*DISTANCE, None),
            min_size=COUNT,
            min_quality=SHARE,
            attach_threshold=DISTANCE,
            linkage=("ward", 7, None),
            reach=(-1, NAN, "far"),
        ),
        _method(
            "ClusterOptions.for_gallery",
            lambda made: ClusterOptions.for_gallery,
            lambda made: {"gallery": made.gallery},
            gallery=GALLERY_ITSELF,
            method=("k-means", 7, None),
            threshold=DISTANCE,
            min_size=COUNT,
            min_quality=(7, *SHARE),
            linkage=("ward", 7, None, "single"),
        ),
        _method("EmbedOptions.for_cores", lambda _: EmbedOptions.for_cores, _none, threads=COUNT),
        _method(
            "FaceTable",
            lambda _: FaceTable.read,
            lambda made: {"gallery": made.gallery, "state": made.gallery.state()},
            gallery=GALLERY_ITSELF,
            state=(7, None),
        ),
        _method(
            "Gallery", lambda _: Gallery.open, lambda made: {"folder": made.folder}, folder=PATH
        ),
        _method(
            "Gallery.create",
            lambda _: Gallery.create,
            lambda made: {"folder": made.photos / "new", "contract": ENGINE.contract},
            folder=PATH,
            contract=(7, None, "dlib-resnet-v1"),
            dtype=("int3", 16),
        ),
        _method(
            "GallerySession",
            lambda _: GallerySession,
            lambda made: {"gallery": made.gallery, "engine": ENGINE},
            gallery=GALLERY_ITSELF,
            engine=ENGINES,
            device=DEVICE,
        ),
        _method(
            "GallerySession.open",
            lambda _: GallerySession.open,
            lambda made: {"gallery": made.folder, "engine": ENGINE},
            gallery=GALLERY,
            engine=ENGINES,
            device=DEVICE,
        ),
        _method(
            "GallerySession.search",
            lambda made: made.session.search,
            lambda made: {"photo": made.photos / "1-0.png"},
            photo=PATH,
            k=COUNT,
        ),
        _method(
            "GallerySession.identify",
            lambda made: made.session.identify,
            lambda made: {"photo": made.photos / "1-0.png"},
            photo=PATH,
            threshold=DISTANCE,
        ),
        _method(
            "GallerySession.verify",
            lambda made: made.session.verify,
            lambda made: {"first": made.photos / "1-0.png", "second": made.photos / "1-1.png"},
            first=PATH,
            second=PATH,
            threshold=DISTANCE,
        ),
        _method(
            "PeopleEditor",
            lambda _: PeopleEditor,
            lambda made: {"gallery": made.gallery},
            gallery=GALLERY_ITSELF,
        ),
        _method(
            "PeopleEditor.find",
            lambda made: made.editor.find,
            _none,
            text=(*TEXT, None, "", "nobody", "p99"),
        ),
        *[
            _method(
                f"PeopleEditor.{name}",
                lambda made, name=name: getattr(made.editor, name),
                lambda made, given=given: {"person": made.editor.find("Ann"), **given},
                person=("Ann", 7, None),
                **wrong,
            )
            for name, given, wrong in (
                ("records", {}, {}),
                ("name", {"name": "Eve"}, {"name": (*TEXT, None, "", "p7")}),
                ("merge", {"others": []}, {"others": (7, None, "Eve", ["Eve"])}),
                ("add", {"faces": []}, {"faces": (7, None, ["1-0.png"], [12345])}),
                ("split", {"faces": []}, {"faces": (7, None, [], ["1-0.png"], [12345])}),
                ("reject", {"faces": []}, {"faces": (7, None, [], ["1-0.png"], [12345])}),
                ("hide", {}, {}),
            )
        ],
    )
)


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_error_says_what_was_expected(name: str, made: ClusteredGallery) -> None:
    subject = SUBJECTS[name]
    called, arguments = subject.called(made), subject.arguments(made)
    assert {*subject.wrong}
    problems = [
        f"{argument}={value!r}: {problem}"
        for argument, values in subject.wrong.items()
        for value in values
        if (problem := _problem(called, {**arguments, argument: value}, value))
    ]
    assert problems == []


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


def test_every_public_name_has_its_mistakes() -> None:
    named = {each.split(".")[0] for each in SUBJECTS}
    errors = {
        name
        for name in facesearch.__all__
        if isinstance(getattr(facesearch, name), type)
        and issubclass(getattr(facesearch, name), Exception)
    }
    assert {*facesearch.__all__} - named - errors == {"IndexReport"}  # of results alone
    for name, subject in SUBJECTS.items():
        if name in facesearch.__all__ and not isinstance(getattr(facesearch, name), type):
            parameters = inspect.signature(getattr(facesearch, name)).parameters.values()
            asked = {each.name for each in parameters} - LEFT_TO_PYTHON
            assert asked == {*subject.wrong}, name
