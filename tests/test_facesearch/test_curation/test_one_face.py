"""A decision about one face moves no other face: at once, and after the next clustering."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cluster.types import Clustering
from facesearch.album.build import gallery_album
from facesearch.clustering.current_people import gallery_people
from facesearch.clustering.person_matching import match_clusters
from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.people.assignment import assign_people, voting_people
from facesearch.people.ledger import Decision, FaceDecision, NewDecision
from facesearch.people.projection import NOBODY, DecisionState, replay
from facesearch.people.store import PeopleStore
from facesearch.report.xmp import write_sidecars
from support.examples import examples
from support.people_galleries import CLEAR, cluster, people_gallery

FACES = 14
PEOPLE = (1, 2, 3, 4)


def clustering_by(labels: list[int]) -> Clustering:
    """Faces 0 to n - 1, by labels without gaps."""
    distinct = sorted({*labels} - {-1})
    dense = [distinct.index(label) if label >= 0 else -1 for label in labels]
    ids = np.arange(len(labels), dtype=np.int64)
    return Clustering(ids, np.array(dense, np.int32), np.ones(len(labels), np.float32))


labels = st.lists(st.integers(-1, 4), min_size=FACES, max_size=FACES)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Decision]:
    """Any decisions about people and about faces, some of them undone."""
    decisions: list[Decision] = []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        action = draw(
            st.sampled_from(["enroll", "name", "split", "merge", "add", "reject", "undo"])
        )
        one, two = draw(st.permutations(PEOPLE))[:2]
        faces = draw(st.lists(st.integers(0, FACES - 1), max_size=4, unique=True))
        if action == "undo":
            other = draw(st.integers(1, number))
            decisions.append(Decision(number, number, "", "undo", 0, other))
            continue
        belongs = action != "reject"
        about = tuple(FaceDecision(face, one, belongs) for face in faces)
        beside = two if action in ("merge", "split", "add") else None
        decisions.append(Decision(number, number, "", action, one, beside, None, about))  # type: ignore[arg-type]
    return decisions


@dataclass
class World:
    """A clustering with its people, a ledger, and any clustering that comes next."""

    clustering: Clustering
    numbers: np.ndarray
    following: Clustering

    def now(self, decided: DecisionState, known: int) -> list[int]:
        people = assign_people(self.clustering, self.numbers, decided, known=known)
        return people.of_faces().tolist()

    def later(self, decided: DecisionState, known: int) -> list[int]:
        """After the next clustering, whatever it makes of the faces; new people are 900 and on."""
        votes = voting_people(self.clustering, self.numbers, decided, known).of_faces()
        numbers = match_clusters(
            self.following.ids,
            self.following.labels,
            votes,
            decided,
            lambda count: range(900, 900 + count),
        )
        return assign_people(self.following, numbers, decided).of_faces().tolist()

    def is_backed(self, decided: DecisionState, known: int, face: int) -> bool:
        """Whether another face of the next cluster of ``face`` was of the same person."""
        votes = voting_people(self.clustering, self.numbers, decided, known).of_faces()
        beside = np.flatnonzero(self.following.labels == self.following.labels[face])
        return votes[face] == NOBODY or int((votes[beside] == votes[face]).sum()) > 1


@st.composite
def worlds(draw: st.DrawFn) -> World:
    raw = clustering_by(draw(labels))
    numbers = np.array(draw(st.permutations([1, 2, 3, 4, 5, 6]))[: raw.count], np.int64)
    return World(raw, numbers, clustering_by(draw(labels)))


def entered(decisions: list[Decision], action: str, face: int, person: int, of: int) -> Decision:
    number = len(decisions) + 1
    other = of if action == "add" and of != NOBODY else None
    said = (FaceDecision(face, person, action == "add"),)
    return Decision(number, number, "", action, person, other, None, said)  # type: ignore[arg-type]


@examples(100, 1000)
@given(worlds(), ledgers(), st.data())
def test_one_decision_about_a_face_moves_no_other(
    world: World, decisions: list[Decision], data: st.DataObject
) -> None:
    known = data.draw(st.integers(0, len(decisions)))  # how much of it the clustering followed
    before = replay(decisions)
    # A face that people were named by takes along what follows from the name; see docs/people.md.
    faces = sorted({*range(FACES)} - {*before.leading})
    if not faces:
        return
    face, person = data.draw(st.sampled_from(faces)), data.draw(st.sampled_from(PEOPLE))
    was = world.now(before, known)
    action = data.draw(st.sampled_from(["add", "reject", "not-face"]))
    after = replay([*decisions, entered(decisions, action, face, before.number(person), was[face])])
    others = [each for each in range(FACES) if each != face]
    # Of a cluster that nobody but this face brings to a person the face says nothing any more.
    assume(world.is_backed(before, known, face))
    is_now, then, would = (
        world.now(after, known),
        world.later(after, known),
        world.later(before, known),
    )
    assert [is_now[each] for each in others] == [was[each] for each in others]
    assert [then[each] for each in others] == [would[each] for each in others]
    if action == "add":
        assert is_now[face] == then[face] == before.number(person)
    elif action == "reject":
        assert before.number(person) not in (is_now[face], then[face])
    else:
        assert is_now[face] == then[face] == NOBODY


@examples(100, 1000)
@given(worlds(), ledgers(), st.data())
def test_undoing_it_moves_the_face_back_and_no_other(
    world: World, decisions: list[Decision], data: st.DataObject
) -> None:
    before = replay(decisions)
    faces = sorted({*range(FACES)} - {*before.leading})
    if not faces:
        return
    face, person = data.draw(st.sampled_from(faces)), data.draw(st.sampled_from(PEOPLE))
    known = len(decisions)
    was = world.now(before, known)
    action = data.draw(st.sampled_from(["add", "reject"]))
    number = before.number(person)
    said = [*decisions, entered(decisions, action, face, number, was[face])]
    if action == "reject" and was[face] != number:
        return  # nobody rejects a face from whom it is not of
    undone = [*said, Decision(len(said) + 1, len(said) + 1, "", "undo", 0, len(said))]
    # A clustering followed it: the face is where it was put, and all else as it was.
    middle = world.now(replay(said), known)
    distinct = sorted({*middle} - {NOBODY})
    run = clustering_by([distinct.index(each) if each != NOBODY else -1 for each in middle])
    followed = World(run, np.array(distinct, np.int64), run)
    assert world.now(replay(undone), known) == was
    assert followed.now(replay(undone), len(said)) == was
    assert followed.now(replay(said), len(said)) == middle


@examples(3, 20)
@given(st.data())
def test_galleries_keep_to_it(data: st.DataObject) -> None:
    """The same of a gallery, its editor and its clusterings, which look at the vectors too."""
    with tempfile.TemporaryDirectory() as folder:
        gallery = people_gallery(Path(folder), people=3, each=4)
        cluster(gallery)
        for _ in range(data.draw(st.integers(0, 2))):
            decide(gallery, data)
        before = people_of(gallery)
        face = data.draw(st.sampled_from(sorted({*before} - {*decided(gallery).leading})))
        action = data.draw(st.sampled_from(["add", "reject", "not-face"]))
        one_face(gallery, action, face, data)
        for _ in range(2):
            now = people_of(gallery)
            assert {e for e in before if now[e] != before[e]} <= {face}
            cluster(gallery, replace(CLEAR, full=data.draw(st.booleans())))
        PeopleStore(gallery.folder).undo()
        assert people_of(gallery) == before
        cluster(gallery)
        assert people_of(gallery) == before


def decided(gallery: Gallery) -> DecisionState:
    return PeopleStore(gallery.folder).decided()


def people_of(gallery: Gallery) -> dict[int, int]:
    now = gallery_people(gallery, gallery.state())
    return dict(zip(now.clustering.ids.tolist(), now.of_faces().tolist(), strict=True))


def decide(gallery: Gallery, data: st.DataObject) -> None:
    """A decision about a person of the gallery, who is named by three faces at most."""
    faces = sorted(people_of(gallery))
    number = data.draw(st.integers(1, 3))
    chosen = [e for e in faces if people_of(gallery)[e] == number][:3]
    name = f"person {number}"
    if chosen and decided(gallery).named(name) is None:
        about = tuple(FaceDecision(each, number) for each in chosen)
        PeopleStore(gallery.folder).decide([NewDecision("name", number, name=name, faces=about)])


def one_face(gallery: Gallery, action: str, face: int, data: st.DataObject) -> None:
    editor = PeopleEditor(gallery)
    of = people_of(gallery)[face]
    if action == "add":
        others = sorted({each.id for each in editor.now.people} - {of})
        editor.add(editor.find(f"p{data.draw(st.sampled_from(others))}"), [face])
    elif action == "reject":
        editor.reject(editor.find(f"p{of}"), [face])
    else:
        editor.not_faces([face])


def test_a_face_of_an_undecided_cluster_comes_alone_and_gets_no_other_named(
    tmp_path: Path,
) -> None:
    gallery = people_gallery(tmp_path, people=2, each=6)
    cluster(gallery)
    editor = PeopleEditor(gallery)
    editor.name(editor.find("p1"), "Dora")
    face = int(editor.now.faces(2)[0])
    (note,) = editor.add(editor.find("Dora"), [face]).notes
    assert note.startswith("5 other faces of p2 stayed there") and "Dora p2" not in note
    assert f"people merge {gallery.folder} p1 p2" in note
    for full in (False, True):
        album_names = {len(editor.now.faces(1)), len(editor.now.faces(2))}
        assert album_names == {7, 5}
        run = cluster(gallery, replace(CLEAR, full=full))
        album = gallery_album(gallery, gallery.state(), run, "Trip")
        folder = tmp_path / f"sidecars-{full}"
        assert write_sidecars(album, folder).written == 7
        named = [p for p in folder.rglob("*.xmp") if "Dora" in p.read_text(encoding="utf-8")]
        assert len(named) == 7
        editor = PeopleEditor(gallery)


@pytest.mark.parametrize("full", [False, True])
def test_a_rejected_face_of_an_undecided_person_stays_out(tmp_path: Path, full: bool) -> None:
    gallery = people_gallery(tmp_path, people=1, each=5)
    cluster(gallery)
    editor = PeopleEditor(gallery)
    face = int(editor.now.faces(1)[0])
    editor.reject(editor.find("p1"), [face])
    assert editor.decided.faces == {}  # nobody was confirmed along
    for _ in range(2):
        assert [len(PeopleEditor(gallery).now.faces(1)), face in editor.now.faces(1)] == [4, False]
        cluster(gallery, replace(CLEAR, full=full))


@pytest.mark.parametrize("full", [False, True])
def test_a_new_person_of_one_face_takes_no_other_along(tmp_path: Path, full: bool) -> None:
    gallery = people_gallery(tmp_path, people=1, each=5)
    cluster(gallery)
    editor = PeopleEditor(gallery)
    face, *others = editor.now.faces(1).tolist()
    outcome = editor.make_person([face], "Zoe")
    assert outcome.notes[0].startswith("4 other faces of p1 stayed there")
    for _ in range(2):
        now = PeopleEditor(gallery).now
        assert now.faces(outcome.person.id).tolist() == [face]
        assert sorted(now.faces(1).tolist()) == sorted(others)
        cluster(gallery, replace(CLEAR, full=full))
    PeopleStore(gallery.folder).undo()
    cluster(gallery, replace(CLEAR, full=full))
    assert len(PeopleEditor(gallery).now.faces(1)) == 5
