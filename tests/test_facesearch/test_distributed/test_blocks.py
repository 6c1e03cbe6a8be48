"""Blocks of photos: every photo once, copies together, whatever the sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def test_photos_that_need_no_digest_come_before_any_is_computed() -> None:
    tasks = [photo(number, 7 if number % 2 else 100 + number) for number in range(20)]
    tasks += [photo(20 + number, 8) for number in range(10)]
    asked: list[int] = []

    def digests(given: Sequence[DecodeTask]) -> Iterator[str]:
        asked.append(given[0].found.size)
        return (task.found.name for task in given)

    blocks = cut_blocks(tasks, 5, digests)
    first = [next(blocks), next(blocks)]
    assert asked == []
    assert {task.found.size for block in first for task in block.tasks} == {*range(100, 120, 2)}
    assert {task.found.size for task in next(blocks).tasks} == {7}
    assert asked == [7]  # the other size has time until these are at work
    assert sum(len(block) for block in blocks) == 15
    assert asked == [7, 8]


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
