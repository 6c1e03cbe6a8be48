"""Random histories of a gallery: photos that come and go, commands, crashes, and a second writer.

``tests/test_facesearch/test_promises/test_gallery_machine.py`` runs a few that are always the same,
``python -m support.histories.trials`` any number.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from facesearch.backup.archive import export_gallery, import_gallery
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import ClusterRun, run_paths, save_run
from facesearch.curation.editor import PeopleEditor
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.encryption.convert import decrypt_gallery, encrypt_gallery
from facesearch.encryption.keys import Secret
from facesearch.encryption.sealed_files import is_sealed
from facesearch.erasure.forget import Selection, forget, lift
from facesearch.erasure.name_search import names_found
from facesearch.erasure.selection import photo_contents
from facesearch.errors import (
    BusyGalleryError,
    ChangedDecisionsError,
    ChangedGalleryError,
    FacesearchError,
    InputError,
)
from facesearch.gallery.gallery import Gallery
from facesearch.people.projection import Person
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import build_index
from facesearch.search.knn_graph import refresh_graph
from indexer.errors import IndexerError
from support.fake_engine import FakeEngine
from support.histories.crashes import CrashError, crashing
from support.histories.gallery_model import GalleryModel
from support.people_galleries import CLEAR, cluster

NAMES = ("Ada", "Ada Lovelace", "Cid")  # one is within another
PEOPLE = st.integers(1, 4)
PHOTOS = st.sampled_from([f"{number}.png" for number in range(6)])
KEY = Secret("key-file", bytes(range(32)))
OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=3)
THOROUGH = 6  # every so many changes of the gallery, and at the end, all of it is looked through
MOST_RUNS = 3

Edit = Callable[[PeopleEditor, Person, Person, Sequence[int]], Any]
EDITS: dict[str, Edit] = {
    "merge": lambda editor, one, other, faces: editor.merge(one, [other]),
    "split": lambda editor, one, other, faces: editor.split(one, faces),
    "reject": lambda editor, one, other, faces: editor.reject(one, faces),
    "add": lambda editor, one, other, faces: editor.add(one, faces),
    "confirm": lambda editor, one, other, faces: editor.confirm(one),
    "apart": lambda editor, one, other, faces: editor.apart(one, other),
    "later": lambda editor, one, other, faces: editor.later(one, other),
    "cover": lambda editor, one, other, faces: editor.cover(one, faces[0]),
    "hide": lambda editor, one, other, faces: editor.hide(one, hidden=not one.hidden),
    "no face": lambda editor, one, other, faces: editor.not_faces(faces),
    "new person": lambda editor, one, other, faces: editor.make_person(faces),
}


def crashes(most: int) -> st.SearchStrategy[int | None]:
    """At which change of a file a command ends; None: not at all."""
    return st.none() | st.integers(0, most)


def index(gallery: Gallery, folder: Path) -> None:
    """Bring a gallery up to date with the photos of ``folder``."""
    embed_photos(gallery, FakeEngine(), [folder], OPTIONS)  # type: ignore[arg-type]


class GalleryMachine(RuleBasedStateMachine):
    """The rules are what happens to a gallery, the invariants what it promises all the same.

    ``counts`` of all machines together: examples, steps, changes of galleries, crashes.
    """

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "photos").mkdir()
        self.gallery = Gallery.create(self.folder / "my.gallery", FakeEngine().contract)
        self.model = GalleryModel(self.folder / "photos")
        self.faces: list[int] = []
        self.changes = self.seen = self.thorough = self.crashes = 0
        self.steps = -1  # the invariants are tried once before the first

    def teardown(self) -> None:
        """Look through all of it, unless something was wrong already."""
        try:
            if sys.exc_info()[0] is None:
                if self.thorough < self.changes:
                    self.model.require_whole(self.gallery)
                self.counts.update(
                    examples=1, steps=self.steps, changes=self.changes, crashes=self.crashes
                )
        finally:
            logging.disable(logging.NOTSET)
            shutil.rmtree(self.folder)

    @initialize(people=st.lists(PEOPLE, max_size=4))
    def begins_with(self, people: list[int]) -> None:
        for number, person in enumerate(people):
            self.model.write(f"{number}.png", person)
        self.index(None)

    # Photos

    @rule(name=PHOTOS, person=PEOPLE)
    def photo_comes_or_changes(self, name: str, person: int) -> None:
        self.model.write(name, person)

    @rule(name=PHOTOS)
    def photo_vanishes(self, name: str) -> None:
        self.model.remove(name)

    @rule(name=PHOTOS, other=PHOTOS)
    def photo_moves(self, name: str, other: str) -> None:
        self.model.move(name, other)

    # Commands

    @rule(crash=crashes(24))
    def index(self, crash: int | None) -> None:
        if self._run(crash, lambda: index(self.gallery, self.model.folder)):
            self.model.indexed()
        else:
            self.model.live = None

    @rule(crash=crashes(12))
    def cluster(self, crash: int | None) -> None:
        self._remove_old_runs()
        self._derive(crash, lambda: cluster(self.gallery))

    @precondition(lambda self: self.faces)
    @rule()
    def cluster_again(self) -> None:
        """Nobody gets another number where nothing has changed."""
        self._remove_old_runs()
        first = cluster(self.gallery)
        again = run_clustering(self.gallery, self.gallery.state(), CLEAR)
        self.changes += 1
        assert people_of(first) == people_of(again)

    @rule(crash=crashes(12))
    def build(self, crash: int | None) -> None:
        self._derive(crash, lambda: build_index(self.gallery))

    @rule(crash=crashes(8))
    def graph(self, crash: int | None) -> None:
        self._derive(crash, lambda: refresh_graph(self.gallery, 2))

    @precondition(lambda self: self.faces)
    @rule(data=st.data(), crash=crashes(40))
    def forget_face(self, data: st.DataObject, crash: int | None) -> None:
        (face,) = self._some(data)
        (variant,) = self.model.variants_of(self.gallery, np.array([face]))
        done = self._run(crash, lambda: forget(self.gallery, Selection(ids=(face,))))
        if done or face not in self.gallery.state().live_ids():
            self.model.forgot([face], [variant])
        forget(self.gallery)  # finishes what a crash left

    @rule(name=st.sampled_from(NAMES))
    def forget_person(self, name: str) -> None:
        before = self._variants_by_face()
        try:
            report = forget(self.gallery, Selection(people=(name,)))
        except InputError:
            return
        self.changes += 1
        assert report.found == []
        gone = before.keys() - {*self.gallery.state().live_ids().tolist()}
        self.model.forgot(gone, [before[face] for face in gone])
        assert names_found(self.gallery.folder, [name]) == []

    @rule(name=PHOTOS, crash=crashes(40))
    def lift_photo(self, name: str, crash: int | None) -> None:
        photo = self.model.folder / name
        faces, contents = set[int](), set[str]()
        for at in (crash, None):  # what a crash left is done by the same command
            try:
                chosen = photo_contents(self.gallery, self.gallery.state(), photo)
            except InputError:
                break
            faces |= self._faces_of(chosen)
            contents |= chosen
            if self._run(at, lambda: lift(self.gallery, [photo])):
                break
        self.model.lifted(faces, [self.model.contents[each] for each in contents])
        if crash is not None:
            forget(self.gallery)  # ends what it had begun

    # Decisions

    @precondition(lambda self: self.faces)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def name(self, data: st.DataObject, name: str) -> None:
        editor = PeopleEditor(self.gallery)
        if people := [each for each in editor.now.people if each.id > 0]:
            self._decide(lambda: editor.name(data.draw(st.sampled_from(people)), name))

    @precondition(lambda self: self.faces)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def enroll(self, data: st.DataObject, name: str) -> None:
        (face,) = self._some(data)
        self._decide(lambda: PeopleStore(self.gallery.folder).enroll(name, [face]))
        assert PeopleStore(self.gallery.folder).memberships().by_id()[face] == name

    @precondition(lambda self: self.faces)
    @rule(data=st.data(), action=st.sampled_from([*EDITS]))
    def edit(self, data: st.DataObject, action: str) -> None:
        editor = PeopleEditor(self.gallery)
        if people := sorted(editor.everyone().values(), key=lambda each: each.id):
            one, other = (data.draw(st.sampled_from(people)) for _ in range(2))
            faces = self._some(data, 2)
            self._decide(lambda: EDITS[action](editor, one, other, faces))

    @rule()
    def undo(self) -> None:
        self._decide(lambda: PeopleStore(self.gallery.folder).undo())

    # Two at once

    @precondition(lambda self: self.faces)
    @rule(command=st.sampled_from(["index", "cluster", "build", "graph", "forget", "lift"]))
    def another_is_writing(self, command: str) -> None:
        commands: dict[str, Callable[[], Any]] = {
            "index": lambda: index(self.gallery, self.model.folder),
            "cluster": lambda: cluster(self.gallery),
            "build": lambda: build_index(self.gallery),
            "graph": lambda: refresh_graph(self.gallery, 2),
            "forget": lambda: forget(self.gallery),
            "lift": lambda: lift(self.gallery, [self.model.folder / "0.png"]),
        }
        with self._another().writing(), pytest.raises(BusyGalleryError):
            commands[command]()
        self.changes += 1

    @precondition(lambda self: self.faces)
    @rule(data=st.data())
    def another_forgets_meanwhile(self, data: st.DataObject) -> None:
        run = run_clustering(self.gallery, self.gallery.state(), CLEAR)
        (face,) = self._some(data)
        (variant,) = self.model.variants_of(self.gallery, np.array([face]))
        forget(self._another(), Selection(ids=(face,)))
        self.model.forgot([face], [variant])
        self.changes += 1
        with pytest.raises(ChangedGalleryError):
            save_run(self.gallery, run)

    @precondition(lambda self: self.faces)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def another_decides_meanwhile(self, data: st.DataObject, name: str) -> None:
        editor = PeopleEditor(self.gallery)
        people = [each for each in editor.now.people if each.id > 0]
        (face,) = self._some(data)
        if people and PeopleStore(self.gallery.folder).enroll(name, [face]).decisions:
            self.changes += 1
            others = [each for each in NAMES if each != name and not editor.decided.named(each)]
            if others:
                with pytest.raises(ChangedDecisionsError):
                    editor.name(data.draw(st.sampled_from(people)), others[0])

    # Where it lies

    @rule()
    def moves_in_an_archive(self) -> None:
        folder, archive = self.gallery.folder, self.folder / "moved.zip"
        export_gallery(self.gallery, archive)
        shutil.rmtree(folder)
        assert import_gallery(archive, folder).problems == ()
        archive.unlink()
        self.gallery = Gallery.open(folder)
        self.changes += 1

    @rule(crash=crashes(160))
    def is_encrypted_and_decrypted(self, crash: int | None) -> None:
        folder = self.gallery.folder
        self.changes += 1
        try:
            with crashing(crash):
                encrypt_gallery(folder, KEY)
                decrypt_gallery(folder, KEY)
        except CrashError:
            self.crashes += 1
        if is_sealed(folder):
            decrypt_gallery(folder, KEY)
        self.gallery = Gallery.open(folder)

    # What always holds

    @invariant()
    def what_is_promised_holds(self) -> None:
        """After each change, and every few of them by all there is."""
        self.steps += 1
        if self.seen == self.changes:
            return
        self.seen = self.changes
        self.faces = self.model.require_kept(self.gallery)
        if self.changes >= self.thorough + THOROUGH:
            self.thorough = self.changes
            self.model.require_whole(self.gallery)

    # Parts of rules

    def _run(self, crash: int | None, work: Callable[[], Any]) -> bool:
        """Do ``work``, which may end at one of its changes of files; whether it was done."""
        self.changes += 1
        try:
            with crashing(crash):
                work()
        except CrashError:
            self.crashes += 1
            self.gallery = self._another()
            return False
        return True

    def _derive(self, crash: int | None, work: Callable[[], Any]) -> None:
        """As :meth:`_run`; it may be refused where there is nothing to derive anything from."""
        try:
            self._run(crash, work)
        except (FacesearchError, IndexerError):
            assert not self.faces

    def _remove_old_runs(self) -> None:
        """As somebody may who wants the room: the last ones are kept."""
        for path in run_paths(self.gallery)[:-MOST_RUNS]:
            path.unlink()

    def _decide(self, work: Callable[[], Any]) -> None:
        """Enter a decision, unless it would change nothing or contradict itself."""
        self.changes += 1
        with suppress(InputError):
            work()

    def _another(self) -> Gallery:
        """The gallery as another process has it."""
        return Gallery.open(self.gallery.folder)

    def _some(self, data: st.DataObject, most: int = 1) -> list[int]:
        """Up to ``most`` live faces, at least one."""
        ids = st.sampled_from(self.faces)
        return data.draw(st.lists(ids, min_size=1, max_size=most, unique=True))

    def _variants_by_face(self) -> dict[int, int]:
        ids = self.gallery.state().live_ids()
        return dict(zip(ids.tolist(), self.model.variants_of(self.gallery, ids), strict=True))

    def _faces_of(self, contents: set[str]) -> set[int]:
        """Live faces of photos with these contents."""
        state = self.gallery.state()
        faces = self.gallery.faces(state.live_ids(), state)
        return {each.face_id for each in faces if each.photo.sha256 in contents}


def people_of(run: ClusterRun) -> dict[int, int]:
    """The number of each face's person in a run, those of nobody left out."""
    labels, numbers = run.clustering.labels.tolist(), run.numbers.tolist()
    faces = zip(run.clustering.ids.tolist(), labels, strict=True)
    return {face: numbers[label] for face, label in faces if label >= 0}
