"""Wide pictures: how many of their faces are found in tiles and as a whole, and at what cost.

    python -m benchmarks.vision.panoramas [--panoramas N]

Panoramas of 12,000 x 1,600 pixels are made of photos of ``album``: a blurred photo as the
background, and on it photos reduced so that their largest face is 90 pixels high, which lie side by
side, and which the default detector finds by themselves at that size. A face is found if a box
overlaps where it was put by an intersection over union of 0.4. What a panorama costs is the
process's own seconds, of decoding and of detection.
"""

from __future__ import annotations

import io
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from facesearch.detect.boxes import SAME_FACE_IOU, Boxes, matched
from facesearch.detect.scaling import shrinking, shrunk
from facesearch.detect.types import Detections, Detector, Pixels
from facesearch.engine import DECODE_SIDE, DETECT_SIDE, create_face_finder, detect_faces
from facesearch.images.decode import decode_photo, decode_stream

ALBUM = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "album"
WIDTH, HEIGHT, FACE, SEED = 12_000, 1_600, 90, 0
# The side for which a panorama is decoded to DECODE_SIDE, as it was no wide picture: of those the
# short side may be half of what is asked for.
PLAIN_SIDE = DECODE_SIDE * 2 * HEIGHT // WIDTH


def panorama(
    small_photo: Callable[[Path], tuple[Pixels, Detections]],
    photos: Sequence[Path],
    draw: random.Random,
) -> tuple[bytes, Boxes]:
    """A JPEG, and the boxes of the faces that it shows."""
    background = decode_photo(draw.choice(photos), max_side=512).pixels
    blurred = cv2.GaussianBlur(cv2.resize(background, (WIDTH // 4, HEIGHT // 4)), (0, 0), 25)
    canvas = np.asarray(cv2.resize(blurred, (WIDTH, HEIGHT)), np.uint8).copy()
    boxes, left = [], 40
    while left < WIDTH:
        small, faces = small_photo(draw.choice(photos))
        height, width = small.shape[:2]
        if not len(faces) or height > HEIGHT or left + width > WIDTH:
            left += 40
            continue
        top = draw.randrange(HEIGHT - height + 1)
        canvas[top : top + height, left : left + width] = small
        boxes.append(faces.moved(np.array([left, top], np.float32)).boxes)
        left += width + draw.randrange(40, 200)
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "JPEG", quality=92)
    return buffer.getvalue(), np.concatenate(boxes)


def _small(detector: Detector, photo: Pixels) -> tuple[Pixels, Detections]:
    """A photo whose largest face is ``FACE`` pixels high, and its faces of that size or so."""
    (found,) = detect_faces(detector, [photo])
    if not len(found):
        return photo, found
    highest = float((found.boxes[:, 3] - found.boxes[:, 1]).max())
    small = shrunk(photo, min(1.0, FACE / highest))
    (again,) = detect_faces(detector, [small])
    heights = again.boxes[:, 3] - again.boxes[:, 1]
    return small, again.rows((heights >= 0.8 * FACE) & (again.scores >= 0.8))


def as_a_whole(detector: Detector, data: bytes) -> Detections:
    """As any other photo is read: reduced by its long side."""
    photo = decode_stream(io.BytesIO(data), max_side=PLAIN_SIDE)
    scale = shrinking(photo.pixels, DETECT_SIDE)
    (found,) = detector.detect([shrunk(photo.pixels, scale)])
    return found.scaled(photo.width / photo.pixels.shape[1] / scale)


def in_tiles(detector: Detector, data: bytes) -> Detections:
    """As wide pictures are read."""
    photo = decode_stream(io.BytesIO(data), max_side=DECODE_SIDE)
    (found,) = detect_faces(detector, [photo.pixels])
    return found.scaled(1 / photo.scale)


def measure(detector: Detector, made: list[tuple[bytes, Boxes]]) -> dict[str, Any]:
    """Recall and cost of both ways."""
    result: dict[str, Any] = {}
    for name, look in (("whole", as_a_whole), ("tiles", in_tiles)):
        look(detector, made[0][0])
        hits = others = 0
        started = time.process_time()
        looked = [look(detector, data) for data, _ in made]
        seconds = time.process_time() - started
        for found, (_, boxes) in zip(looked, made, strict=True):
            met = matched(found.boxes, boxes, SAME_FACE_IOU)
            hits += int((met >= 0).sum())
            others += int((met < 0).sum())
        faces = sum(len(boxes) for _, boxes in made)
        result[name] = {
            "recall": round(hits / faces, 4),
            "found": hits,
            "other_boxes": others,
            "seconds_a_panorama": round(seconds / len(made), 3),
        }
    return result


def main() -> None:
    """Make panoramas, measure both ways and record the result."""
    parser = TimingParser(__doc__)
    parser.add_argument("--panoramas", type=int, default=5, metavar="N")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    detector = create_face_finder(threads=1)
    photos = sorted(path for path in ALBUM.rglob("*.jpg"))
    draw = random.Random(SEED)

    @cache  # photos are drawn more than once
    def small_photo(path: Path) -> tuple[Pixels, Detections]:
        return _small(detector, decode_photo(path, max_side=2048).pixels)

    made = [panorama(small_photo, photos, draw) for _ in range(args.panoramas)]
    result = {
        "panoramas": len(made),
        "faces": sum(len(boxes) for _, boxes in made),
        "pixels": [WIDTH, HEIGHT],
        "face": FACE,
        "seed": SEED,
        **measure(detector, made),
    }
    print(json.dumps(result, indent=2))
    print(record("panoramas", result))


if __name__ == "__main__":
    main()
