"""Which faces are meant by who asks to forget photos, faces or people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.clustering.current_people import gallery_people
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.photo_table import PhotoTable
from facesearch.images import sha256_of
from facesearch.images.file_access import absolute
from facesearch.people.store import PeopleStore, normalise_name
from facesearch.text import composed
from indexer.storage.shards import Shard, shard_path
from indexer.types import Ids, make_ids, split_ids


@dataclass(frozen=True)
class Selection:
    """The faces to forget: all of ``photos``, those of ``ids``, and those of people: of ``people``
    by name, and by ``numbers``."""

    photos: tuple[Path, ...] = ()
    ids: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class SelectedFaces:
    """What a selection comes to: ``ids`` int64 (n,), ascending.

    Of the people among it, ``decided`` faces were decided to be theirs and ``clustered`` ones were
    only given to them by the last clustering. ``names`` are those by which people were selected;
    ``numbers`` are those of people who were selected by number, with who was merged into them.
    """

    ids: Ids
    decided: int = 0
    clustered: int = 0
    names: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


def select_faces(gallery: Gallery, state: GalleryState, selection: Selection) -> SelectedFaces:
    """The faces of ``selection``, of photos that are there or not.

    Somebody's faces are those decided to be theirs and those the last clustering gave them. Raises
    InputError for a photo, face or name that the gallery does not have.
    """
    ids = {*selection.ids}
    _require_faces(gallery, sorted(ids))
    decided, clustered = set[int](), set[int]()
    names = tuple(dict.fromkeys(normalise_name(name) for name in selection.people))
    if names:
        given = gallery_people(gallery, state).names_by_id()
        known = PeopleStore(gallery.folder).memberships().by_id()
        for name in names:
            of_name = {face for face, each in known.items() if each == name}
            decided |= of_name
            clustered |= {face for face, each in given.items() if each == name} - of_name
            _require_known(gallery, name, bool(of_name), known)
    numbers = set[int]()
    if selection.numbers:
        holds = PeopleStore(gallery.folder).decided()
        people = {holds.number(number) for number in selection.numbers}
        numbers = people | {number for number, now in holds.merged.items() if now in people}
        decided |= {face for face, number in holds.faces.items() if number in people}
        now = gallery_people(gallery, state, holds)
        clustered |= {face for number in people for face in now.faces(number).tolist()} - decided
    for photo in selection.photos:
        for content in photo_contents(gallery, state, photo):
            ids |= set(gallery.faces_of_photo(state.contents[content]).tolist())
    chosen = np.array(sorted(ids | decided | clustered), np.int64)
    return SelectedFaces(chosen, len(decided), len(clustered), names, tuple(sorted(numbers)))


def _require_known(gallery: Gallery, name: str, has_faces: bool, known: dict[int, str]) -> None:
    if has_faces or PeopleStore(gallery.folder).was_named(name):
        return
    some = ", ".join(sorted(set(known.values()))[:10]) or "none"
    raise InputError(f"no person in this gallery is named {name!r}; named people: {some}")


def _require_faces(gallery: Gallery, ids: list[int]) -> None:
    if not ids:
        return
    counts = {}
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            counts[shard.number] = shard.count
    for each in ids:
        # In Python's numbers, which may be larger than any face id.
        if not 0 <= each & 0xFFFFFFFF < counts.get(each >> 32, 0):
            raise InputError(
                f"the gallery {gallery.folder} has no face {each}; "
                "facesearch search --json shows the ids of faces"
            )


def photo_contents(gallery: Gallery, state: GalleryState, photo: Path) -> set[str]:
    """The SHA-256 of a photo, and of what was at its place earlier and is nowhere now."""
    places = {composed(str(absolute(each))) for each in (photo, photo.resolve())}
    found = set()
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            table = PhotoTable.read(shard)
        for row, location in enumerate(table.locations()):
            if composed(os.fsdecode(location)) in places and state.holds(
                record := table.record(row)
            ):
                elsewhere = state.shown.get(state.contents[record.sha256])
                if elsewhere is None or record.sha256 == state.photos[location].sha256:
                    found.add(record.sha256)
    if not found and photo.is_file() and (content := sha256_of(photo)) in state.contents:
        found.add(content)
    if not found:
        raise InputError(f"the gallery {gallery.folder} has no photo {photo}; name one that it has")
    return found


def by_shard(ids: Ids) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows of ascending ``ids``, shard by shard."""
    numbers, rows = split_ids(ids)
    for number in np.unique(numbers).tolist():
        yield number, rows[numbers == number]


def unfinished(gallery: Gallery, ids: Ids) -> Ids:
    """Those of the forgotten ``ids``, ascending, whose shards still hold them."""
    held = [np.zeros(0, np.int64)]
    for number, rows in by_shard(ids):
        path = shard_path(gallery.shards_folder, number)
        if path.exists():
            with Shard.open(path) as shard:
                photos = shard.column("faces", "photo")
                there = rows[rows < len(photos)]
                held.append(make_ids(number, there[photos[there] >= 0]))
    return np.concatenate(held)
