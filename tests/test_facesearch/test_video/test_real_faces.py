"""The real engine follows the demo's portraits through crossings, cuts and a turned file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")
pytest.importorskip("skimage", reason="the demo's portraits come with scikit-image")

import cv2

from benchmarks.clips.made_clips import (
    Actor,
    ClipFormat,
    ClipShot,
    Pixels,
    background,
    write_clip,
)
from benchmarks.clips.track_scores import follow, identity_scores
from facesearch.demo import DemoTruth
from facesearch.engine import FaceEngine, create_engine
from facesearch.evaluate.video_clips import embed_clips, read_clips
from facesearch.recognition.identify import compare_probes, read_probe

pytestmark = pytest.mark.slow  # with the real models


@pytest.fixture(scope="module")
def engine() -> FaceEngine:
    return create_engine()


@pytest.fixture(scope="module")
def heads(demo_photos: tuple[Path, DemoTruth], engine: FaceEngine) -> dict[str, list[Pixels]]:
    """Two square pictures of each portrait's head, around the face that is found in it."""
    folder, truth = demo_photos
    found: dict[str, list[Pixels]] = {"a": [], "b": []}
    for name, people in sorted(truth.people.items()):
        if len(people) != 1 or len(found[min(people)]) == 2:
            continue
        pixels = np.asarray(cv2.cvtColor(cv2.imread(str(folder / name)), cv2.COLOR_BGR2RGB))
        (detections,) = engine.detect([pixels])
        if len(detections) != 1:
            continue
        x0, y0, x1, y1 = detections.boxes[0]
        half = 0.75 * max(x1 - x0, y1 - y0)
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        if min(x - half, y - half) < 0 or x + half > pixels.shape[1] or y + half > pixels.shape[0]:
            continue
        square = pixels[int(y - half) : int(y + half), int(x - half) : int(x + half)]
        found[min(people)].append(cv2.resize(square, (160, 160), interpolation=cv2.INTER_AREA))
    assert all(found.values())
    return found


def actor(heads: dict[str, list[Pixels]], person: str, x: tuple[float, float], y: float) -> Actor:
    pictures = tuple(heads[person])
    return Actor(person, pictures, (x[0], y), (x[1], y), (140, 150), lean=6, light=0.1, change=0.9)


def test_one_track_is_one_person(
    tmp_path: Path, engine: FaceEngine, heads: dict[str, list[Pixels]]
) -> None:
    both = (actor(heads, "a", (0.2, 0.8), 0.5), actor(heads, "b", (0.8, 0.2), 0.5))
    shots = [
        ClipShot(2.4, background(1, (480, 270)), both),
        ClipShot(1.2, background(2, (480, 270)), (actor(heads, "b", (0.5, 0.55), 0.5),)),
    ]
    truth = write_clip(tmp_path / "clip.mp4", shots, ClipFormat(turn=90, jitter=0.5))
    start = min(face.time_us for face in truth)
    moved = [type(face)(face.time_us - start, face.shot, face.person, face.box) for face in truth]
    seen = follow(engine, tmp_path / "clip.mp4", in_process=False)
    times = sorted({each.time_us for each in seen})
    exact = {
        time: min((face.time_us for face in moved), key=lambda t: abs(t - time)) for time in times
    }
    aligned = [type(each)(each.track, exact[each.time_us], each.box) for each in seen]
    scores = identity_scores(moved, aligned, sorted(exact.values()))
    assert scores.pure == 1.0
    assert scores.precision >= 0.75 and scores.recall >= 0.65


def test_a_video_can_be_the_question_and_a_protocols_track(
    tmp_path: Path, engine: FaceEngine, heads: dict[str, list[Pixels]]
) -> None:
    for person in "ab":
        for number in range(2):
            (tmp_path / person).mkdir(exist_ok=True)
            shot = ClipShot(
                0.8, background(number, (320, 240)), (actor(heads, person, (0.4, 0.6), 0.5),)
            )
            write_clip(tmp_path / person / f"clip{number}.mp4", [shot])
    probe = read_probe(engine, tmp_path / "a" / "clip0.mp4")
    assert len(probe.spans) == len(probe.boxes) >= 1
    other = read_probe(engine, tmp_path / "a" / "clip1.mp4")
    assert compare_probes(probe, other, 0.2).same
    clips = read_clips(tmp_path)
    assert clips is not None and clips.names == ("a/clip0", "a/clip1", "b/clip0", "b/clip1")
    embedded = embed_clips(engine, clips)
    assert embedded.usable.all() and not embedded.failures
    distances = 2 - 2 * embedded.means @ embedded.means.T
    assert max(distances[0, 1], distances[2, 3]) < distances[:2, 2:].min()
    with pytest.raises(ValueError, match="person/clip"):
        clips.named({"a/clip7"})
