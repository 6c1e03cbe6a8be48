"""Trial runs with other options change no numbers: a stateful test, and what it came from."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from benchmarks.common.vector_gallery import add_faces, vector_gallery
from facesearch.clustering.current_people import gallery_people
from facesearch.clustering.history import MOST_RUNS
from facesearch.clustering.options import ClusterOptions
from facesearch.curation.editor import PeopleEditor
from facesearch.errors import FacesearchError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.projection import NOBODY, Person
from facesearch.people.store import PeopleStore
from support.people_galleries import CLEAR, cluster, people_gallery
from support.vectors import grouped_vectors

Groups = dict[frozenset[int], int]
LOOSE, TIGHT = ClusterOptions("agglomerative", 3.9), ClusterOptions("agglomerative", 0.0)
OPTIONS = (
    LOOSE,
    TIGHT,
    ClusterOptions("agglomerative", 0.7),
    ClusterOptions("agglomerative", 0.9),
    ClusterOptions("agglomerative", 0.9, min_size=2),
    ClusterOptions("agglomerative", 0.9, linkage="single"),
    ClusterOptions("agglomerative", 0.9, linkage="complete", same_photo=True),
    ClusterOptions("agglomerative", 0.8, from_gallery=True),
    ClusterOptions("hdbscan", 0.9),
)
FACES = st.integers(0, 10_000)  # which of those that there are, counted round


def groups(gallery: Gallery) -> Groups:
    """The faces of each person, with the number."""
    people = gallery_people(gallery, gallery.state())
    of_faces, ids = people.of_faces(), people.clustering.ids
    return {
        frozenset(ids[of_faces == number].tolist()): number
        for number in np.unique(of_faces[of_faces != NOBODY]).tolist()
    }


@pytest.mark.parametrize("trials", [(LOOSE, TIGHT), (TIGHT, LOOSE), (LOOSE, TIGHT, LOOSE, TIGHT)])
def test_two_trial_runs_change_no_number(
    tmp_path: Path, trials: tuple[ClusterOptions, ...]
) -> None:
    gallery = people_gallery(tmp_path, people=4, each=3)
    cluster(gallery)
    before = groups(gallery)
    assert len(before) == 4
    for options in trials:
        cluster(gallery, options)
    assert len(groups(gallery)) != 4
    run = cluster(gallery)
    assert groups(gallery) == before
    assert run.changes.born == 0


def test_what_was_decided_between_trial_runs_holds(tmp_path: Path) -> None:
    """A removed face brings no number back, a name goes where it was given, a merge lasts."""
    gallery = people_gallery(tmp_path, people=4, each=3)
    cluster(gallery)
    number = {next(iter(faces)) // 3: each for faces, each in groups(gallery).items()}
    cluster(gallery, LOOSE)
    cluster(gallery, TIGHT)
    editor = PeopleEditor(gallery)
    (alone,) = editor.now.people_of([3])
    editor.name(editor.find(f"p{alone}"), "Bea")
    editor.merge(editor.find("Bea"), [editor.find(f"p{editor.now.people_of([4])[0]}")])
    cluster(gallery)
    after = PeopleEditor(gallery).now.people_of(range(12))
    assert after[3:6] == [alone] * 3  # whom most of the confirmed faces are of
    assert after[0:3] == [number[0]] * 3 and after[6:9] == [number[2]] * 3


def test_a_person_that_began_with_a_removed_face_is_not_found_by_it(tmp_path: Path) -> None:
    """Person 1 was face 0 alone, and grew; the face is removed, and is alone again."""
    vectors, _ = grouped_vectors(1, 6, seed=3)
    gallery = vector_gallery(tmp_path / "made.gallery", vectors.shape[1])
    add_faces(gallery, vectors[:1], np.arange(1))
    cluster(gallery)
    ((_, first),) = groups(gallery).items()
    add_faces(gallery, vectors[1:], np.arange(1, 6))
    cluster(gallery)
    editor = PeopleEditor(gallery)
    editor.reject(editor.find(f"p{first}"), [0])
    for options in (CLEAR, LOOSE, TIGHT, CLEAR):
        cluster(gallery, options)
        assert gallery_people(gallery, gallery.state()).people_of([0]) != [first]
    others = frozenset(gallery.state().live_ids().tolist()) - {0}
    assert groups(gallery)[others] == first


class TrialRuns(RuleBasedStateMachine):
    """The model: for each kind of run the people that its last one had, until somebody decides."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.vectors, _ = grouped_vectors(6, 20, seed=1, spread=1.0)
        order = np.random.default_rng(2).permutation(len(self.vectors))
        self.waiting = order.tolist()
        self.gallery = vector_gallery(self.folder / "made.gallery", self.vectors.shape[1])
        self.then: dict[ClusterOptions, tuple[int, Groups]] = {}
        self.runs = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(count=st.integers(4, 30), options=st.sampled_from(OPTIONS))
    def begins(self, count: int, options: ClusterOptions) -> None:
        self.photos_come(count)
        self.runs_again(options)

    @rule(count=st.integers(1, 12))
    def photos_come(self, count: int) -> None:
        rows = np.array(self.waiting[:count], np.int64)
        del self.waiting[:count]
        if len(rows):
            add_faces(self.gallery, self.vectors[rows], rows)

    @rule(options=st.sampled_from(OPTIONS))
    def runs_again(self, options: ClusterOptions) -> None:
        cluster(self.gallery, options)
        self.runs += 1
        now = groups(self.gallery)
        assert len({*now.values()}) == len(now)
        run, then = self.then.get(options, (0, {}))
        if self.runs - run <= MOST_RUNS:
            same = now.keys() & then.keys()
            assert {faces: now[faces] for faces in same} == {faces: then[faces] for faces in same}
        self.then[options] = (self.runs, now)

    @rule(face=FACES, other=FACES, kind=st.sampled_from(["name", "merge", "split", "hide"]))
    def somebody_decides(self, face: int, other: int, kind: str) -> None:
        editor = PeopleEditor(self.gallery)
        person, second = (self._person(editor, each) for each in (face, other))
        if person is None or second is None:
            return
        with contextlib.suppress(InputError):
            if kind == "name":
                editor.name(person, f"N{face}")
            elif kind == "merge":
                editor.merge(person, [second])
            elif kind == "split":
                editor.split(person, [self._face(face)])
            else:
                editor.hide(person)
            self.then.clear()

    @rule(face=FACES, other=FACES, kind=st.sampled_from(["reject", "add", "not a face"]))
    def somebody_decides_about_a_face(self, face: int, other: int, kind: str) -> None:
        editor = PeopleEditor(self.gallery)
        person, second = (self._person(editor, each) for each in (face, other))
        with contextlib.suppress(InputError):
            if kind == "not a face":
                editor.not_faces([self._face(face)])
            elif kind == "reject" and person is not None:
                editor.reject(person, [self._face(face)])
            elif kind == "add" and second is not None:
                editor.add(second, [self._face(face)])
            self.then.clear()

    @rule()
    def undo(self) -> None:
        with contextlib.suppress(InputError):
            PeopleStore(self.gallery.folder).undo()
            self.then.clear()

    @invariant()
    def decisions_hold(self) -> None:
        try:
            now = gallery_people(self.gallery, self.gallery.state())
        except FacesearchError:  # nothing was clustered yet
            return
        whose = dict(zip(now.clustering.ids.tolist(), now.of_faces().tolist(), strict=True))
        decided = PeopleStore(self.gallery.folder).decided()
        lost = {face: each for face, each in decided.faces.items() if whose[face] != each}
        assert lost == {}
        assert not [pair for pair in decided.rejected if whose[pair[0]] == pair[1]]
        assert not [face for face in decided.not_faces if whose[face] != NOBODY]

    def _face(self, number: int) -> int:
        ids = self.gallery.state().live_ids()
        return int(ids[number % len(ids)])

    def _person(self, editor: PeopleEditor, number: int) -> Person | None:
        (found,) = editor.now.people_of([self._face(number)])
        return None if found == NOBODY else editor.decided.person(found)


def runs_of(examples: int) -> settings:
    """Settings for so many histories where they are the same at each run, and for fuzzing."""
    repeatable = settings.default is not None and settings.default.derandomize
    return settings(
        max_examples=examples if repeatable else 300,
        stateful_step_count=14 if repeatable else 40,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )


@pytest.mark.timeout(0)
class TestTrialRuns(TrialRuns.TestCase):  # type: ignore[misc, name-defined]
    settings = runs_of(3)


@pytest.mark.slow
@pytest.mark.timeout(0)
class TestManyTrialRuns(TrialRuns.TestCase):  # type: ignore[misc, name-defined]
    settings = runs_of(12)
