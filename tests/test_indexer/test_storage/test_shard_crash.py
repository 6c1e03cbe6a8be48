"""A writer killed at any moment leaves sealed shards whole, and nothing else in sight."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from indexer.storage.shards import (
    Shard,
    digest_path,
    list_shards,
    remove_partials,
    replace_shard,
    shard_path,
    write_shard,
)
from support.processes.fork_server import start
from support.shards import example, write_and_die, write_until_killed

# The calls that order a sealing on the disk: fsync of the shard; fsync and rename of its digest,
# fsync of the folder; link, unlink of the shard; fsync of the folder.
LINK, STEPS = 4, 7


def require_whole(folder: Path) -> list[Path]:
    """Every shard in sight verifies; after cleaning, nothing else is there."""
    shards = list_shards(folder)
    for path in shards:
        with Shard.open(path) as shard:
            assert shard.verify() == []
    remove_partials(folder)
    assert set(folder.iterdir()) == {*shards, *map(digest_path, shards)}
    return shards


def test_killed_at_random_moments(tmp_path: Path) -> None:
    chooser = random.Random(0)
    for attempt in range(12):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        process = start(write_until_killed, folder)
        # Some are killed at their first shard, others when they have sealed one or two.
        while not any(folder.iterdir()) or len(list_shards(folder)) < attempt % 3:
            assert process.is_alive()
            time.sleep(0.001)
        time.sleep(chooser.uniform(0, 0.1))
        process.kill()
        process.join()
        shards = require_whole(folder)
        assert shards == [shard_path(folder, number) for number in range(len(shards))]
        assert len(shards) >= attempt % 3


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_killed_at_each_step(tmp_path: Path, step: int) -> None:
    process = start(write_and_die, tmp_path, step)
    process.join()
    ended_by_itself = process.exitcode == 0
    assert ended_by_itself == (step >= STEPS)
    path = shard_path(tmp_path, 0)
    if path in require_whole(tmp_path):
        assert step > LINK
    else:
        assert step <= LINK
        write_shard(path, example())
        require_whole(tmp_path)


@pytest.mark.parametrize("crash", [None, "shard", "digest"])
def test_a_shard_is_replaced_whole(
    tmp_path: Path, crash: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shard_path(tmp_path, 0)
    before = write_shard(path, example(), "float32")
    replace = Path.replace

    def failing(source: Path, target: Path) -> Path:
        if target == {"shard": path, "digest": digest_path(path)}.get(crash or ""):
            raise InterruptedError(target)
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        new = example(0, count=200)
        if crash is None:
            after = replace_shard(path, new, "float32")
        else:
            with pytest.raises(InterruptedError):
                replace_shard(path, new, "float32")
    with Shard.open(path) as shard:
        assert shard.count == (300 if crash == "shard" else 200)
        assert shard.verify() == []
    require_whole(tmp_path)
    recorded = digest_path(path).read_text().split()[0]
    assert (recorded == before) == (crash == "shard")
    if crash is None:
        assert recorded == after
