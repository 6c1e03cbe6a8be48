"""Wrong arguments of every exported function: the error says what was expected and what arrived.

Truth values and functions that are called back are left to Python.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

import facesearch
from facesearch import EngineOptions
from facesearch.evaluate.presentation.report import Report
from support.calls.encoder_mistakes import ENCODER_SUBJECTS
from support.calls.mistakes import (
    ADDRESS,
    COUNT,
    DEVICE,
    DISTANCE,
    ENGINE,
    ENGINES,
    GALLERY,
    NAN,
    OPTION_SETS,
    OPTIONS,
    PATH,
    PATHS,
    SHARE,
    TEXT,
    ClusteredGallery,
    Subject,
    asking,
    at_address,
    clustered_gallery,
    fetching,
    function,
    in_gallery,
    method,
    nothing,
    problems,
    sending,
)

LEFT_TO_PYTHON = {"progress", "dry_run", "drop_unreadable", "labelled", "replace"}
LEFT_TO_PYTHON |= {"reads_only", "files", "draw", "discard"}
LEFT_TO_PYTHON |= {"turned", "hidden", "hdbscan", "plots", "in_place", "unsure", "normalise"}
REPORT = Report("nothing", None, None, (), ())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusteredGallery]:
    with clustered_gallery(tmp_path_factory.mktemp("mistakes")) as gallery:
        yield gallery


SUBJECTS: dict[str, Subject] = dict(
    (
        function("build_index", in_gallery, gallery=GALLERY, recall=SHARE, memory=(0, -1, "1 GB")),
        function("calibrate", in_gallery, gallery=GALLERY, fpir=(0, 0.2, NAN, "1 %", None)),
        function("check_gallery", in_gallery, gallery=GALLERY),
        function("gallery_info", in_gallery, gallery=GALLERY),
        function("latest_run", in_gallery, gallery=GALLERY),
        function("gallery_album", in_gallery, gallery=GALLERY, title=TEXT),
        function(
            "cluster_gallery",
            in_gallery,
            gallery=GALLERY,
            options=("hdbscan", 7, {}, OPTIONS),
            cluster=("local", 2),
        ),
        function("make_graph", in_gallery, gallery=GALLERY, k=COUNT, device=DEVICE),
        function(
            "check_erased",
            lambda made: {"gallery": made.folder, "receipt": made.folder / "receipt.json"},
            gallery=GALLERY,
            receipt=PATH,
            names=(7, [7]),
        ),
        function(
            "forget_faces",
            lambda made: {"gallery": made.folder, "people": "Ann"},
            gallery=GALLERY,
            photos=(7, None, [7]),
            ids=(7, None, ["x"], [1.5], [-1], "12"),
            people=(7, None, [7]),
            receipt=(7, 1.5),
            previewed=(7, b"0"),
        ),
        function(
            "unforget_photos",
            lambda made: {"gallery": made.folder, "photos": made.photos},
            gallery=GALLERY,
            photos=PATHS,
        ),
        function(
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
        function("list_people", in_gallery, gallery=GALLERY),
        function("people_suggestions", in_gallery, gallery=GALLERY),
        function(
            "enroll_folders",
            lambda made: {"gallery": made.folder, "folder": made.photos, "engine": ENGINE},
            gallery=GALLERY,
            folder=PATH,
            engine=ENGINES,
        ),
        method(
            "identify_photos",
            lambda _: lambda **given: [*facesearch.identify_photos(**given)],
            lambda made: {"gallery": made.folder, "photos": [made.photos], "engine": ENGINE},
            gallery=GALLERY,
            photos=(7, None, [7]),
            threshold=DISTANCE,
            engine=ENGINES,
            device=DEVICE,
        ),
        function("list_decisions", in_gallery, gallery=GALLERY),
        function(
            "export_vectors",
            lambda made: {"gallery": made.folder, "path": made.photos / "vectors.parquet"},
            gallery=GALLERY,
            path=(7, 1.5),
            dtype=("float64", 16, None),
        ),
        function(
            "import_vectors",
            lambda made: {"path": made.photos / "no.npy", "gallery": made.photos / "new.gallery"},
            path=PATH,
            gallery=(7, 1.5),
            encoder_name=(7, 1.5),
            like=(7, 1.5),
            dtype=("float64", 16, None),
        ),
        function(
            "show_person",
            lambda made: {"gallery": made.folder, "person": "Ann"},
            gallery=GALLERY,
            person=(*TEXT, None, "", "nobody", "p99"),
        ),
        function(
            "export_people",
            lambda made: {"gallery": made.folder, "file": made.photos / "people.json"},
            gallery=GALLERY,
            file=PATH,
        ),
        function(
            "import_people",
            lambda made: {"gallery": made.folder, "file": made.photos / "people.json"},
            gallery=GALLERY,
            file=PATH,
        ),
        function(
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
            cluster=("local", 2),
        ),
        function(
            "search_photo",
            asking,
            gallery=GALLERY,
            photo=PATH,
            k=COUNT,
            engine=ENGINES,
            device=DEVICE,
        ),
        function(
            "identify_photo",
            asking,
            gallery=GALLERY,
            photo=PATH,
            threshold=DISTANCE,
            engine=ENGINES,
        ),
        function(
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
        function(
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
        function(
            "upgrade_gallery",
            lambda made: {"gallery": made.folder, "options": OPTIONS},
            gallery=GALLERY,
            encoder=(7, "nothing", ["dlib-resnet-v1"]),
            engine=(*ENGINES, ENGINE),
            options=OPTION_SETS,
        ),
        function(
            "write_report",
            lambda made: {"album": made.album, "folder": made.folder / "report"},
            album=(7, None, "album"),
            folder=(7, 1.5),
            workers=(-1, 1.5, "all"),
        ),
        function(
            "write_sidecars",
            lambda made: {"album": made.album, "folder": made.folder / "sidecars"},
            album=(7, None, "album"),
            folder=(7, 1.5),
        ),
        function(
            "create_engine",
            nothing,
            detector=(7, "nothing"),
            encoder=(7, "nothing", EngineOptions()),
            min_face=COUNT,
            min_score=(*SHARE, 1),
        ),
        *ENCODER_SUBJECTS,
        *[
            function(
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
        function(
            "write_evaluation",
            lambda made: {"report": REPORT, "folder": made.photos / "report"},
            report=(7, None, "report"),
            folder=PATH,
        ),
        function(
            "export_gallery",
            lambda made: {"gallery": made.folder, "path": made.photos / "gallery.zip"},
            gallery=GALLERY,
            path=PATH,
        ),
        function("push_gallery", sending, gallery=GALLERY, address=ADDRESS),
        function("pull_gallery", fetching, address=ADDRESS, gallery=PATH),
        function("bucket_gallery", at_address, address=ADDRESS),
        function(
            "import_gallery",
            lambda made: {"path": made.photos / "none.zip", "gallery": made.photos / "new"},
            path=PATH,
            gallery=PATH,
        ),
        *[
            function(
                name,
                lambda made: {"gallery": made.photos, "passphrase": "a long enough one"},
                gallery=PATH,
                passphrase=(7, b"x" * 20),
                key_file=(7, 1.5),
            )
            for name in ("encrypt_gallery", "decrypt_gallery", "unlocked_gallery")
        ],
        function(
            "change_key",
            lambda made: {
                "gallery": made.photos,
                "passphrase": "a long enough one",
                "new_passphrase": "another long one",
            },
            gallery=PATH,
            passphrase=(7, b"x" * 20),
            key_file=(7, 1.5),
            new_passphrase=(7, b"x" * 20),
            new_key_file=(7, 1.5),
        ),
        function(
            "import_names",
            in_gallery,
            gallery=GALLERY,
            picasa_contacts=(7, 1.5),
            exports=(7, [7]),
            people_tags=(7, [7]),
            engine=ENGINES,
        ),
        function("remove_encoder", nothing, name=(*TEXT, "nothing")),
        function(
            "crop_photos",
            lambda made: {"photos": made.photos, "output": made.photos / "crops.h5"},
            photos=PATHS,
            output=PATH,
            teachers=(7, [7], "nothing", ["nothing"]),
            engine=(*ENGINES, ENGINE),
        ),
        function(
            "train_encoder",
            lambda made: {"config": made.photos / "train.toml"},
            config=PATH,
            compatible_with=TEXT,
        ),
    )
)


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_error_says_what_was_expected(name: str, made: ClusteredGallery) -> None:
    assert problems(SUBJECTS[name], made) == []


def test_every_argument_of_every_function_is_among_them() -> None:
    functions = {
        name: exported
        for name in facesearch.__all__
        if not isinstance(exported := getattr(facesearch, name), type)
    }
    assert functions.keys() == SUBJECTS.keys()
    for name, exported in functions.items():
        asked = {*inspect.signature(exported).parameters} - LEFT_TO_PYTHON
        assert asked == {*SUBJECTS[name].wrong}, name
