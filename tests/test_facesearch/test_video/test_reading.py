"""Videos are read with their times, upright, within limits; damaged ones with a reason."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import ClipFormat, TrueFace, write_clip
from facesearch.errors import PhotoError
from facesearch.video.reader import AnyVideo, is_video, open_video, read_stills
from facesearch.video.types import TimeSpan, VideoEnd, VideoFrame, VideoLimits
from facesearch.video_files import video_container
from support.videos.colour_engine import actor, grey_shot

KINDS = [
    ("clip.mp4", "libx264"),
    ("clip.mov", "mpeg4"),
    ("clip.mkv", "libx264"),
    ("clip.avi", "mpeg4"),
    pytest.param("clip.webm", "libvpx", marks=pytest.mark.slow),  # which is slow to write
    ("clip.flv", "flv1"),
    ("clip.ogv", "libvpx"),
    ("clip.vob", "mpeg2video"),
    ("clip.mxf", "mpeg2video"),
]


PLAIN = ClipFormat()


def clip(path: Path, form: ClipFormat = PLAIN, seconds: float = 3.0) -> list[TrueFace]:
    """A red square on the left third and from 1 s on a second shot, brighter."""
    red = actor("red", (0.2, 0.3), (0.2, 0.3), sides=(60.0, 60.0))
    shots = [grey_shot(1.0, red), grey_shot(seconds - 1.0, red, level=190)]
    return write_clip(path, shots, form)


def frames_of(video: AnyVideo, **options: int) -> list[VideoFrame]:
    found = list(video.frames("tracks", 320, **options))
    assert isinstance(found[-1], VideoEnd)
    return [each for each in found if isinstance(each, VideoFrame)]


def red_corner(pixels: np.ndarray) -> tuple[float, float]:
    """Where the middle of the red square is, in shares of the frame."""
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 110) & (pixels[..., 2] < 110)
    rows, columns = np.nonzero(red)
    return float(columns.mean() / pixels.shape[1]), float(rows.mean() / pixels.shape[0])


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_all_containers_give_a_frame_every_fifth_of_a_second_and_the_cut(
    tmp_path: Path, name: str, codec: str
) -> None:
    quick = (("deadline", "realtime"), ("threads", "1")) if codec == "libvpx" else ()
    clip(tmp_path / name, ClipFormat(codec=codec, options=quick))
    assert is_video(tmp_path / name)
    with open_video(tmp_path / name, in_process=False) as video:
        assert (video.info.width, video.info.height) == (320, 180)
        found = frames_of(video)
        times = [each.time_us for each in found]
        assert [round(each / 200_000) for each in times] == list(range(15))
        assert [round(each.time_us / 1e6, 1) for each in found if each.cut] == [1.0]
        assert red_corner(found[4].pixels) == pytest.approx((0.2, 0.3), abs=0.02)
        for after in (0, times[3], times[5], times[11]):
            again = frames_of(video, after_us=after)
            assert [each.time_us for each in again] == [each for each in times if each > after]
            by_time = {each.time_us: each for each in found}
            for each in again:
                assert np.array_equal(each.pixels, by_time[each.time_us].pixels)
                assert each.cut == by_time[each.time_us].cut


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_what_the_file_says_to_turn_is_turned(tmp_path: Path, turn: int, name: str) -> None:
    clip(tmp_path / name, ClipFormat(turn=turn), seconds=1.2)
    with open_video(tmp_path / name, in_process=False) as video:
        assert (video.info.width, video.info.height) == (320, 180)
        for frame in frames_of(video):
            assert frame.pixels.shape == (180, 320, 3)
            assert red_corner(frame.pixels) == pytest.approx((0.2, 0.3), abs=0.02)


def test_times_are_those_of_the_file_where_the_rate_varies(tmp_path: Path) -> None:
    truth = clip(tmp_path / "clip.mp4", ClipFormat(jitter=0.9))
    there = {face.time_us for face in truth}
    with open_video(tmp_path / "clip.mp4", in_process=False) as video:
        found = frames_of(video)
    first = found[0].time_us
    moved = min(there) - first  # players count from the first frame
    assert len({each.time_us for each in found}) == len(found) >= 14
    for each in found:
        assert min(abs(each.time_us + moved - time) for time in there) <= 12  # one tick is 11 us
    assert [each.time_us // 200_000 for each in found] == sorted(
        {each.time_us // 200_000 for each in found}
    )


def test_stills_are_the_very_frames_and_no_others(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mkv")
    with open_video(tmp_path / "clip.mkv") as video:  # in a process of its own
        found = {each.time_us: each for each in frames_of(video)}
    times = [*sorted(found)[::3], 123_457]
    stills = dict(read_stills(tmp_path / "clip.mkv", times, 320))
    assert sorted(stills) == sorted(times) and stills[123_457] is None
    for time_us in times[:-1]:
        still = stills[time_us]
        assert still is not None and np.array_equal(still.pixels, found[time_us].pixels)


def test_key_frames_are_few(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mp4", ClipFormat(keyframe_every=25))
    with open_video(tmp_path / "clip.mp4", in_process=False) as video:
        found = [each for each in video.frames("keyframes", 320) if isinstance(each, VideoFrame)]
    assert 3 <= len(found) <= 5


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(PhotoError) as caught, open_video(path, **options) as video:  # type: ignore[arg-type]
        list(video.frames("tracks", 320))
    return caught.value.reason


def test_what_is_no_video_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("#EXTM3U\nhttp://localhost/secret\n" * 40)
    (tmp_path / "none.mp4").write_bytes(b"")
    (tmp_path / "noise.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(range(256)) * 40)
    assert refusal(tmp_path / "text.mp4") == "not-a-video"
    assert refusal(tmp_path / "none.mp4") == "empty"
    assert refusal(tmp_path / "noise.mkv") in ("corrupt", "unsupported", "truncated")
    assert refusal(tmp_path / "missing.mp4", in_process=False) == "unreadable"


def test_a_truncated_mp4_without_its_table_is_truncated(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mp4")
    data = (tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "clip.mp4").write_bytes(data[: data.index(b"moov") - 8])
    assert refusal(tmp_path / "clip.mp4") == "truncated"


def test_of_a_truncated_matroska_file_what_is_there_is_read(tmp_path: Path) -> None:
    clip(tmp_path / "whole.mkv", ClipFormat(keyframe_every=10), seconds=8.0)
    data = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(data[: len(data) // 2])
    with open_video(tmp_path / "half.mkv") as video:
        *found, end = video.frames("tracks", 320)
    assert 5 < len(found) < 40
    assert isinstance(end, VideoEnd) and end.reason == "truncated" and "of 8 s" in end.detail


def test_limits_hold(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mp4")
    assert refusal(tmp_path / "clip.mp4", limits=VideoLimits(pixels=1000)) == "too-large"
    assert refusal(tmp_path / "clip.mp4", limits=VideoLimits(seconds=1)) == "too-large"
    started = time.monotonic()
    assert refusal(tmp_path / "clip.mp4", timeout=0.001) == "timeout"
    assert time.monotonic() - started < 60


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.mp4")
    assert refusal(tmp_path / "pipe.mp4", in_process=False) == "unreadable"


def test_times_as_people_write_them() -> None:
    span = TimeSpan(7_250_000, 3_723_900_000, 8_000_000)
    assert span.text == "0:07-1:02:03" and span.fragment == "t=7.25"
    assert TimeSpan(10_000_000, 11_000_000, 10_000_000).fragment == "t=10"


def test_ogg_that_holds_sound_alone_is_no_video() -> None:
    assert video_container(b"OggS\0\2" + bytes(22) + b"\x01\x1e\x01vorbis" + bytes(400)) is None
    theora = b"OggS\0\2" + bytes(22) + b"\x01\x2a\x80theora" + bytes(400)
    assert video_container(theora) == "ogg"
