"""Made clips say truly who is where, and scores are those that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import Grain, TrueFace, draw_frame
from benchmarks.clips.peak_memory import reading_memory, write_long_clip
from benchmarks.clips.track_scores import TrackSighting, identity_scores
from benchmarks.vision.video import compare_vectors, errors
from facesearch.video.track import FaceSighting
from support.fake_engine import person_vector
from support.videos.colour_engine import actor, grey_shot

BOX = (10.0, 10.0, 30.0, 40.0)
OTHER = (60.0, 10.0, 80.0, 40.0)


def truth(*rows: tuple[int, str, tuple[float, float, float, float]]) -> list[TrueFace]:
    return [TrueFace(time, 0, person, box) for time, person, box in rows]


def test_scores_of_tracks_that_are_right_and_of_such_as_are_not() -> None:
    true = truth(*((t, "a", BOX) for t in range(4)), *((t, "b", OTHER) for t in range(4)))
    right = [TrackSighting(n, t, box) for n, box in enumerate((BOX, OTHER)) for t in range(4)]
    perfect = identity_scores(true, right, range(4))
    assert (perfect.precision, perfect.recall, perfect.f1, perfect.pure) == (1, 1, 1, 1)
    # The tracks change people after two frames: each is half right.
    swapped = [
        TrackSighting(each.track if each.time_us < 2 else 1 - each.track, each.time_us, each.box)
        for each in right
    ]
    half = identity_scores(true, swapped, range(4))
    assert (half.precision, half.recall, half.pure) == (0.5, 0.5, 0.5)
    # One track breaks in two: nothing is mixed up, but half of it is not found.
    broken = [
        TrackSighting(2, each.time_us, each.box) if each.track == 0 and each.time_us > 1 else each
        for each in right
    ]
    parted = identity_scores(true, broken, range(4))
    assert (parted.precision, parted.recall, parted.pure, parted.tracks) == (0.75, 0.75, 1, 3)
    # A face of nobody costs precision alone; frames that are not sampled do not count.
    more = [*right, TrackSighting(5, 0, (150.0, 150.0, 180.0, 180.0))]
    assert identity_scores(true, more, range(4)).recall == 1
    assert identity_scores(true, more, range(4)).precision == pytest.approx(8 / 9)
    assert identity_scores(true, right[:1], [0]).recall == 0.5


def test_who_is_mostly_hidden_is_not_there() -> None:
    behind = actor("red", (0.5, 0.5), (0.5, 0.5))
    before = actor("blue", (0.5, 0.5), (0.5, 0.5), seconds=(0.0, 0.5))
    shot = grey_shot(1.0, behind, before)
    assert [person for person, _ in draw_frame(shot, 0.2)[1]] == ["blue"]
    assert [person for person, _ in draw_frame(shot, 0.7)[1]] == ["red"]


def sighting(person: int, variant: int, quality: float) -> FaceSighting:
    return FaceSighting(
        variant,
        np.zeros(4, np.float32),
        np.zeros((5, 2), np.float32),
        0.9,
        1.0,
        quality,
        0.5,
        0.01,
        person_vector(person, variant),
    )


def test_every_way_to_make_the_vector_of_a_track_is_measured() -> None:
    tracks = [
        (person, clip, [sighting(person + 1, 10 * clip + n, 0.9) for n in range(3)])
        for person in range(4)
        for clip in range(2)
    ]
    plain = compare_vectors(tracks)
    assert set(plain) == {
        "best face",
        *(f"mean of {n}" for n in (3, 5, 10, "all")),
        *(f"mean weighted by quality of {n}" for n in (3, 5, 10, "all")),
    }
    assert all(each["equal_error_rate"] == 0 for each in plain.values())
    assert (plain["best face"]["pairs_same"], plain["best face"]["pairs_different"]) == (4, 24)
    # Each track also has faces of a stranger, of low quality: to weigh them little helps.
    for person, clip, faces in tracks:
        faces += [sighting(50 + 2 * person + clip, n, 0.05) for n in range(3)]
    mixed = compare_vectors(tracks)
    weighted, alike = (mixed[f"{name} of all"] for name in ("mean weighted by quality", "mean"))
    assert weighted["mean_distance_same"] < 0.5 * alike["mean_distance_same"]


def test_errors_are_those_of_all_pairs() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], np.float32)
    tracks = [(0, 0, []), (0, 1, []), (1, 0, []), (1, 1, [])]
    found = errors(tracks, vectors)  # type: ignore[arg-type]
    assert (found["pairs_same"], found["pairs_different"]) == (2, 4)
    # Same: 0.4 twice. Different: 2.0, 0.8, 0.8, 0.08: one of four is nearer than any of the same.
    assert found["mean_distance_same"] == pytest.approx(0.4)
    assert found["equal_error_rate"] == pytest.approx(0.125)
    # One of four is more than 1%: none is accepted, and so none of the same.
    assert found["accept_rate_at_far_1e-2"] == 0 and not found["far_1e-2_resolved"]


@pytest.mark.parametrize("people", [15, 20, 25])
def test_no_more_than_one_of_a_hundred_is_accepted_falsely(people: int) -> None:
    rng = np.random.default_rng(people)
    vectors = rng.normal(size=(2 * people, 8)) + np.repeat(rng.normal(size=(people, 8)), 2, axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tracks = [(person, clip, []) for person in range(people) for clip in range(2)]
    found = errors(tracks, vectors.astype(np.float32))  # type: ignore[arg-type]
    distances = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    first, second = np.triu_indices(2 * people, 1)
    same, all_pairs = first // 2 == second // 2, distances[first, second]
    best = max(
        float((all_pairs[same] < limit).mean())
        for limit in all_pairs
        if (all_pairs[~same] < limit).mean() <= 0.01
    )
    assert found["accept_rate_at_far_1e-2"] == pytest.approx(best)
    assert found["far_1e-2_resolved"] and 0 < best < 1


def test_grain_is_noise_of_the_deviation_asked_for_and_other_in_each_frame() -> None:
    grain, plain = Grain(4.0, (200, 100), seed=1), np.full((100, 200, 3), 128, np.uint8)
    one, two = (grain.over(plain).astype(float) for _ in range(2))
    for each in (one, two):
        assert each.mean() == pytest.approx(128, abs=0.2)
        assert each.std() == pytest.approx(4, abs=0.2)
    assert np.abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1
    assert Grain(0.0, (200, 100), seed=1).over(plain) is plain


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_is_that_of_a_new_process(tmp_path: Path) -> None:
    write_long_clip(tmp_path / "a.mp4", 0.2, 5, (64, 64))
    held = np.ones(300 << 20, np.uint8)  # what this process has does not count
    found = reading_memory(tmp_path / "a.mp4", decoders=0)
    assert (found.frames, found.tracks, found.decoder_mib) == (60, 1, 0)
    assert 20 < found.peak_mib < 1000 and held[-1] == 1
