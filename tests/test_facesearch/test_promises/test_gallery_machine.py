"""A gallery through any history of commands and crashes, against a plain model of it.

``make fuzz`` runs it on random histories; a few fixed ones are in the ordinary tests.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from facesearch.backup.archive import export_gallery, import_gallery
from facesearch.check import check_gallery
from facesearch.curation.editor import PeopleEditor
from facesearch.encryption.convert import decrypt_gallery, encrypt_gallery
from facesearch.encryption.keys import Secret
from facesearch.encryption.sealed_files import is_sealed
from facesearch.erasure.forget import Selection, forget
from facesearch.erasure.name_search import names_found
from facesearch.errors import FacesearchError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import build_index
from facesearch.search.knn_graph import refresh_graph
from indexer.errors import IndexerError
from indexer.storage import atomic_files
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import cluster, index
from support.search import search_gallery

NAMES = ("Ada", "Ada Lovelace", "Cid")  # one is within another
PEOPLE = st.integers(1, 4)
PHOTOS = st.integers(0, 5)
KEY = Secret("key-file", bytes(range(32)))


class _CrashError(BaseException):
    """As if the process had been killed."""


class GalleryMachine(RuleBasedStateMachine):
    """The model: which photos lie where, which faces were forgotten, who was named."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "photos").mkdir()
        self.gallery = Gallery.create(self.folder / "my.gallery", FakeEngine().contract)
        self.photos: dict[str, int] = {}
        self.indexed: dict[str, int] = {}
        self.forgotten: dict[int, bytes] = {}
        self.variants = 0
        self.crash_at = -1

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # Photos

    @rule(number=PHOTOS, person=PEOPLE)
    def photo_comes_or_changes(self, number: int, person: int) -> None:
        self.variants += 1
        write_photo(self.folder / "photos" / f"{number}.png", [person], self.variants)
        self.photos[f"{number}.png"] = self.variants

    @rule(number=PHOTOS)
    def photo_vanishes(self, number: int) -> None:
        name = f"{number}.png"
        (self.folder / "photos" / name).unlink(missing_ok=True)
        self.photos.pop(name, None)

    @rule(one=PHOTOS, other=PHOTOS)
    def photo_moves(self, one: int, other: int) -> None:
        names = [f"{one}.png", f"{other}.png"]
        if names[0] in self.photos and names[1] not in self.photos:
            places = [self.folder / "photos" / name for name in names]
            places[0].rename(places[1])
            self.photos[names[1]] = self.photos.pop(names[0])

    # Commands

    @rule(crash=st.one_of(st.none(), st.integers(0, 12)))
    def index(self, crash: int | None) -> None:
        if self._run(crash, lambda: index(self.gallery, self.folder / "photos")):
            self.indexed = dict(self.photos)

    @rule(crash=st.one_of(st.none(), st.integers(0, 8)))
    def cluster(self, crash: int | None) -> None:
        self._run(crash, lambda: cluster(self.gallery))

    @rule(crash=st.one_of(st.none(), st.integers(0, 8)))
    def build(self, crash: int | None) -> None:
        self._run(crash, lambda: build_index(self.gallery))

    @rule(crash=st.one_of(st.none(), st.integers(0, 4)))
    def graph(self, crash: int | None) -> None:
        self._run(crash, lambda: refresh_graph(self.gallery, 2))

    @precondition(lambda self: self.gallery.state().face_count)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def name(self, data: st.DataObject, name: str) -> None:
        editor = PeopleEditor(self.gallery)
        people = [each for each in editor.now.people if each.id > 0]
        if people:
            with contextlib.suppress(InputError):
                editor.name(data.draw(st.sampled_from(people)), name)

    @precondition(lambda self: self.gallery.state().face_count)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def enroll(self, data: st.DataObject, name: str) -> None:
        ids = self.gallery.state().live_ids().tolist()
        face = data.draw(st.sampled_from(ids))
        PeopleStore(self.gallery.folder).enroll(name, [face])
        assert PeopleStore(self.gallery.folder).memberships().by_id()[face] == name

    @rule()
    def undo(self) -> None:
        with contextlib.suppress(InputError):
            PeopleStore(self.gallery.folder).undo()

    @precondition(lambda self: self.gallery.state().face_count)
    @rule(data=st.data(), crash=st.one_of(st.none(), st.integers(0, 20)))
    def forget_face(self, data: st.DataObject, crash: int | None) -> None:
        ids = self.gallery.state().live_ids()
        face = data.draw(st.sampled_from(ids.tolist()))
        vector = self.gallery.vectors(ids[ids == face])[0].astype("<f2").tobytes()
        done = self._run(crash, lambda: forget(self.gallery, Selection(ids=(face,))))
        if done or face not in self.gallery.state().live_ids():
            self.forgotten[face] = vector
        forget(self.gallery)  # finishes what a crash left

    @rule(name=st.sampled_from(NAMES))
    def forget_person(self, name: str) -> None:
        ids = self.gallery.state().live_ids()
        vectors = self.gallery.vectors(ids).astype("<f2")
        try:
            report = forget(self.gallery, Selection(people=(name,)))
        except InputError:
            return
        assert report.found == []
        left = {*self.gallery.state().live_ids().tolist()}
        for face, vector in zip(ids.tolist(), vectors, strict=True):
            if face not in left:
                self.forgotten[face] = vector.tobytes()
        assert names_found(self.gallery.folder, [name]) == []

    @rule()
    def moves_in_an_archive(self) -> None:
        folder, archive = self.gallery.folder, self.folder / "moved.zip"
        export_gallery(self.gallery, archive)
        shutil.rmtree(folder)
        assert import_gallery(archive, folder).problems == ()
        archive.unlink()
        self.gallery = Gallery.open(folder)

    @rule(crash=st.one_of(st.none(), st.integers(0, 120)))
    def is_encrypted_and_decrypted(self, crash: int | None) -> None:
        folder = self.gallery.folder

        def work() -> None:
            encrypt_gallery(folder, KEY)
            decrypt_gallery(folder, KEY)

        with contextlib.suppress(_CrashError), _crashing(-1 if crash is None else crash):
            work()
        if is_sealed(folder):
            decrypt_gallery(folder, KEY)
        self.gallery = Gallery.open(folder)

    def _run(self, crash: int | None, work: Any) -> bool:
        """Do ``work``, which may end at one of its changes of files; whether it was done."""
        try:
            with _crashing(-1 if crash is None else crash):
                work()
        except _CrashError:
            self.gallery = Gallery.open(self.gallery.folder)
            return False
        except (FacesearchError, IndexerError):  # nothing to cluster, to make a graph of
            return crash is None
        return True

    # What always holds

    @invariant()
    def nothing_is_damaged(self) -> None:
        severe = [each for each in check_gallery(self.gallery) if each.severe]
        assert severe == []

    @invariant()
    def no_forgotten_face_is_anywhere(self) -> None:
        state = self.gallery.state()
        assert not {*self.forgotten} & {*state.live_ids().tolist()}
        assert not {*self.forgotten} & {*PeopleStore(self.gallery.folder).memberships().by_id()}
        for path in self.gallery.folder.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert not [face for face, vector in self.forgotten.items() if vector in content], path

    @invariant()
    def searches_find_exactly_the_live_faces(self) -> None:
        state = self.gallery.state()
        ids = state.live_ids()
        if len(ids):
            found = search_gallery(self.gallery, state, self.gallery.vectors(ids), len(ids))
            assert {*found.ids.ravel().tolist()} == {*ids.tolist()}

    @invariant()
    def the_state_is_that_of_the_shards(self) -> None:
        folded = self.gallery.state(ignore_cache=True)
        assert self.gallery.state().digest() == folded.digest()

    @invariant()
    def faces_are_those_of_the_photos_indexed(self) -> None:
        if self.indexed == self.photos and self.photos:
            faces = self.gallery.state().face_count
            assert faces <= len({*self.photos.values()})


@contextlib.contextmanager
def _crashing(at: int) -> Any:
    """Raise at the ``at``-th change of a file by the one way out, and at all after it."""
    real = {name: getattr(os, name) for name in ("fsync", "replace", "link", "unlink")}
    seen = 0

    def crashing(name: str) -> Any:
        def wrapped(*args: Any, **named: Any) -> Any:
            nonlocal seen
            seen += 1
            if 0 <= at < seen:
                raise _CrashError
            return real[name](*args, **named)

        return wrapped

    try:
        for name in real:
            setattr(atomic_files.os, name, crashing(name))
        yield
    finally:
        for name, call in real.items():
            setattr(atomic_files.os, name, call)


TestGallery = pytest.mark.timeout(0)(GalleryMachine.TestCase)  # `make fuzz` runs it for long
TestGallery.settings = settings(
    max_examples=8 if settings.default.derandomize else 1000,  # type: ignore[union-attr]
    stateful_step_count=12 if settings.default.derandomize else 50,  # type: ignore[union-attr]
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
