"""A model file that crashes or holds up the process that reads it first is not read here."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesearch.errors import WeightsError
from facesearch.model_files import first_reading
from facesearch.model_files.first_reading import require_survived

READ = "import sys; data = sys.stdin.buffer.read()\n"


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACESEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "read-before"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed by signal 11"),
        ("import os; os.abort()", "crashed by signal 6"),
        ("import time; time.sleep(1000)", "took more than 1 seconds"),
    ],
)
def test_what_ends_the_process_is_refused(
    notes: Path, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    if "sleep" in program:
        monkeypatch.setattr(first_reading, "_SECONDS", 1)
    for _ in range(2):  # each time
        with pytest.raises(WeightsError, match=f"evil.onnx cannot be used: .* {reason}"):
            require_survived(b"model", Path("evil.onnx"), READ + program)
    assert not notes.exists()


def test_an_error_is_left_to_the_caller_and_what_was_survived_is_not_tried_again(
    notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = tmp_path / "count"
    program = READ + f"open({str(count)!r}, 'ab').write(data); raise ValueError"
    for data in (b"a", b"a", b"b"):
        require_survived(data, Path("model.onnx"), program)
    assert count.read_bytes() == b"ab" and len([*notes.iterdir()]) == 2
    require_survived(b"a", Path("model.onnx"), program + " from None")
    assert count.read_bytes() == b"aba"
    monkeypatch.setenv("FACESEARCH_CACHE", "/proc/nothing")  # where nothing can be noted
    require_survived(b"a", Path("model.onnx"), program)


def test_memory_is_limited() -> None:
    program = (
        READ + "\ntry:\n    bytearray(8 << 30)\nexcept MemoryError:\n    import os; os.abort()"
    )
    with pytest.raises(WeightsError, match="signal 6"):
        require_survived(b"model", Path("huge.onnx"), program)
