"""What a gallery holds after a history of commands, in plain values, and what must hold of it.

Each photo shows one person, and no two have the same content: so the number of a photo's content, a
*variant*, says which face is in it and what vector that has.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.check import check_gallery
from facesearch.clustering.current_people import gallery_people
from facesearch.clustering.run_store import read_run, run_paths
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.state_cache import FILE as STATE_FILE
from facesearch.people.ledger import Decision
from facesearch.people.projection import replay
from facesearch.people.store import PeopleStore
from facesearch.search.knn_graph import open_graph
from indexer.errors import StaleIndexError
from support.fake_engine import person_vector, write_photo
from support.search import search_gallery

_CLOSE = 1e-4  # squared distances of float32


@dataclass
class GalleryModel:
    """``photos`` says which variant lies in each file below ``folder``.

    ``live`` are the variants whose faces are in the gallery, None while a job that crashed is to be
    done again. Of what was forgotten, ``forgotten`` are the variants and ``dead`` the ids of faces,
    which nobody gets again, not even a photo that comes back. ``decisions`` is the ledger as it was
    last, ``numbers`` how many people had been given one; ``erased`` says that decisions may have
    lost faces and names since then.
    """

    folder: Path
    photos: dict[str, int] = field(default_factory=dict)
    live: set[int] | None = field(default_factory=set)
    vectors: dict[int, bytes] = field(default_factory=dict)
    contents: dict[str, int] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    dead: set[int] = field(default_factory=set)
    decisions: Sequence[Decision] = ()
    numbers: int = 0
    erased: bool = False

    # Photos

    def write(self, name: str, person: int) -> None:
        """A new photo, or another in the place of one."""
        variant = len(self.vectors) + 1
        content = write_photo(self.folder / name, [person], variant).read_bytes()
        self.contents[hashlib.sha256(content).hexdigest()] = variant
        self.vectors[variant] = person_vector(person, variant).astype("<f2").tobytes()
        self.photos[name] = variant

    def remove(self, name: str) -> None:
        """A photo that vanishes, if it is there."""
        if self.photos.pop(name, None) is not None:
            (self.folder / name).unlink()

    def move(self, name: str, other: str) -> None:
        """A photo that gets another name, unless that is taken."""
        if name in self.photos and other not in self.photos:
            (self.folder / name).rename(self.folder / other)
            self.photos[other] = self.photos.pop(name)

    # Commands that were done

    def indexed(self) -> None:
        """All photos are in the gallery, and no others, but for those forgotten."""
        self.live = {*self.photos.values()} - self.forgotten

    def variants_of(self, gallery: Gallery, ids: NDArray[np.int64]) -> list[int]:
        """The variant of each face of ``ids`` (n,), known by its vector."""
        known = {vector: variant for variant, vector in self.vectors.items()}
        return [known[vector.tobytes()] for vector in gallery.vectors(ids).astype("<f2")]

    def forgot(self, faces: Iterable[int], variants: Iterable[int]) -> None:
        """These faces were forgotten, of these photos."""
        self.dead |= {*faces}
        self.forgotten |= {*variants}
        self.erased = True
        if self.live is not None:
            self.live -= self.forgotten

    def lifted(self, faces: Iterable[int], variants: Iterable[int]) -> None:
        """Photos may come back as if they had never been seen; ``faces`` of them are gone."""
        self.forgot(faces, variants)
        self.forgotten -= {*variants}

    # What always holds

    def require_kept(self, gallery: Gallery) -> list[int]:
        """What can be seen without reading all that a gallery holds; returns its live faces."""
        state = gallery.state()
        ids = state.live_ids()
        found = self.variants_of(gallery, ids)
        assert not self.dead & {*ids.tolist()}
        assert not self.forgotten & {*found}
        if self.live is not None:
            assert sorted(found) == sorted(self.live)
        self.require_erased(gallery.folder)
        self.require_decisions(gallery, state)
        live: list[int] = ids.tolist()
        return live

    def require_whole(self, gallery: Gallery) -> None:
        """What takes longer: every file is whole, and what is derived follows from the rest."""
        findings = check_gallery(gallery)
        assert [each for each in findings if each.severe or each.subject == STATE_FILE] == []
        state = gallery.state()
        require_same_state(gallery, state)
        require_exact_answers(gallery, state)
        for path in run_paths(gallery):
            assert not self.dead & {*read_run(path).clustering.ids.tolist()}

    def require_erased(self, folder: Path) -> None:
        """No vector of a forgotten face is in a byte of a file."""
        lost = [self.vectors[variant] for variant in self.forgotten]
        for below, _, names in os.walk(folder):
            for name in names if lost else ():
                content = Path(below, name).read_bytes()
                assert not any(vector in content for vector in lost), name

    def require_decisions(self, gallery: Gallery, state: GalleryState) -> None:
        """No decision is lost, and those in force are followed; numbers are given out once."""
        store = PeopleStore(gallery.folder)
        now, numbers = store.decisions(), store.numbers_given()
        kept = now[: len(self.decisions)]
        if self.erased:
            assert [_lessened(*pair) for pair in zip(self.decisions, kept, strict=True)] == kept
        else:
            assert kept == list(self.decisions)
        assert numbers >= self.numbers
        self.decisions, self.numbers, self.erased = now, numbers, False
        decided = replay(now)
        assert not self.dead & {*decided.faces}
        live = {*state.live_ids().tolist()}
        followed = {face: number for face, number in decided.faces.items() if face in live}
        people = gallery_people(gallery, state, decided).people_of(list(followed))
        assert people == list(followed.values())


def _lessened(before: Decision, after: Decision) -> Decision:
    """``before`` with no more faces and names than ``after`` has."""
    faces = tuple(face for face in before.faces if face in {*after.faces})
    return replace(before, faces=faces, name=None if after.name is None else before.name)


def require_same_state(gallery: Gallery, state: GalleryState) -> None:
    """The ``state`` that is kept is that which the shards come to."""
    folded = gallery.state(ignore_cache=True)
    assert state.digest() == folded.digest()
    assert state.log.equals(folded.log)


def require_exact_answers(gallery: Gallery, state: GalleryState) -> None:
    """Searches, and the graph where it is current, are what all distances say."""
    ids = state.live_ids()
    if not len(ids):
        return
    vectors = gallery.vectors(ids)
    distances = ((vectors[:, None] - vectors[None]) ** 2).sum(2)
    found = search_gallery(gallery, state, vectors, len(ids))
    assert {*map(tuple, np.sort(found.ids, axis=1).tolist())} == {tuple(ids.tolist())}
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1), atol=_CLOSE)
    with suppress(StaleIndexError), open_graph(gallery, state) as graph:
        np.fill_diagonal(distances, np.inf)
        nearest = np.sort(distances, axis=1)[:, : graph.k]
        for rows in graph.blocks():
            there = rows.distances[:, : nearest.shape[1]]
            np.testing.assert_allclose(there, nearest[rows.first :][: len(there)], atol=_CLOSE)
