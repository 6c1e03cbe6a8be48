"""The peer's side of ``benchmarks.jobs.album``: the same photos through ``face_recognition``.

Run by the Python of an environment that has face_recognition 1.3.0 (see
``benchmarks/peers/README.md``): ``python face_recognition_album.py FOLDER OUT.npz PROCESSES``.
Its own defaults: HOG detector, one upsampling, small (5-point) landmarks, no jitter.
"""

import json
import sys
import time
import warnings
from multiprocessing import Pool
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")


def faces_of(path):
    """Boxes (n, 4) as x0, y0, x1, y1 and encodings (n, 128) of one photo."""
    import face_recognition

    photo = face_recognition.load_image_file(str(path))
    places = face_recognition.face_locations(photo)
    encodings = face_recognition.face_encodings(photo, places)
    boxes = [(left, top, right, bottom) for top, right, bottom, left in places]
    return np.array(boxes, float).reshape(-1, 4), np.array(encodings).reshape(-1, 128)


def main():
    """Encode every photo, save faces and groups, print photos and seconds."""
    folder, out, processes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    with Pool(processes) as pool:
        pool.map(abs, range(processes))
        started = time.perf_counter()
        found = pool.map(faces_of, paths, chunksize=4)
        seconds = time.perf_counter() - started
    np.savez(
        out,
        photo=np.repeat(np.arange(len(paths)), [len(boxes) for boxes, _ in found]),
        boxes=np.concatenate([boxes for boxes, _ in found]),
        encodings=np.concatenate([encodings for _, encodings in found]),
        names=np.array([path.name for path in paths]),
        groups=chinese_whispers(np.concatenate([encodings for _, encodings in found])),
    )
    faces = sum(len(boxes) for boxes, _ in found)
    print(json.dumps({"photos": len(paths), "faces": faces, "seconds": seconds}))


def chinese_whispers(encodings):
    """Labels as the library's users group faces: dlib's own clustering at distance 0.5."""
    import dlib

    return np.array(dlib.chinese_whispers_clustering([dlib.vector(e) for e in encodings], 0.5))


if __name__ == "__main__":
    main()
