"""Files joined byte by byte are read to their end, and resumed and sought in by the same times."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import ClipFormat, write_clip
from facesearch.video.reader import open_video, read_stills
from facesearch.video.timeline import Timeline
from facesearch.video.types import VideoEnd, VideoFrame
from support.videos.colour_engine import actor, grey_shot

KINDS = [("clip.mts", "libx264"), ("clip.mpg", "mpeg2video"), ("clip.ogv", "libvpx")]
QUICK = {"libvpx": (("deadline", "realtime"), ("cpu-used", "8"), ("threads", "1"))}
FRAME = 40  # ticks of a millisecond


@dataclass
class Stamps:
    """What a packet has of times."""

    dts: int | None
    pts: int | None


def coded(start: int, gaps: list[int], depth: int, has_dts: bool) -> list[Stamps]:
    """Packets of a coder that sends each frame before the ``depth`` frames shown before it."""
    clock = start + np.cumsum(np.add(FRAME, [*gaps, *([0] * depth)]))
    packets = []
    for first in range(0, len(gaps), depth + 1):
        *others, last = range(first, min(len(gaps), first + depth + 1))
        for shown in (last, *others):
            dts = int(clock[len(packets)]) if has_dts else None
            packets.append(Stamps(dts, int(clock[shown + depth])))
    return packets


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    begins=st.sampled_from([-(10**6), 0, 3, 10**9]),
    depth=st.sampled_from([None, 0, 1, 2, 4]),
)
def test_times_go_on_where_they_start_again(
    count: int, seed: int, begins: int, depth: int | None
) -> None:
    # Ogg says only when frames are shown, and its codecs reorder none.
    has_dts, depth = depth is not None, depth or 0
    rng = np.random.default_rng(seed)
    timeline = Timeline(Fraction(1, 1000), Fraction(1000, FRAME))
    shown: list[list[int]] = []
    for _ in range(count):
        gaps = rng.integers(0, 100, rng.integers(60, 80)).tolist()
        packets = coded(begins + int(rng.integers(0, 500)), gaps, depth, has_dts)
        before = [each.pts for each in packets]
        for each in packets:
            timeline.place(each)
            assert has_dts == (each.dts is not None)
        after = [each.pts for each in packets]
        moved = {(two or 0) - (one or 0) for one, two in zip(before, after, strict=True)}
        assert len(moved) == 1 and (shown or moved == {0})  # within a file all move alike
        shown.append(sorted(each for each in after if each is not None))
    assert len(timeline.joins) == count - 1
    for one, join, two in zip(shown, timeline.joins, shown[1:], strict=False):
        assert one[-1] < join <= two[0]
        assert two[0] - one[-1] <= FRAME + depth * (FRAME + 100)


def test_packets_without_times_stay_without() -> None:
    timeline = Timeline(None, None)
    packet = Stamps(None, None)
    timeline.place(packet)
    assert (packet.dts, packet.pts, timeline.joins) == (None, None, [])


def joined(path: Path, codec: str, *parts: tuple[float, int, tuple[int, int]]) -> Path:
    """One file of clips of so many seconds, grey level and size, written one after the other."""
    data = b""
    for seconds, level, size in parts:
        walker = actor("red", (0.2, 0.3), (0.8, 0.3), sides=(size[1] / 3, size[1] / 3))
        shot = grey_shot(seconds, walker, level=level, size=size)
        write_clip(path, [shot], ClipFormat(codec=codec, options=QUICK.get(codec, ())))
        data += path.read_bytes()
    path.write_bytes(data)
    return path


def frames_and_end(
    path: Path, mode: Any = "tracks", **options: int
) -> tuple[list[VideoFrame], VideoEnd]:
    with open_video(path, in_process=False) as video:
        *found, end = video.frames(mode, 320, **options)
    assert isinstance(end, VideoEnd)
    return [each for each in found if isinstance(each, VideoFrame)], end


SIZE = (320, 180)


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_all_of_joined_files_is_read(tmp_path: Path, name: str, codec: str) -> None:
    # So alike that only the join says that there is a cut.
    path = joined(tmp_path / name, codec, (4, 60, SIZE), (3, 61, SIZE), (2, 62, SIZE))
    found, end = frames_and_end(path)
    assert end.frames == 9 * 25
    times = [each.time_us for each in found]
    assert 45 <= len(times) <= 47 and times[-1] > 8_700_000
    assert all(100_000 <= two - one <= 320_000 for one, two in pairwise(times))
    assert [round(each.time_us / 1e6) for each in found if each.cut] == [4, 7]
    keys, _ = frames_and_end(path, "keyframes")
    assert [round(each.time_us / 1e6) for each in keys] == [0, 2, 4, 6, 7]
    assert [each.cut for each in keys] == [False, False, True, False, True]


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_joined_files_are_resumed_and_sought_in_by_the_same_times(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = joined(tmp_path / name, codec, (4, 60, SIZE), (3, 190, SIZE))
    found, _ = frames_and_end(path)
    for at in (0, 4, 19, 20, 21, 30, len(found) - 2):
        after = found[at].time_us
        again, _ = frames_and_end(path, after_us=after)
        assert [each.time_us for each in again] == [each.time_us for each in found[at + 1 :]]
        for one, two in zip(again, found[at + 1 :], strict=True):
            assert one.cut == two.cut and np.array_equal(one.pixels, two.pixels)
    wanted = [each.time_us for each in found[1::7]]
    stills = dict(read_stills(path, wanted, 320))
    for each in found[1::7]:
        still = stills[each.time_us]
        assert still is not None and np.array_equal(still.pixels, each.pixels)


def test_a_clock_that_starts_again_by_hours_is_no_counter_that_ran_over(tmp_path: Path) -> None:
    data = b""
    for number, clock in enumerate((7200, 0)):
        path = tmp_path / f"{number}.mts"
        write_grey(path, 50, clock)
        data += path.read_bytes()
    (tmp_path / "both.mts").write_bytes(data)
    found, end = frames_and_end(tmp_path / "both.mts")
    assert (end.frames, end.reason) == (100, "")
    assert 3_800_000 <= found[-1].time_us <= 4_100_000


def write_grey(path: Path, frames: int, clock: int) -> None:
    """Grey frames, 25 a second, whose times begin at ``clock`` seconds."""
    import av

    with av.open(str(path), "w", format="mpegts", options={"mpegts_copyts": "1"}) as container:
        stream: Any = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            pixels = np.full((48, 64, 3), 50 + number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = clock * 25 + number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path: Path) -> None:
    path = joined(tmp_path / "clip.mts", "mpeg2video", (2, 60, SIZE), (2, 200, (160, 160)))
    found, end = frames_and_end(path)
    assert end.frames >= 99 and end.reason == ""  # the decoder may drop one that waits there
    assert {each.pixels.shape for each in found} == {(180, 320, 3)}
    late = [each.pixels for each in found if each.time_us > 2_200_000]
    assert len(late) >= 8
    for pixels in late:
        # 160 x 160 pixels, shown as 180 x 180 in the middle, between black borders.
        light = np.median(pixels, axis=(0, 2))
        assert (light[:68] < 30).all() and (light[252:] < 30).all()
        assert (light[73:247] > 150).all()


def test_frames_whose_times_go_back_a_little_are_counted(tmp_path: Path) -> None:
    path = joined(tmp_path / "clip.mts", "mpeg2video", (0.8, 60, SIZE), (2, 61, SIZE))
    found, end = frames_and_end(path)
    assert end.reason == "corrupt" and "whose times go back were left out" in end.detail
    assert 15 <= int(end.detail.split()[0]) <= 20 and found[-1].time_us > 1_500_000
