"""The rows of the ablation on LFW: each changes one thing of the project's pipeline."""

from __future__ import annotations

from benchmarks.recognition.lfw import landmarks as ways
from benchmarks.recognition.lfw.stages import SIDE, Choose, Variant
from facesearch.detect.types import Detections
from facesearch.evaluate.datasets.face_selection import DEFAULT_RULE, choose_face

BASE = "facesearch"  # the row that every other is compared with
INT8 = "int8"  # as it runs by default where the processor multiplies bytes


def by_rule(rule: str) -> Choose:
    """The rule of that name, for photos of LFW's size that have a face."""

    def choose(faces: Detections) -> int:
        row = choose_face(faces, (SIDE, SIDE), rule)
        assert row is not None
        return row

    return choose


_MAIN = by_rule(DEFAULT_RULE)
_POINTS = ways.from_detector_points(ways.MEAN_POINTS)
_BOTH = ways.mean_of(_POINTS, ways.trees)

ROWS = {
    row.name: row
    for row in (
        Variant(BASE, "the project's pipeline", "mtcnn", _MAIN, ways.trees),
        Variant(INT8, "numbers: int8", "mtcnn", _MAIN, ways.trees, precision="int8"),
        Variant("bf16", "numbers: bf16", "mtcnn", _MAIN, ways.trees, precision="bf16"),
        Variant("dlib-hog", "detector: dlib HOG", "hog", _MAIN, ways.trees_in_box),
        Variant("central", "face: nearest the centre", "mtcnn", by_rule("central"), ways.trees),
        Variant("largest", "face: largest", "mtcnn", by_rule("largest"), ways.trees),
        Variant("box", "landmarks: trees in MTCNN's box", "mtcnn", _MAIN, ways.trees_in_box),
        Variant("unrounded", "landmarks: not rounded", "mtcnn", _MAIN, ways.trees_unrounded),
        Variant(
            "shifted", "landmarks: mean of nine runs", "mtcnn", _MAIN, ways.trees_of_shifted_squares
        ),
        Variant("twice", "landmarks: second run", "mtcnn", _MAIN, ways.trees_twice),
        Variant("points", "landmarks: MTCNN's own", "mtcnn", _MAIN, _POINTS),
        Variant("points-trees", "landmarks: mean of MTCNN's and trees'", "mtcnn", _MAIN, _BOTH),
        Variant("padding-20", "crop: padding 0.2", "mtcnn", _MAIN, ways.trees, 0.2),
        Variant("padding-30", "crop: padding 0.3", "mtcnn", _MAIN, ways.trees, 0.3),
    )
}
