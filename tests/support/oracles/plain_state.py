"""The state of a gallery, row by row: slow, and obviously right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.tombstones import Tombstones
from indexer.storage.shards import Shard


@dataclass
class PlainState:
    """As :class:`facesearch.gallery.state.GalleryState`, in sets and dictionaries."""

    photos: dict[bytes, PhotoRecord] = field(default_factory=dict)
    contents: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    shown: dict[int, PhotoRecord] = field(default_factory=dict)
    live: set[int] = field(default_factory=set)
    faceless: set[int] = field(default_factory=set)

    def holds(self, record: PhotoRecord) -> bool:
        return record.has_content and record.sha256 in self.contents


def plain_state(gallery: Gallery) -> PlainState:
    """The fold of all photo tables, one record after the other."""
    state = PlainState()
    owners: dict[int, int] = {}  # face -> photo
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            for record in photo_records(shard):
                state.photos[record.location_bytes] = record
                if record.status == "ok":
                    state.contents.setdefault(record.sha256, record.photo_id)
                    state.sizes.setdefault(record.sha256, record.size)
            for row, photo in enumerate(shard.column("faces", "photo").tolist()):
                if photo >= 0:
                    owners[shard.number << 32 | row] = shard.number << 32 | photo
    for face in Tombstones.read(gallery.folder).ids.tolist():
        owners.pop(face, None)
    for record in sorted(state.photos.values(), key=lambda each: each.photo_id):
        if state.holds(record):
            state.shown[state.contents[record.sha256]] = record
    state.live = {face for face, photo in owners.items() if photo in state.shown}
    state.faceless = state.shown.keys() - owners.values()
    return state


def photo_records(shard: Shard) -> Iterator[PhotoRecord]:
    """The rows of a shard's photo table, in order."""
    table = shard.table("photos")
    texts = ("sha256", "taken_at", "status", "reason", "detail")
    for row in range(len(table["size"])):
        values = {name: column[row] for name, column in table.items()}
        values |= {name: values[name].decode() for name in texts}
        numbers = ("size", "mtime_ns", "width", "height", "ctime_ns", "inode")
        values |= {name: int(values[name]) for name in numbers}
        yield PhotoRecord(photo_id=shard.number << 32 | row, **values)


def require_equal_states(gallery: Gallery) -> None:
    """The state that the gallery tells is the plain one."""
    state, plain = gallery.state(), plain_state(gallery)
    assert dict(state.photos) == plain.photos and len(state.photos) == len(plain.photos)
    assert dict(state.contents) == plain.contents and len(state.contents) == len(plain.contents)
    assert dict(state.shown) == plain.shown and len(state.shown) == len(plain.shown)
    assert state.live_ids().tolist() == sorted(plain.live)
    assert state.face_count == len(plain.live)
    by_number = {
        number: np.array([face & 0xFFFFFFFF for face in sorted(plain.live) if face >> 32 == number])
        for number in (int(path.stem) for path in gallery.shard_paths())
    }
    assert {key: rows.tolist() for key, rows in state.live.items()} == {
        key: rows.tolist() for key, rows in by_number.items()
    }
    records = plain.photos.values()
    for status in ("ok", "known", "failed", "gone"):
        having = [each for each in records if each.status == status]
        assert state.count(status) == len(having)
        assert state.having(status) == sorted(having, key=lambda each: each.location_bytes)
    assert [state.holds(each) for each in records] == [plain.holds(each) for each in records]
    assert state.lost_count == sum(each.has_content and not plain.holds(each) for each in records)
    assert state.faceless_count == sum(
        plain.holds(each) and plain.contents[each.sha256] in plain.faceless for each in records
    )
    by_size: dict[int, set[str]] = {}
    for content, size in plain.sizes.items():
        by_size.setdefault(size, set()).add(content)
    assert state.contents.of_sizes(set(plain.sizes.values())) == by_size
