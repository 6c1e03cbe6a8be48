"""How long alignment takes, beside dlib's: a face, and the first call of a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from facesearch.align.chips import face_chips
from facesearch.align.shape_predictor import FIVE_POINT_MODEL, five_point_predictor, rounded
from facesearch.detect.types import Pixels


def milliseconds(work: Callable[[], object], count: int, repeats: int) -> list[float]:
    """Of one face, ``count`` of which ``work`` does; each repeat."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) / count * 1e3)
    return taken


def speed_on(photos: list[Pixels], repeats: int) -> dict[str, Any]:
    """dlib and ours, predictor and chip, over the first HOG face of each photo."""
    import dlib

    find = dlib.get_frontal_face_detector()
    reference = dlib.shape_predictor(str(FIVE_POINT_MODEL.locate()))
    ours = five_point_predictor()
    faces = [(photo, found[0]) for photo in photos if (found := find(photo, 0))]
    rects = [np.array([[r.left(), r.top(), r.right(), r.bottom()]], float) for _, r in faces]
    shapes = [reference(photo, rect) for photo, rect in faces]
    points = [
        rounded(ours.predict(photo, rect)) for (photo, _), rect in zip(faces, rects, strict=True)
    ]
    for (photo, _), shape, point in zip(faces, shapes, points, strict=True):
        expected = dlib.get_face_chip(photo, shape, 150, 0.25)
        if not (face_chips(photo, point, 150, 0.25)[0] == expected).all():
            raise SystemExit("a chip differs from dlib's; timings would compare different work")
    each = {
        "dlib_predictor": lambda: [reference(photo, rect) for photo, rect in faces],
        "predictor": lambda: [
            ours.predict(f[0], rect) for f, rect in zip(faces, rects, strict=True)
        ],
        "dlib_chip": lambda: [
            dlib.get_face_chip(f[0], s, 150, 0.25) for f, s in zip(faces, shapes, strict=True)
        ],
        "chip": lambda: [
            face_chips(f[0], p, 150, 0.25) for f, p in zip(faces, points, strict=True)
        ],
    }
    timed = {name: milliseconds(work, len(faces), repeats) for name, work in each.items()}
    return {"faces": len(faces), "chips_identical": True, "ms_per_face": timed}


FIRST_CALL = """
import time, json, numpy as np, resource
began = time.perf_counter()
from facesearch.align import DlibAligner
from facesearch.detect.types import Detections
imported = time.perf_counter()
aligner = DlibAligner()
loaded = time.perf_counter()
box = np.array([[20, 20, 90, 90]], np.float32)
points = np.array([[[40, 45], [70, 45], [55, 60], [42, 75], [68, 75]]], np.float32)
aligner.align(np.zeros((120, 120, 3), np.uint8), Detections(box, points, np.ones(1, np.float32)))
done = time.perf_counter()
print(json.dumps(dict(imports=imported - began, load=loaded - imported, call=done - loaded)))
"""


def first_calls() -> dict[str, Any]:
    """Seconds to the first chips in a new process, without and with compiled code on disk."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", FIRST_CALL]
        runs = [
            json.loads(
                subprocess.run(command, env=environment, capture_output=True, check=True).stdout
            )
            for _ in range(2)
        ]
    return {"nothing_cached": runs[0], "cached": runs[1]}
