"""The main job on real photos, beside ``face_recognition`` on the same photos.

    python -m benchmarks.jobs.album --photos FOLDER --truth identities.csv --peer PYTHON

Both sides start from the folder: ours is ``facesearch index`` as a user runs it, whole process,
after a first run (recorded apart) that leaves compiled kernels behind; the peer is its own
``load_image_file``, ``face_locations``, ``face_encodings`` in as many processes as there are cores,
its start-up left out. Rounds alternate. Quality is that of the largest face of each photo against
the main person of the photo; a photo without a face counts as a group of its own.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from cluster.agglomerative import agglomerative
from cluster.metrics import bcubed_scores, pairwise_scores
from facesearch.clustering.run_store import read_run, run_paths
from facesearch.encoders import encoder_spec
from facesearch.gallery.gallery import Gallery

PEER_SCRIPT = Path(__file__).parents[1] / "peers" / "face_recognition_album.py"


def main() -> None:
    """Time both sides in turns, score the groups, record the result."""
    parser = TimingParser(__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--peer", type=Path, required=True, help="Python with face_recognition")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    truth = read_truth(args.truth)
    ours, peers = [], []
    with tempfile.TemporaryDirectory() as scratch:
        # Where the kernels were never compiled on this machine, this run compiles them.
        first = run_ours(args.photos, Path(scratch) / "first.gallery", args.cores)
        for repeat in range(args.repeats):
            gallery = Path(scratch) / f"{repeat}.gallery"
            ours.append(run_ours(args.photos, gallery, args.cores))
            peers.append(run_peer(args.peer, args.photos, Path(scratch) / "peer.npz", args.cores))
            print(ours[-1], peers[-1], file=sys.stderr)
        quality = {**our_quality(gallery, truth), **peer_quality(Path(scratch) / "peer.npz", truth)}
    photos = len(truth)
    rates = {
        "ours_photos_per_second": [photos / seconds for seconds in ours],
        "peer_photos_per_second": [photos / seconds for seconds in peers],
    }
    ratio = np.median(rates["ours_photos_per_second"]) / np.median(rates["peer_photos_per_second"])
    about = {"photos": photos, "cores": args.cores, "seconds_of_first_run": first}
    result = {**about, **rates, "ratio": ratio, "quality": quality}
    print(json.dumps(result, indent=2))
    print(f"recorded in {record('album', result)}")


def read_truth(path: Path) -> dict[str, str]:
    """Main person by photo name."""
    with path.open(newline="") as file:
        return {row["photo"]: row["identity"] for row in csv.DictReader(file)}


def run_ours(photos: Path, gallery: Path, cores: int) -> float:
    """Seconds of ``facesearch index``, start-up and search index included."""
    command = [sys.executable, "-m", "facesearch.cli.main"]
    options = ["--gallery", str(gallery), "--threads", str(cores), "--quiet"]
    started = time.perf_counter()
    subprocess.run([*command, "index", str(photos), *options], check=True, stdout=sys.stderr)
    seconds = time.perf_counter() - started
    for method in ("hdbscan", "agglomerative"):
        subprocess.run(
            [*command, "cluster", str(gallery), "--method", method], check=True, stdout=sys.stderr
        )
    return seconds


def run_peer(python: Path, photos: Path, out: Path, cores: int) -> float:
    """Seconds of the peer for the same photos, start-up left out."""
    done = subprocess.run(
        [str(python), str(PEER_SCRIPT), str(photos), str(out), str(cores)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def our_quality(folder: Path, truth: dict[str, str]) -> dict[str, Any]:
    """Scores of both methods, as the commands clustered all faces of the gallery."""
    gallery = Gallery.open(folder)
    state = gallery.state()
    faces = gallery.faces(state.live_ids(), state)
    boxes = np.array([face.box for face in faces])
    names = [face.photo.name for face in faces]
    scores = {}
    for path in run_paths(gallery):
        run = read_run(path)
        label_of = dict(zip(run.clustering.ids.tolist(), run.clustering.labels, strict=True))
        labels = np.array([label_of[face.face_id] for face in faces])
        scores[f"ours, {run.method}"] = score(names, boxes, labels, truth)
    return scores


def peer_quality(path: Path, truth: dict[str, str]) -> dict[str, Any]:
    """Scores of the peer's encodings, by its users' clustering and by ours."""
    data = np.load(path)
    names = data["names"][data["photo"]].tolist()
    vectors = data["encodings"] / np.linalg.norm(data["encodings"], axis=1, keepdims=True)
    threshold = encoder_spec("dlib-resnet-v1").plain.cluster
    ours = agglomerative(np.arange(len(names)), vectors.astype(np.float32), threshold)
    return {
        "face_recognition, chinese whispers 0.5": score(
            names, data["boxes"], data["groups"], truth
        ),
        "face_recognition, our average linkage": score(names, data["boxes"], ours.labels, truth),
    }


def score(
    names: list[str], boxes: np.ndarray, labels: np.ndarray, truth: dict[str, str]
) -> dict[str, float]:
    """Pairwise and BCubed F over all photos of the truth, by the largest face of each."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    best: dict[str, int] = {}
    for row, name in enumerate(names):
        if name not in best or areas[row] > areas[best[name]]:
            best[name] = row
    photos = sorted(truth)
    found = np.array([labels[best[name]] if name in best else -1 for name in photos], np.int64)
    people = np.unique([truth[name] for name in photos], return_inverse=True)[1]
    pairwise, bcubed = pairwise_scores(people, found), bcubed_scores(people, found)
    return {
        "pairwise_precision": pairwise.precision,
        "pairwise_recall": pairwise.recall,
        "pairwise_f": pairwise.f,
        "bcubed_f": bcubed.f,
        "photos_without_face": len(photos) - len(best),
        "faces": len(names),
    }


if __name__ == "__main__":
    main()
