"""One track is one person, and what a job that was killed goes on with is the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import ClipShot, TrueFace, write_clip
from benchmarks.clips.track_scores import follow, identity_scores
from facesearch.errors import PhotoError
from facesearch.video import pipeline
from facesearch.video.checkpoint import VideoCheckpoints
from facesearch.video.follow import followed
from facesearch.video.overlap import overlapping
from facesearch.video.pipeline import VideoFaces, VideoReading, video_faces
from facesearch.video.process import VideoProcess
from facesearch.video.reader import open_video
from facesearch.video.track import BEST_FACES, FaceSighting, VideoTrack
from facesearch.video.tracker import FaceTracker, ForgottenFace
from facesearch.video.types import VideoEnd, VideoFrame
from support.fake_engine import DIMENSION, person_vector
from support.videos.colour_engine import ColourEngine, actor, grey_shot

HERE = VideoReading(threads=1, decoders=0)


def crossing(seconds: float = 4.0) -> list[ClipShot]:
    """Two people cross, one behind the other; after a cut three stand still."""
    return [
        grey_shot(
            seconds,
            actor("red", (0.1, 0.5), (0.9, 0.5)),
            actor("blue", (0.9, 0.52), (0.1, 0.52), sides=(50.0, 70.0)),
        ),
        grey_shot(
            2.0,
            actor("green", (0.2, 0.4), (0.25, 0.4)),
            actor("red", (0.5, 0.4), (0.5, 0.5)),
            actor("blue", (0.8, 0.5), (0.75, 0.5), seconds=(0.6, 2.0)),
            level=200,
        ),
    ]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[TrueFace]]:
    """The crossing as a file, and the truth about it."""
    path = tmp_path_factory.mktemp("crossing") / "clip.mp4"
    return path, write_clip(path, crossing())


@pytest.fixture(scope="module")
def whole(clip: tuple[Path, list[TrueFace]]) -> VideoFaces:
    """The tracks of the crossing, made at once."""
    return video_faces(ColourEngine(), clip[0], HERE)


def person_at(truth: list[TrueFace], time_us: int, box: np.ndarray) -> set[str]:
    """Whose true centre lies in a box at a time."""
    return {
        face.person
        for face in truth
        if abs(face.time_us - time_us) < 20
        and box[0] < (face.box[0] + face.box[2]) / 2 < box[2]
        and box[1] < (face.box[1] + face.box[3]) / 2 < box[3]
    }


def same(one: VideoTrack, two: VideoTrack) -> bool:
    fields = ("start_us", "end_us", "count", "quality", "norm")
    return all(getattr(one, name) == getattr(two, name) for name in fields) and all(
        np.array_equal(getattr(one, name), getattr(two, name))
        for name in ("vector", "times_us", "boxes", "landmarks", "scores")
    )


def test_people_who_cross_keep_their_tracks(clip: tuple[Path, list[TrueFace]]) -> None:
    path, truth = clip
    seen = follow(ColourEngine(), path, in_process=False)
    scores = identity_scores(truth, seen, sorted({each.time_us for each in seen}))
    assert scores.pure == 1.0
    assert scores.precision > 0.95 and scores.recall > 0.9
    assert scores.trajectories == 5


def test_tracks_know_when_and_who(clip: tuple[Path, list[TrueFace]], whole: VideoFaces) -> None:
    truth, found = clip[1], whole
    late = [track for track in found.tracks if track.start_us >= 4_000_000]
    assert sorted(round(track.start_us / 1e6, 1) for track in late) == [4.0, 4.0, 4.6]
    assert all(track.end_us < 4_000_000 for track in found.tracks if track not in late)
    for track in found.tracks:
        if track.count == 1:  # what is to be seen of somebody behind another
            continue
        shown = [
            person_at(truth, int(time), box)
            for time, box in zip(track.times_us, track.boxes, strict=True)
        ]
        assert len(set.intersection(*shown)) == 1
        assert track.start_us <= track.span.still_us <= track.end_us
        assert np.linalg.norm(track.vector) == pytest.approx(1, abs=1e-5)
    assert found.frames == 30 and found.end.reason == ""


def test_in_a_process_and_by_threads_it_is_the_same(
    clip: tuple[Path, list[TrueFace]], whole: VideoFaces
) -> None:
    there = video_faces(ColourEngine(), clip[0], VideoReading(threads=2, decoders=1))
    assert len(whole.tracks) == len(there.tracks) > 3
    assert all(map(same, whole.tracks, there.tracks))


@pytest.mark.parametrize(
    "stopped_after", [7, *(pytest.param(each, marks=pytest.mark.slow) for each in (1, 13, 24))]
)
def test_a_job_that_was_killed_goes_on_to_the_same_tracks(
    clip: tuple[Path, list[TrueFace]], whole: VideoFaces, tmp_path: Path, stopped_after: int
) -> None:
    reading = VideoReading(threads=1, decoders=0, between_checkpoints=4)
    looked_at = 0

    def stop(time_us: int, duration_us: int) -> None:
        nonlocal looked_at
        looked_at += 1
        if looked_at == stopped_after:
            raise KeyboardInterrupt

    folder = tmp_path / "kept" / "video"
    with pytest.raises(KeyboardInterrupt):
        video_faces(
            ColourEngine(), clip[0], reading,
            checkpoints=VideoCheckpoints(folder), progress=stop,
        )  # fmt: skip
    engine, checkpoints = ColourEngine(), VideoCheckpoints(folder)
    resumed = video_faces(engine, clip[0], reading, checkpoints=checkpoints)
    done = (stopped_after - 1) // 4 * 4
    assert engine.calls == whole.frames - done
    assert resumed.frames == whole.frames
    assert all(map(same, resumed.tracks, whole.tracks))
    assert len(resumed.tracks) == len(whole.tracks)
    checkpoints.remove()
    assert not folder.exists()


def test_damaged_checkpoints_are_started_over(
    clip: tuple[Path, list[TrueFace]], whole: VideoFaces, tmp_path: Path
) -> None:
    reading = VideoReading(threads=1, decoders=0, between_checkpoints=10)
    folder = tmp_path / "kept"
    video_faces(ColourEngine(), clip[0], reading, checkpoints=VideoCheckpoints(folder))
    shard = folder / "00000001.h5"
    shard.write_bytes(shard.read_bytes()[:-100])
    engine = ColourEngine()
    again = video_faces(engine, clip[0], reading, checkpoints=VideoCheckpoints(folder))
    assert engine.calls == whole.frames and all(map(same, again.tracks, whole.tracks))


def test_a_forgotten_face_makes_no_track(
    clip: tuple[Path, list[TrueFace]], whole: VideoFaces
) -> None:
    gone = whole.tracks[0]
    places = [ForgottenFace(gone.span.still_us, gone.boxes[0].astype(np.float64))]
    rest = video_faces(ColourEngine(), clip[0], HERE, forgotten=places)
    assert len(rest.tracks) == len(whole.tracks) - 1
    assert not any(same(gone, track) for track in rest.tracks)


def sighting(time_us: int, x: float, y: float, person: int) -> FaceSighting:
    box = np.array([x, y, x + 40, y + 50], np.float32)
    landmarks = np.zeros((5, 2), np.float32)
    vector = person_vector(person, time_us)
    return FaceSighting(time_us, box, landmarks, 0.9, 1.0, 0.8, 0.5, 0.01, vector)


PLACES = st.tuples(st.floats(0, 300), st.floats(0, 200), st.integers(1, 4))


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.lists(
                st.tuples(st.floats(0, 300), st.floats(0, 200), st.integers(1, 4)), max_size=5
            ),
        ),
        max_size=12,
    )
)
def test_every_face_is_in_one_track_and_none_crosses_a_cut(
    steps: list[tuple[bool, list[tuple[float, float, int]]]],
) -> None:
    tracker = FaceTracker(0.5, least_faces=1)
    ended: list[VideoTrack] = []
    cuts, count = [], 0
    for number, (cut, faces) in enumerate(steps):
        time_us = number * 200_000
        cuts += [time_us] if cut else []
        ended += tracker.step(time_us, [sighting(time_us, *face) for face in faces], cut=cut)
        count += len(faces)
        latest = [id(track.latest) for track in tracker.open if track.missed == 0]
        assert len(set(latest)) == len(latest) == len(faces)
    ended += tracker.finish()
    assert sum(track.count for track in ended) == count
    assert not tracker.open
    for track in ended:
        assert not any(track.start_us < cut <= track.end_us for cut in cuts)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 20), st.integers(0, 8)), max_size=25))
def test_overlaps_are_those_of_all_pairs(rows: list[tuple[int, int, int]]) -> None:
    video = np.array([row[0] for row in rows], np.int64)
    seen = np.array(
        [(-1, -1) if start < 0 else (start, start + length) for _, start, length in rows], np.int64
    ).reshape(-1, 2)
    plain = {
        (one, two)
        for one in range(len(rows))
        for two in range(one + 1, len(rows))
        if video[one] == video[two]
        and min(seen[one, 0], seen[two, 0]) >= 0
        and seen[one, 0] <= seen[two, 1]
        and seen[two, 0] <= seen[one, 1]
    }
    found = overlapping(video, seen)
    assert found.shape == (len(plain), 2)
    assert {(one, two) for one, two in found.tolist()} == plain


def test_a_track_has_the_mean_of_its_best_faces() -> None:
    tracker = FaceTracker(0.5)
    for number in range(8):
        tracker.step(number * 200_000, [sighting(number * 200_000, number, 0, 1)], cut=False)
    (track,) = tracker.finish()
    vectors = np.array([person_vector(1, int(time)) for time in track.times_us])
    mean = vectors.mean(axis=0)
    assert track.vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert track.vector.shape == (DIMENSION,) and len(track.times_us) == BEST_FACES


class StoppingVideo:
    """A video that cannot be read on after so many sampled frames; "" kills its process."""

    def __init__(self, video: VideoProcess, frames: int, reason: str) -> None:
        self.info = video.info
        self._video = video
        self._frames = frames
        self._reason = reason

    def frames(self, *arguments: Any) -> Iterator[VideoFrame | VideoEnd]:
        for number, each in enumerate(self._video.frames(*arguments)):
            if number == self._frames and self._reason:
                raise PhotoError(self._reason, "so it is")
            if number == self._frames:
                os.kill(self._video.pid, signal.SIGKILL)
            yield each


def stopping(monkeypatch: pytest.MonkeyPatch, frames: int, reason: str = "") -> None:
    @contextmanager
    def opened(*arguments: Any, **options: Any) -> Iterator[StoppingVideo]:
        with open_video(*arguments, **options) as video:
            yield StoppingVideo(video, frames, reason)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "open_video", opened)


@pytest.mark.parametrize("reason", ["timeout", "corrupt", "too-large", "truncated", ""])
def test_what_was_read_before_a_video_cannot_be_read_on_is_kept(
    clip: tuple[Path, list[TrueFace]],
    whole: VideoFaces,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
) -> None:
    stopping(monkeypatch, 25, reason)
    found = video_faces(ColourEngine(), clip[0], VideoReading(threads=2, decoders=1))
    assert found.end.reason == (reason or "timeout") and found.end.detail
    # One more was decoded and sent when the process was killed.
    assert found.frames == found.end.frames == (25 if reason else 26)
    assert found.end.time_us == 200_000 * (found.frames - 1)
    ended = [each for each in whole.tracks if each.end_us < 4_000_000]
    assert len(ended) >= 2 and len(found.tracks) >= len(ended) + 3
    assert all(map(same, found.tracks, ended))


@pytest.mark.parametrize(("frames", "reason"), [(0, "timeout"), (9, "internal"), (9, "unreadable")])
def test_faults_and_videos_without_a_frame_are_no_part_of_a_video(
    clip: tuple[Path, list[TrueFace]],
    monkeypatch: pytest.MonkeyPatch,
    frames: int,
    reason: str,
) -> None:
    stopping(monkeypatch, frames, reason)
    with pytest.raises(PhotoError, match="so it is") as caught:
        video_faces(ColourEngine(), clip[0], VideoReading(threads=1, decoders=1))
    assert caught.value.reason == reason


def test_faces_of_tracks_that_are_not_stored_are_not_scored(tmp_path: Path) -> None:
    passing = actor("blue", (0.8, 0.5), (0.8, 0.5), seconds=(1.0, 1.1), sides=(24.0, 24.0))
    write_clip(
        tmp_path / "clip.mp4",
        [grey_shot(3.0, actor("red", (0.2, 0.5), (0.3, 0.5)), passing)],
    )
    assert len({track for track, _ in followed(ColourEngine(), tmp_path / "clip.mp4")}) == 2  # type: ignore[arg-type]
    seen = follow(ColourEngine(), tmp_path / "clip.mp4", in_process=False)  # type: ignore[arg-type]
    stored = video_faces(ColourEngine(), tmp_path / "clip.mp4", HERE).tracks  # type: ignore[arg-type]
    assert len({each.track for each in seen}) == len(stored) == 1
    assert len(seen) == stored[0].count == 15


class SizesEngine(ColourEngine):
    """Notes whether frames may be cut into tiles."""

    def __init__(self) -> None:
        super().__init__()
        self.in_tiles: set[bool] = set()

    def detect(self, photos: Sequence[Any], *, in_tiles: bool = True) -> list[Any]:
        self.in_tiles.add(in_tiles)
        return super().detect(photos, in_tiles=in_tiles)


def test_frames_of_wide_films_are_no_panoramas(tmp_path: Path) -> None:
    red = actor("red", (0.2, 0.5), (0.3, 0.5))
    write_clip(tmp_path / "clip.mp4", [grey_shot(1.0, red, size=(430, 180))])
    engine = SizesEngine()
    assert len(video_faces(engine, tmp_path / "clip.mp4", HERE).tracks) == 1  # type: ignore[arg-type]
    list(followed(engine, tmp_path / "clip.mp4", in_process=False))  # type: ignore[arg-type]
    assert engine.in_tiles == {False}
