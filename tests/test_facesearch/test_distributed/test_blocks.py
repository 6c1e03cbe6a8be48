"""Blocks of photos: every photo once, copies together, whatever the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from facesearch.distributed.indexing.blocks import PhotoBlock, cut_blocks
from facesearch.images import DecodeTask, FoundPhoto

# Contents by number: of each the size of the file, 0 for an empty one, -1 for one not to be read.
FILES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from([-1, 0, 1, 2, 3])), max_size=40)


def photo(number: int, size: int) -> DecodeTask:
    error = "no" if size < 0 else ""
    return DecodeTask(FoundPhoto(Path("/p"), f"{number:03d}.png", max(size, 0), 0, error))


def content_of(files: Sequence[tuple[int, int]], task: DecodeTask) -> tuple[int, int]:
    return files[int(task.found.name[:3])]


@given(FILES, st.integers(1, 8), st.integers(1, 30))
def test_every_photo_is_in_one_block_and_copies_together(
    files: list[tuple[int, int]], photos: int, most_bytes: int
) -> None:
    tasks = [photo(number, size) for number, (_, size) in enumerate(files)]

    def digests(asked: Sequence[DecodeTask]) -> list[str]:
        return [f"{content_of(files, task)}" for task in asked]

    blocks = list(cut_blocks(tasks, photos, digests, most_bytes=most_bytes))
    assert sorted(t.found.name for block in blocks for t in block.tasks) == [
        task.found.name for task in tasks
    ]
    places: dict[tuple[int, int], set[int]] = {}
    for number, block in enumerate(blocks):
        assert len(block)
        names = [task.found.name for task in block.tasks]
        assert names == sorted(names)
        for task in block.tasks:
            if (content := content_of(files, task))[1] > 0:
                places.setdefault(content, set()).add(number)
    assert all(len(found) == 1 for found in places.values())


@given(st.integers(1, 12), st.integers(30, 60))
def test_photos_of_many_sizes_fill_blocks(photos: int, count: int) -> None:
    tasks = [photo(number, number + 1) for number in range(count)]
    blocks = list(cut_blocks(tasks, photos, lambda asked: [""] * len(asked)))
    assert [len(block) for block in blocks[:-1]] == [photos] * (len(blocks) - 1)


@given(st.lists(st.integers(1, 4), min_size=2, max_size=12))
def test_halves_part_sizes_if_there_are_several(sizes: list[int]) -> None:
    block = PhotoBlock(tuple(photo(number, size) for number, size in enumerate(sizes)))
    first, second = block.halves()
    assert len(first)
    assert len(second)
    assert {*first.tasks} | {*second.tasks} == {*block.tasks}
    if len({*sizes}) > 1:
        parts = [{task.found.size for task in half.tasks} for half in (first, second)]
        assert not parts[0] & parts[1]
