"""Wrong arguments of exported classes and of their methods; those of functions are beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import facesearch
from facesearch import (
    ClusterOptions,
    EmbedOptions,
    FaceTable,
    Gallery,
    GallerySession,
    PeopleEditor,
    RayOptions,
    cluster_gallery,
)
from facesearch.encoders.catalogue.templates import ARCFACE
from support.calls.mistakes import (
    COUNT,
    DEVICE,
    DISTANCE,
    ENGINE,
    ENGINES,
    GALLERY,
    GALLERY_ITSELF,
    NAN,
    PATH,
    SHARE,
    TEXT,
    ClusteredGallery,
    Subject,
    clustered_gallery,
    function,
    method,
    nothing,
    problems,
)


def _clustered_with(made: ClusteredGallery) -> Callable[..., Any]:
    """Options are looked at when they are used."""
    return lambda **options: cluster_gallery(made.folder, ClusterOptions(**options))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusteredGallery]:
    with clustered_gallery(tmp_path_factory.mktemp("mistakes")) as gallery:
        yield gallery


SUBJECTS: dict[str, Subject] = dict(
    (
        function(
            "EvaluationOptions",
            nothing,
            face=("best", 7, None),
            missing=("forget", 7, None),
            seed=(-1, 1.5, "x"),
            cache=(7, 1.5),
        ),
        function(
            "EmbedOptions",
            nothing,
            decoders=(-1, 1.5, "all", True),
            video=("some", 7, None),
            threads=COUNT,
            shard_photos=COUNT,
            decode_timeout=(-1, NAN, "long", None),
        ),
        function(
            "EngineOptions",
            nothing,
            detector=(7, 1.5),
            min_face=COUNT,
            min_score=SHARE,
            encoder=TEXT,
            weights=(7, 1.5),
            device=(7, None),
            precision=TEXT,
        ),
        function(
            "EncoderSettings",
            nothing,
            template=(7, "arcface"),
            pixels=(7, "BGR"),
            licence=(7, None),
            output=TEXT,
        ),
        function(
            "PixelFormat",
            nothing,
            order=("XYZ", 7, None),
            mean=(7, (1, 2), "RGB", (1, 2, NAN)),
            divisor=((1, 2, 0), 7, None),
        ),
        function(
            "Template",
            lambda _: {"name": "mine", "points": ARCFACE.points},
            points=(7, None, (), ((0, 0),) * 5, ARCFACE.points[:4], "corners", ((7, 7),) * 5),
        ),
        method(
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
            partitions=(-1, 1.5, "many", NAN),
        ),
        method(
            "ClusterOptions.for_gallery",
            lambda made: ClusterOptions.for_gallery,
            lambda made: {"gallery": made.gallery},
            gallery=GALLERY_ITSELF,
            method=("k-means", 7, None),
            threshold=DISTANCE,
            min_size=COUNT,
            min_quality=(7, *SHARE),
            linkage=("ward", 7, None, "single"),
            partitions=(-1, 1.5, "many", NAN),
        ),
        method(
            "RayOptions",
            lambda _: lambda **options: RayOptions(**options).check(),
            nothing,
            address=(*TEXT, None, ""),
            workers=COUNT,
            gpus=(-1, NAN, "one"),
        ),
        method("EmbedOptions.for_cores", lambda _: EmbedOptions.for_cores, nothing, threads=COUNT),
        method(
            "FaceTable",
            lambda _: FaceTable.read,
            lambda made: {"gallery": made.gallery, "state": made.gallery.state()},
            gallery=GALLERY_ITSELF,
            state=(7, None),
        ),
        method(
            "Gallery", lambda _: Gallery.open, lambda made: {"folder": made.folder}, folder=PATH
        ),
        method(
            "Gallery.create",
            lambda _: Gallery.create,
            lambda made: {"folder": made.photos / "new", "contract": ENGINE.contract},
            folder=PATH,
            contract=(7, None, "dlib-resnet-v1"),
            dtype=("int3", 16),
        ),
        method(
            "GallerySession",
            lambda _: GallerySession,
            lambda made: {"gallery": made.gallery, "engine": ENGINE},
            gallery=GALLERY_ITSELF,
            engine=ENGINES,
            device=DEVICE,
        ),
        method(
            "GallerySession.open",
            lambda _: GallerySession.open,
            lambda made: {"gallery": made.folder, "engine": ENGINE},
            gallery=GALLERY,
            engine=ENGINES,
            device=DEVICE,
        ),
        method(
            "GallerySession.search",
            lambda made: made.session.search,
            lambda made: {"photo": made.photos / "1-0.png"},
            photo=PATH,
            k=COUNT,
        ),
        method(
            "GallerySession.identify",
            lambda made: made.session.identify,
            lambda made: {"photo": made.photos / "1-0.png"},
            photo=PATH,
            threshold=DISTANCE,
        ),
        method(
            "GallerySession.verify",
            lambda made: made.session.verify,
            lambda made: {"first": made.photos / "1-0.png", "second": made.photos / "1-1.png"},
            first=PATH,
            second=PATH,
            threshold=DISTANCE,
        ),
        method(
            "PeopleEditor",
            lambda _: PeopleEditor,
            lambda made: {"gallery": made.gallery},
            gallery=GALLERY_ITSELF,
        ),
        method(
            "PeopleEditor.find",
            lambda made: made.editor.find,
            nothing,
            text=(*TEXT, None, "", "nobody", "p99"),
        ),
        *[
            method(
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
    assert problems(SUBJECTS[name], made) == []


def test_every_class_is_among_them() -> None:
    named = {each.split(".")[0] for each in SUBJECTS}
    classes = {
        name
        for name in facesearch.__all__
        if isinstance(exported := getattr(facesearch, name), type)
        and not issubclass(exported, Exception)
    }
    assert classes - named == {"IndexReport"}  # only results are of that
