"""Ctrl-C while a file is written: HDF5 never sees it, and nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.storage.atomic_files import CheckedFile
from indexer.storage.hdf5_writer import interrupted_between_calls, replacing_hdf5, write_array
from support.vectors import unit_vectors

VECTORS = unit_vectors(50, 8, 0)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Also where the tests were started in the background, which ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name", ["write", "readinto", "seek", "truncate"])
def test_within_a_call_of_hdf5_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    calls = 0
    called = getattr(CheckedFile, name)

    def interrupted(self: CheckedFile, *args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            signal.raise_signal(signal.SIGINT)
        return called(self, *args)

    monkeypatch.setattr(CheckedFile, name, interrupted)
    path = tmp_path / "a.h5"
    if name == "truncate":
        calls = 1  # HDF5 asks for it once
    with pytest.raises(KeyboardInterrupt), replacing_hdf5(path, "test", 1) as file:
        write_array(file, "vectors", VECTORS)
    assert calls >= 2 and path.exists(), "it was written whole, and then came the interrupt"
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_between_calls_it_comes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(KeyboardInterrupt), replacing_hdf5(path, "test", 1) as file:
        write_array(file, "vectors", VECTORS)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it came late")
    assert list(tmp_path.iterdir()) == []


def test_who_ignores_it_goes_on_to() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupted_between_calls():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.slow
def test_interrupted_at_any_moment_no_process_crashes(tmp_path: Path) -> None:
    """A timer interrupts at moments a tenth of a millisecond apart."""
    script = f"""
        import signal, sys
        import numpy as np
        from pathlib import Path
        from indexer.storage.shard_writer import ShardContent, write_shard
        from indexer.storage.shard_reader import Shard
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        folder, vectors = Path({str(tmp_path)!r}), np.eye(500, 512, dtype=np.float32)
        for number in range(300):
            path = folder / f"{{number:08d}}.h5"
            content = ShardContent(number, vectors, {{"faces": {{"a": np.arange(500)}}}}, {{}})
            signal.setitimer(signal.ITIMER_REAL, 1e-4 * (number % 150 + 1))
            try:
                write_shard(path, content)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                pass
            if path.exists():
                with Shard.open(path) as shard:
                    assert np.array_equal(shard.vectors(), vectors)
        print("done")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
