"""Wrong arguments of the functions that fetch, add and calibrate encoders."""

from __future__ import annotations

from facesearch import PixelFormat
from support.calls.mistakes import COUNT, ENGINES, PATH, PATHS, SHARE, TEXT, Subject, function

ENCODER_SUBJECTS: tuple[tuple[str, Subject], ...] = (
    function(
        "calibrate_encoder",
        lambda made: {"name": "dlib-resnet-v1", "photos": made.photos},
        name=(*TEXT, "nothing"),
        photos=PATH,
        engine=ENGINES,
        cache=(7, 1.5),
    ),
    function(
        "quantise_encoder",
        lambda made: {"name": "dlib-resnet-v1", "photos": made.photos},
        name=(*TEXT, "nothing"),
        photos=PATHS,
        weights=(7, 1.5),
        faces=COUNT,
    ),
    function(
        "add_encoder",
        lambda made: {"name": "mine", "file": made.photos / "mine.onnx"},
        name=(*TEXT, "", "My Encoder"),
        file=PATH,
        settings=(7, "arcface", PixelFormat()),
    ),
    function(
        "add_ensemble",
        lambda _: {
            "name": "mine",
            "first": "dlib-resnet-v1",
            "second": "facenet-small",
            "share": 0.9,
        },
        name=(*TEXT, "", "My Encoder"),
        first=(*TEXT, "nothing", "facenet-small"),
        second=(*TEXT, "nothing", "dlib-resnet-v1"),
        share=(*SHARE, 0, 1),
    ),
    function(
        "fetch_encoder",
        lambda _: {"name": "dlib-resnet-v1"},
        name=(*TEXT, "nothing"),
        url=TEXT,
        folder=(7, 1.5),
    ),
)
