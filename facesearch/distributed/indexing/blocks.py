"""Blocks of photos: what one worker embeds into one shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from facesearch.gallery.records import PhotoRecord
from facesearch.images import DecodeTask

# Of a block of ordinary photos; of larger ones there are fewer in a block.
BLOCK_BYTES = 2**31

Digests = Callable[[Sequence[DecodeTask]], Iterable[str]]


@dataclass(frozen=True)
class PhotoBlock:
    """Photos in the order of the job, and the records of those that the gallery knew before.

    Copies of one file are all in one block, so that whichever comes first has the faces, and the
    others are known; no two workers need to speak of it.
    """

    tasks: tuple[DecodeTask, ...]
    before: tuple[PhotoRecord, ...] = ()

    def __len__(self) -> int:
        return len(self.tasks)

    @property
    def photos(self) -> list[DecodeTask]:
        """The tasks that are no videos."""
        return [task for task in self.tasks if not task.found.video]

    @property
    def videos(self) -> list[DecodeTask]:
        """The tasks that are videos."""
        return [task for task in self.tasks if task.found.video]

    @property
    def bytes(self) -> int:
        """The size of the photos' files together."""
        return sum(task.found.size for task in self.tasks)

    def halves(self) -> tuple[PhotoBlock, PhotoBlock]:
        """Two blocks of a block of two or more; copies stay together unless all are equally large.

        Copies that are parted are both embedded, and the photo log shows the faces of one.
        """
        order = sorted(self.tasks, key=lambda task: task.found.size)
        middle = len(order) // 2
        sizes = [task.found.size for task in order]
        cuts = [at for at in range(1, len(order)) if sizes[at] != sizes[at - 1]]
        at = min(cuts, key=lambda cut: abs(cut - middle), default=middle)
        first = {id(task) for task in order[:at]}
        return (
            PhotoBlock(tuple(t for t in self.tasks if id(t) in first), self.before),
            PhotoBlock(tuple(t for t in self.tasks if id(t) not in first), self.before),
        )


def cut_blocks(
    tasks: Sequence[DecodeTask],
    photos: int,
    digests: Digests,
    before: Callable[[DecodeTask], PhotoRecord | None] = lambda task: None,
    most_bytes: int = BLOCK_BYTES,
) -> Iterator[PhotoBlock]:
    """``tasks`` in blocks of ``photos`` photos, by half more or fewer, and about ``most_bytes``.

    Files of one size may be copies, and stay together. Where more than ``photos`` have one size
    (as pictures without compression do), ``digests`` tells by their SHA-256 which are ("" of a file
    that cannot be read); that takes long, so those come last, one size after the other, and workers
    have the other photos meanwhile. ``before`` gives the record of a photo, if it had one.
    """
    block: list[int] = []
    size = 0

    def made() -> PhotoBlock:
        picked = [tasks[number] for number in sorted(block)]
        records = (before(task) for task in picked)
        return PhotoBlock(tuple(picked), tuple(each for each in records if each is not None))

    for numbers in _groups(tasks, photos, digests):
        more = sum(tasks[number].found.size for number in numbers)
        full = len(block) + len(numbers) > photos and 2 * len(block) >= photos
        if block and (full or size + more > most_bytes):
            yield made()
            block, size = [], 0
        block += numbers
        size += more
        if len(block) >= photos:  # at once: the next photos may need digests
            yield made()
            block, size = [], 0
    if block:
        yield made()


def _groups(tasks: Sequence[DecodeTask], photos: int, digests: Digests) -> Iterator[list[int]]:
    """Numbers of the tasks that may be copies of one another, each task once."""
    by_size: dict[object, list[int]] = {}
    for number, task in enumerate(tasks):
        alone = not task.found.size or bool(task.found.error)
        by_size.setdefault(("alone", number) if alone else task.found.size, []).append(number)
    yield from (numbers for numbers in by_size.values() if len(numbers) <= photos)
    for many in (numbers for numbers in by_size.values() if len(numbers) > photos):
        found = digests([tasks[number] for number in many])
        by_digest: dict[object, list[int]] = {}
        for number, digest in zip(many, found, strict=True):
            by_digest.setdefault(digest or ("unreadable", number), []).append(number)
        yield from by_digest.values()
