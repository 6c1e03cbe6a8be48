"""Suggestions and their answers: sure faces, not the same, later, covers, no faces, leftovers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facesearch.album.build import gallery_album
from facesearch.clustering.run_store import latest_run, save_run
from facesearch.curation.editor import PeopleEditor
from facesearch.curation.people_reader import PeopleReader
from facesearch.curation.suggestions import Suggestion, suggestions
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from support.fake_engine import write_photo
from support.made_folders import MadeFolder
from support.people_galleries import CLEAR, cluster, index, people_gallery, photos_of_people


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeFolder:
    return MadeFolder(
        tmp_path_factory.mktemp("people"), lambda folder: cluster(people_gallery(folder))
    )


@pytest.fixture
def gallery(made: MadeFolder) -> Gallery:
    return Gallery.open(made.fresh() / "my.gallery")


@pytest.fixture(autouse=True)
def scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake encoder is none of ours: these are its distances."""
    thresholds = SimpleNamespace(cluster=0.5, learned=True)
    monkeypatch.setattr("facesearch.album.build.thresholds_of", lambda contract: thresholds)
    monkeypatch.setattr("facesearch.curation.suggestions.thresholds_of", lambda _: thresholds)


def asked(gallery: Gallery) -> tuple[Suggestion, ...]:
    state = gallery.state()
    return suggestions(gallery, state, PeopleReader(gallery, state))


def pairs(gallery: Gallery) -> dict[frozenset[int], Suggestion]:
    found = (each for each in asked(gallery) if each.kind == "same" and each.other)
    return {frozenset((each.person.id, each.other.id)): each for each in found if each.other}


def with_confidence(gallery: Gallery, person: int, values: list[float]) -> None:
    """The last run again, with these confidences of the person's faces."""
    run = latest_run(gallery)
    confidence = run.clustering.confidence.copy()
    rows = np.flatnonzero(run.numbers[run.clustering.labels] == person)
    confidence[rows] = values
    save_run(gallery, replace(run, clustering=replace(run.clustering, confidence=confidence)))


def test_a_name_confirms_the_sure_faces_and_offers_the_rest(gallery: Gallery) -> None:
    with_confidence(gallery, 1, [0.9, 0.3, 0.29])
    editor = PeopleEditor(gallery)
    faces = editor.now.faces(1).tolist()
    outcome = editor.name(editor.find("p1"), "Ann")
    assert sorted(editor.decided.faces) == sorted(faces[:2]) and outcome.unsure == (faces[2],)
    assert len(editor.now.faces(1)) == 3  # shown with her all the same
    cluster(gallery)
    cluster(gallery, replace(CLEAR, full=True))
    assert photos_of_people(gallery)["Ann"] == {"1-0.png", "1-1.png", "1-2.png"}
    editor = PeopleEditor(gallery)
    assert editor.confirm(editor.find("Ann")).unsure == ()
    assert sorted(editor.decided.faces) == sorted(faces)
    with pytest.raises(InputError, match="confirmed already"):
        editor.confirm(editor.find("Ann"))


def test_somebody_all_of_whose_faces_are_unsure_is_known_by_the_surest(gallery: Gallery) -> None:
    with_confidence(gallery, 2, [0.1, 0.2, 0.05])
    editor = PeopleEditor(gallery)
    best, *others = editor.now.faces(2).tolist()
    outcome = editor.hide(editor.find("p2"))
    assert [*editor.decided.faces] == [best] and outcome.unsure == tuple(reversed(others))
    assert PeopleEditor(gallery, sure=0.0).hide(outcome.person, hidden=False).unsure == ()


def test_a_wrong_face_of_a_named_cluster_is_not_frozen(tmp_path: Path) -> None:
    """An unsure face of another person, which a later clustering takes out again."""
    gallery = people_gallery(tmp_path, people=2, each=4)
    cluster(gallery, replace(CLEAR, threshold=4.0))  # all in one
    faces = latest_run(gallery).clustering.ids.tolist()
    (number,) = {each.id for each in PeopleEditor(gallery).now.people}
    with_confidence(gallery, number, [0.8] * 4 + [0.1] * 4)
    editor = PeopleEditor(gallery)
    editor.name(editor.find(f"p{number}"), "Ann")
    assert sorted(editor.decided.faces) == faces[:4]
    cluster(gallery)
    assert photos_of_people(gallery)["Ann"] == {f"1-{n}.png" for n in range(4)}


def test_not_the_same_is_never_asked_again_and_never_merged(gallery: Gallery) -> None:
    cluster(gallery, replace(CLEAR, threshold=1e-6))  # everybody in several parts
    (pair, first), *_ = pairs(gallery).items()
    editor = PeopleEditor(gallery)
    assert first.other is not None
    outcome = editor.apart(first.person, first.other)
    assert [each.action for each in outcome.entered.decisions] == ["apart"]
    assert pair not in pairs(gallery)
    with pytest.raises(InputError, match="two people already"):
        editor.apart(first.other, first.person)
    with pytest.raises(InputError, match="twice"):
        editor.apart(first.person, first.person)
    cluster(gallery, replace(CLEAR, full=True))
    now = PeopleEditor(gallery).now
    assert min(len(now.faces(number)) for number in pair) > 0
    editor = PeopleEditor(gallery)
    merged = editor.merge(first.person, [first.other])  # changed their mind
    assert [each.decision.action for each in merged.entered.superseded] == ["apart", "apart"][:1]


def test_later_comes_last_and_is_still_asked(gallery: Gallery) -> None:
    cluster(gallery, replace(CLEAR, threshold=1e-6))
    first = next(each for each in asked(gallery) if each.kind == "same")
    editor = PeopleEditor(gallery)
    before = photos_of_people(gallery)
    editor.later(first.person, first.other)
    assert editor.decided.faces == {} and photos_of_people(gallery) == before
    *_, last = asked(gallery)
    assert last == replace(first, later=True)
    for wrong in ({}, {"other": first.other, "faces": first.faces}):
        with pytest.raises(InputError, match="name one"):
            editor.later(first.person, **wrong)  # type: ignore[arg-type]


def test_people_one_knows_come_before_the_crowd(gallery: Gallery) -> None:
    cluster(gallery, replace(CLEAR, threshold=1e-6))
    editor = PeopleEditor(gallery)
    editor.name(editor.find("p3"), "Cid")
    found = asked(gallery)
    known = [each.person.name == "Cid" for each in found]
    assert any(known) and not all(known)
    assert known == sorted(known, reverse=True)


def test_a_cover_is_shown_and_its_person_has_the_face(gallery: Gallery) -> None:
    def cover(run_number: int = -1) -> int:
        album = gallery_album(gallery, gallery.state(), latest_run(gallery), "Trip")
        (person,) = [each for each in album.people if each.person_id == "p1"]
        return person.cover.face_id

    editor = PeopleEditor(gallery)
    other = next(face for face in editor.now.faces(1).tolist() if face != cover())
    editor.cover(editor.find("p1"), other)
    assert cover() == other and editor.decided.faces == {other: 1}
    with pytest.raises(InputError, match="shows p1 already"):
        editor.cover(editor.find("p1"), other)
    with pytest.raises(InputError, match="expected a face of p2"):
        editor.cover(editor.find("p2"), other)
    cluster(gallery, replace(CLEAR, full=True))
    assert cover() == other
    editor = PeopleEditor(gallery)
    editor.add(editor.find("p2"), [other])  # who turns out to be somebody else
    cluster(gallery)
    assert cover() != other


def test_what_is_no_face_is_left_out_until_that_is_undone(gallery: Gallery) -> None:
    before = photos_of_people(gallery)
    editor = PeopleEditor(gallery)
    face = int(editor.now.faces(2)[0])
    photo = editor.records(editor.find("p2"))[0].photo.name
    entered = editor.not_faces([face])
    assert [each.action for each in entered.decisions] == ["not-face"]
    for full in (False, True):
        assert photos_of_people(gallery) == before | {"p2": before["p2"] - {photo}}
        run = cluster(gallery, replace(CLEAR, full=full))
        assert run.changes.moves == () and face in run.clustering.ids
        album = gallery_album(gallery, gallery.state(), run, "Trip")
        assert face not in {each.face_id for each in album.faces} and not album.about.outdated
        assert face not in {each for one in asked(gallery) for each in one.faces}
    editor = PeopleEditor(gallery)
    with pytest.raises(InputError, match="already"):
        editor.not_faces([face])
    with pytest.raises(InputError, match="numbers of faces"):
        editor.not_faces([987_654])
    editor.undo()
    assert photos_of_people(gallery) == before
    cluster(gallery)
    assert photos_of_people(gallery) == before


def test_a_face_that_somebody_is_given_is_one_again(gallery: Gallery) -> None:
    editor = PeopleEditor(gallery)
    face = int(editor.now.faces(2)[0])
    editor.not_faces([face])
    editor.add(editor.find("p1"), [face])
    assert face in editor.now.faces(1) and editor.decided.not_faces == frozenset()


def test_what_is_nearest_to_a_removed_face_is_not_suggested_for_the_person(
    gallery: Gallery,
) -> None:
    """Two more photos of one moment: one of them was removed, so the other is not offered."""
    cluster(gallery, replace(CLEAR, threshold=1e-6))
    editor = PeopleEditor(gallery)
    one, two, three = (
        next(
            each
            for each in editor.now.people
            if editor.records(each)[0].photo.name == f"1-{number}.png"
        )
        for number in range(3)
    )
    editor.name(one, "Ann")
    (copied,) = editor.now.faces(three.id).tolist()
    photos = gallery.folder.parent / "photos"
    write_photo(photos / "again.png", [1], 12)  # as 1-2.png, of other bytes
    write_photo(photos / "again.png", [1], 12, side=50)
    index(gallery, photos)
    cluster(gallery, replace(CLEAR, threshold=1e-6))
    editor = PeopleEditor(gallery)
    twins = [each.id for each in editor.now.people if copied in editor.now.faces(each.id)]
    editor.merge(editor.find("Ann"), [editor.decided.person(two.id)])
    assert frozenset((one.id, twins[0])) in pairs(gallery)
    editor.add(editor.find("Ann"), [copied])
    editor.reject(editor.find("Ann"), [copied])
    cluster(gallery, replace(CLEAR, threshold=1e-6))
    editor = PeopleEditor(gallery)
    near = {
        each.id
        for each in editor.now.people
        if {r.photo.name for r in editor.records(each)} & {"again.png", "1-2.png"}
    }
    assert near and not {frozenset((one.id, each)) for each in near} & {*pairs(gallery)}


def test_left_over_faces_are_offered_to_whom_they_are_near(gallery: Gallery) -> None:
    cluster(gallery, replace(CLEAR, threshold=1e-6, min_size=2))  # nobody is anybody
    PeopleStore(gallery.folder).enroll("Ann", [0, 1])
    cluster(gallery, replace(CLEAR, threshold=1e-6, min_size=2))
    (leftover,) = [each for each in asked(gallery) if each.kind == "leftover"]
    assert leftover.person.name == "Ann" and leftover.faces == (2,) and leftover.probability > 0.5
    editor = PeopleEditor(gallery)
    editor.add(editor.find("Ann"), [2])
    assert [each for each in asked(gallery) if each.kind == "leftover"] == []
    editor.reject(editor.find("Ann"), [2])
    assert [each for each in asked(gallery) if each.kind == "leftover"] == []
