"""A gallery that changes all the while it is searched: the writer, and the readers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.embed import EmbedOptions, embed_photos
from facesearch.erasure.forget import Selection, forget
from facesearch.errors import ChangedGalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import build_index
from indexer.exact.brute_force import exact_search
from indexer.types import Neighbours
from support.fake_engine import FakeEngine, person_vector, write_photo
from support.search import search_gallery

ENGINE: Any = FakeEngine()
QUERIES = np.stack([person_vector(person) for person in (1, 2, 6)])
K = 5
SECONDS = 240.0


def answer(found: Neighbours) -> str:
    """An answer as text."""
    return f"{found.ids.tolist()} {found.distances.tolist()}"


def change_and_rebuild(folder: Path, rounds: int, begun: Barrier, done: Event) -> None:
    """Photos come, go and are forgotten; after each change, the index is rebuilt.

    It begins once all readers have an answer.

    Writes what exact search says of each state that there was.
    """
    gallery = Gallery.open(folder)
    try:
        begun.wait(SECONDS)
        for number in range(rounds):
            for _ in _changes(gallery, number):
                state = gallery.state()
                with (folder.parent / "states").open("a") as file:
                    found = exact_search(gallery.blocks(state), QUERIES, K)
                    file.write(answer(found) + "\n")
                build_index(gallery)
    finally:
        done.set()


def _changes(gallery: Gallery, number: int) -> Iterator[None]:
    photos = gallery.folder.parent / "photos"
    write_photo(photos / f"new-{number:03d}.png", [1 + number % 3, 6], variant=1000 + number)
    _index(gallery, photos)
    yield
    if number >= 2:
        (photos / f"new-{number - 2:03d}.png").unlink()
        _index(gallery, photos)
        yield
    if number % 3 == 2:
        ids = gallery.state().live_ids()
        # Of several shards, so that readers meet some of them before and some after.
        forget(gallery, Selection(ids=(int(ids[0]), int(ids[-1]), int(ids[-3]))))
        yield


def _index(gallery: Gallery, photos: Path) -> None:
    embed_photos(gallery, ENGINE, [photos], EmbedOptions(decoders=0, threads=1))


def search_until_done(folder: Path, number: int, begun: Barrier, done: Event) -> None:
    """Search again and again, the last time after all changes.

    Writes every answer, and why the index was not used, if so.
    """
    logging.basicConfig(filename=folder.parent / f"warnings-{number}")
    gallery = Gallery.open(folder)
    with (folder.parent / f"answers-{number}").open("w") as file:
        has_begun = is_last = False
        while not is_last:
            is_last = done.is_set()
            try:
                found = search_gallery(gallery, gallery.state(), QUERIES, K)
            except ChangedGalleryError:
                continue
            file.write(answer(found) + "\n")
            if not has_begun:
                begun.wait(SECONDS)
                has_begun = True
