"""Memory does not grow with the length of a video."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.peak_memory import VideoMemory, reading_memory, write_long_clip

SIZE, FRAMES_A_SECOND = (64, 64), 1
# All frames of the two hours are 7,200. Kept as pixels they would take 84 MiB, and as the decoder
# has them 42 MiB.
MOST_GROWTH_MIB = 20.0

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="greatest memory is read from /proc, of Linux"
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Videos by their length in minutes."""
    folder = tmp_path_factory.mktemp("long")
    found = {minutes: folder / f"{minutes}.mp4" for minutes in (5, 120)}
    for minutes, path in found.items():
        write_long_clip(path, minutes, FRAMES_A_SECOND, SIZE)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("decoders", [0, 1], ids=["one process", "two processes"])
def test_two_hours_take_the_memory_of_five_minutes(clips: dict[int, Path], decoders: int) -> None:
    short, long = (reading_memory(clips[minutes], decoders) for minutes in (5, 120))
    assert (short.frames, long.frames) == (5 * 60, 120 * 60)
    # A shot a minute, and one face in each.
    assert (short.tracks, long.tracks) == (5, 120)
    assert grown(short, long, "peak_mib") < MOST_GROWTH_MIB
    assert grown(short, long, "decoder_mib") < MOST_GROWTH_MIB
    assert (long.decoder_mib > 0) == (decoders > 0)


def grown(short: VideoMemory, long: VideoMemory, name: str) -> float:
    difference: float = getattr(long, name) - getattr(short, name)
    return difference
