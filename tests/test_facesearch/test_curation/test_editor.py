"""Decisions about people, and clusterings that keep to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesearch.album.build import gallery_album
from facesearch.clustering.current_people import gallery_people
from facesearch.clustering.run_store import latest_run
from facesearch.curation.editor import PeopleEditor
from facesearch.errors import ChangedDecisionsError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.recognition.templates import PersonTemplates
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


def of(person: int, *numbers: int) -> set[str]:
    return {f"{person}-{number}.png" for number in numbers or range(3)}


def test_people_have_numbers_and_get_names(gallery: Gallery) -> None:
    assert photos_of_people(gallery) == {f"p{n}": of(n) for n in range(1, 5)}
    deciding = PeopleEditor(gallery)
    deciding.name(deciding.find("p2"), " Bea  ")
    assert photos_of_people(gallery)["Bea"] == of(2)
    enrolled = PersonTemplates.load(gallery, gallery.state())
    assert enrolled.names == ("Bea",) and len(enrolled.ids) == 3
    again = PeopleEditor(gallery)
    assert again.find("b").id == again.find("Bea").id == again.find("p2").id == 2
    with pytest.raises(InputError, match="already"):
        again.name(again.find("p2"), "Bea")
    with pytest.raises(InputError, match="people merge"):
        again.name(again.find("p1"), "Bea")


def test_who_is_nobody_or_could_be_two_is_an_error(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    deciding.name(deciding.find("p1"), "Ann Lee")
    deciding.name(deciding.find("p2"), "Ann Moe")
    deciding = PeopleEditor(gallery)
    assert deciding.find("ann m").id == 2
    with pytest.raises(InputError, match="Ann Lee, Ann Moe; give the whole name"):
        deciding.find("Ann")
    for nobody in ("p9", "Zoe", "", "p"):
        with pytest.raises(InputError, match="no person has"):
            deciding.find(nobody)


def test_merged_people_stay_one_and_undo_takes_them_apart(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    deciding.name(deciding.find("p3"), "Cid")
    deciding = PeopleEditor(gallery)
    outcome = deciding.merge(deciding.find("p1"), [deciding.find("p3"), deciding.find("p4")])
    assert outcome.person.name == "Cid" and outcome.notes == ()
    merged = photos_of_people(gallery)
    assert merged["Cid"] == of(1) | of(3) | of(4) and set(merged) == {"Cid", "p2"}
    run = cluster(gallery, replace(CLEAR, full=True))
    assert run.how.full and run.how.why == "as asked for"
    assert photos_of_people(gallery) == merged and PeopleEditor(gallery).find("p4").id == 1
    PeopleStore(gallery.folder).undo()
    run = cluster(gallery, replace(CLEAR, full=True))
    assert sorted(photos_of_people(gallery).values(), key=min) == [of(n) for n in range(1, 5)]
    assert photos_of_people(gallery)["Cid"] == of(3)  # named before, and that stands
    with pytest.raises(InputError, match=r"got .* itself"):
        deciding.merge(deciding.find("p2"), [deciding.find("p2")])


def test_split_people_stay_two_at_any_threshold(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    person = deciding.find("p1")
    outcome = deciding.split(person, deciding.pick(person, ["1-2.png"]), "Dot")
    assert outcome.person.id == 5
    for options in (CLEAR, replace(CLEAR, threshold=4.0), replace(CLEAR, method="hdbscan")):
        run = cluster(gallery, options)
        assert run.contradictions == ()
        found = photos_of_people(gallery)
        assert "1-2.png" in found["Dot"] and of(1, 0, 1) <= found["p1"], options
        assert not of(1, 0, 1) & found["Dot"]


def test_a_rejected_face_does_not_come_back_by_itself(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    person = deciding.find("p1")
    (face,) = deciding.pick(person, ["1-2.png"])
    deciding.reject(person, [face])
    assert photos_of_people(gallery)["p1"] == of(1, 0, 1)
    for options in (CLEAR, replace(CLEAR, full=True), replace(CLEAR, method="hdbscan")):
        cluster(gallery, options)
        assert photos_of_people(gallery)["p1"] == of(1, 0, 1), options
        assert "1-2.png" not in photos_of_people(gallery)["p1"], options
    # Until somebody says so.
    deciding = PeopleEditor(gallery)
    deciding.add(deciding.find("p1"), [face])
    assert photos_of_people(gallery)["p1"] >= of(1)


def advised(gallery: Gallery) -> tuple[set[frozenset[str]], set[tuple[str, str]]]:
    """Photos of each two people who may be one, in one set; doubted photos and the next person's
    first photo."""
    album = gallery_album(gallery, gallery.state(), latest_run(gallery), "Trip")
    names = {each.key: sorted(face.name for face in each.faces) for each in album.people}
    photo_of = {face.face_id: face.name for face in album.faces}
    pairs = [each.keys for each in album.advice.merges]
    merges = {frozenset(names[one] + names[two]) for one, two in pairs}
    doubts = {(photo_of[d.face_id], names.get(d.next_key, [""])[0]) for d in album.advice.doubts}
    return merges, doubts


@pytest.mark.parametrize("how", ["reject", "split"])
def test_advice_does_not_contradict_what_was_decided(gallery: Gallery, how: str) -> None:
    deciding = PeopleEditor(gallery)
    person = deciding.find("p1")
    getattr(deciding, how)(person, deciding.pick(person, ["1-2.png"]))
    cluster(gallery)
    assert photos_of_people(gallery)["p1"] == of(1, 0, 1)
    assert of(1, 2) in photos_of_people(gallery).values()
    assert advised(gallery)[0] == set()
    PeopleStore(gallery.folder).undo()
    if how == "split":
        assert advised(gallery)[0] == {frozenset(of(1))}
    else:  # the face is back at once
        assert photos_of_people(gallery)["p1"] == of(1)


@pytest.mark.parametrize("how", ["reject", "split"])
def test_no_decided_face_is_doubted(gallery: Gallery, how: str) -> None:
    cluster(gallery, replace(CLEAR, threshold=0.1))
    deciding = PeopleEditor(gallery)
    deciding.name(deciding.find("p1"), "Ann")
    deciding = PeopleEditor(gallery)
    (face,) = deciding.pick(deciding.find("p1"), ["1-2.png"])
    deciding.add(deciding.find("p2"), [face])
    assert "1-2.png" not in dict(advised(gallery)[1])
    PeopleStore(gallery.folder).undo()
    deciding = PeopleEditor(gallery)
    outcome = getattr(deciding, how)(deciding.find("p1"), [face])
    deciding = PeopleEditor(gallery)
    if how == "split":  # and is p2, it turns out
        deciding.merge(deciding.find("p2"), [outcome.person])
    else:
        deciding.add(deciding.find("p2"), [face])
    assert photos_of_people(gallery)["p2"] == of(2) | of(1, 2)
    assert "1-2.png" not in dict(advised(gallery)[1])


def test_merging_keeps_out_who_was_rejected_and_says_so(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    person = deciding.find("p1")
    (face,) = deciding.pick(person, ["1-2.png"])
    deciding.reject(person, [face])
    cluster(gallery)
    deciding = PeopleEditor(gallery)
    (alone,) = [each for each in deciding.now.people if face in deciding.now.faces(each.id)]
    outcome = deciding.merge(deciding.find("p1"), [alone])
    assert len(outcome.notes) == 1 and str(face) in outcome.notes[0]
    cluster(gallery)
    assert "1-2.png" not in photos_of_people(gallery)["p1"]


def test_hidden_people_are_in_no_album(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    deciding.hide(deciding.find("p2"))
    run = cluster(gallery)
    album = gallery_album(gallery, gallery.state(), run, "Trip")
    assert len(album.people) == 3 and album.face_count == 9
    numbers = {each.id for each in PeopleEditor(gallery).now.people} - {2}
    assert {each.person_id for each in album.people} == {f"p{number}" for number in numbers}
    for each in album.people:
        found = PeopleEditor(gallery).find(each.person_id)
        assert {*PeopleEditor(gallery).now.faces(found.id).tolist()} == {
            f.face_id for f in each.faces
        }
    deciding = PeopleEditor(gallery)
    assert deciding.find("p2").hidden
    with pytest.raises(InputError, match="p2 is already hidden"):
        deciding.hide(deciding.find("p2"))
    deciding.hide(deciding.find("p2"), hidden=False)
    assert gallery_album(gallery, gallery.state(), run, "Trip").face_count == 12


def test_who_gives_faces_to_somebody_hidden_is_reported(gallery: Gallery) -> None:
    note = ("Bob is hidden, so these faces are hidden now",)
    deciding = PeopleEditor(gallery)
    deciding.name(deciding.find("p1"), "Bob")
    for who in ("Bob", "p4"):
        deciding = PeopleEditor(gallery)
        deciding.hide(deciding.find(who))
    deciding = PeopleEditor(gallery)
    assert deciding.merge(deciding.find("Bob"), [deciding.find("p4")]).notes == ()
    assert deciding.merge(deciding.find("p3"), [deciding.find("Bob")]).notes == ()
    PeopleStore(gallery.folder).undo()
    deciding = PeopleEditor(gallery)
    assert deciding.merge(deciding.find("Bob"), [deciding.find("p2")]).notes == note
    deciding = PeopleEditor(gallery)
    (face,) = deciding.pick(deciding.find("p3"), ["3-0.png"])
    assert deciding.add(deciding.find("Bob"), [face]).notes[:1] == note


def test_an_album_does_not_doubt_what_was_decided(gallery: Gallery) -> None:
    run = cluster(gallery)
    deciding = PeopleEditor(gallery)
    deciding.merge(deciding.find("p1"), [deciding.find("p2")])
    album = gallery_album(gallery, gallery.state(), run, "Trip")
    one = album.people[0]
    assert (one.person_id, len(one.faces), one.quality) == ("p1", 6, 1)
    assert "p1" not in {each.key for each in (*album.advice.mixtures, *album.advice.doubts)}


def test_all_faces_of_a_person_or_none_are_no_part_of_them(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    person = deciding.find("p1")
    for decide in (deciding.split, deciding.reject):
        with pytest.raises(InputError, match="all faces"):
            decide(person, deciding.now.faces(1).tolist())
        with pytest.raises(InputError, match="got none"):
            decide(person, [])
    for wanted in ("2-0.png", "99", "x"):
        with pytest.raises(InputError, match="expected a face of p1"):
            deciding.pick(person, [wanted])
    with pytest.raises(InputError, match="numbers of faces"):
        deciding.add(person, [12345])


def test_what_is_decided_already_is_not_entered_again(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    one, two = (deciding.now.faces(number).tolist() for number in (1, 2))
    deciding.add(deciding.find("p1"), one)
    deciding = PeopleEditor(gallery)
    for faces, message in ((one, "these faces are assigned"), (one[:1], "this face is assigned")):
        with pytest.raises(InputError, match=f"{message} to p1 already"):
            deciding.add(deciding.find("p1"), faces)
    assert len(deciding.decisions()) == 1
    (note,) = deciding.add(deciding.find("p1"), [one[0], two[0]]).notes
    assert "2 other faces of p2 stayed there" in note and "merge" in note
    assert {*PeopleEditor(gallery).now.faces(1).tolist()} == {*one, two[0]}


def test_new_photos_join_without_a_full_run(gallery: Gallery) -> None:
    before, photos = photos_of_people(gallery), gallery.folder.parent / "photos"
    write_photo(photos / "1-9.png", [1], 77)
    write_photo(photos / "7-0.png", [7], 78)
    index(gallery, photos)
    run = cluster(gallery)
    assert not run.how.full and "faces to place: 2 new" in run.how.why
    assert photos_of_people(gallery) == before | {"p1": of(1, 0, 1, 2, 9), "p5": of(7, 0)}
    assert (run.changes.kept, run.changes.born, run.changes.joined) == (4, 1, 1)
    assert run.changes.moves == () and run.changes.gone == ()
    assert latest_run(gallery).changes == run.changes and latest_run(gallery).how == run.how


def test_other_options_or_too_many_new_faces_make_a_full_run(gallery: Gallery) -> None:
    assert (
        "threshold changed from 0.5 to 0.6"
        in cluster(gallery, replace(CLEAR, threshold=0.6)).how.why
    )
    assert not cluster(gallery, replace(CLEAR, threshold=0.6)).how.full
    assert "min size" in cluster(gallery, replace(CLEAR, threshold=0.6, min_size=2)).how.why
    assert cluster(gallery, CLEAR).how.full
    photos = gallery.folder.parent / "photos"
    for number in range(7):
        write_photo(photos / f"9-{number}.png", [9], 90 + number)
    index(gallery, photos)
    run = cluster(gallery)
    assert run.how.full and run.how.why == "there are 19 faces now, and the last full run had 12"
    assert photos_of_people(gallery)["p5"] == {f"9-{n}.png" for n in range(7)}


def test_photos_that_go_are_reported(gallery: Gallery) -> None:
    photos = gallery.folder.parent / "photos"
    for name in of(4):
        (photos / name).unlink()
    index(gallery, photos)
    (gone,) = cluster(gallery).changes.gone
    assert (gone.person, gone.faces, gone.reason) == (4, 3, "their photos were deleted")
    # Nobody gets the number of somebody who is gone.
    write_photo(photos / "8-0.png", [8], 1)
    index(gallery, photos)
    cluster(gallery)
    assert "p4" not in photos_of_people(gallery) and photos_of_people(gallery)["p5"] == of(8, 0)


def test_what_cannot_both_be_followed_is_reported(tmp_path: Path) -> None:
    write_photo(tmp_path / "photos" / "both.png", [1, 2], 1)
    write_photo(tmp_path / "photos" / "one.png", [1], 2)
    gallery = people_gallery(tmp_path, people=0)
    cluster(gallery)
    deciding = PeopleEditor(gallery)
    one, two = (each for each in deciding.now.people)
    (note,) = deciding.merge(one, [two]).notes
    assert "in one photo" in note and "both.png" in note
    run = cluster(gallery, replace(CLEAR, full=True))
    (text,) = run.contradictions
    assert "one photo" in text and "p1" in text
    assert np.unique(gallery_people(gallery, gallery.state()).of_faces()).tolist() == [1]


def test_an_editor_follows_its_decisions(gallery: Gallery) -> None:
    editor = PeopleEditor(gallery)
    first, second = editor.find("p1"), editor.find("p2")
    (moved, *_) = editor.pick(first, ["1-0.png"])
    other = editor.split(first, [moved], "Zoe").person
    editor.name(first, "Ann")  # confirms the faces that Ann has, not the one that was moved
    assert photos_of_people(gallery)["Zoe"] == of(1, 0)
    assert [each.face_id for each in editor.records(other)] == [moved]
    editor.merge(first, [second])
    assert len(editor.records(first)) == 5 and editor.find("p2").id == first.id
    assert [each.action for each in editor.undo()] == ["merge"]
    assert len(editor.records(first)) == 2
    editor.hide(second)
    editor.undo()
    editor.hide(editor.find("p2"))
    assert editor.find("p2").hidden


def test_an_editor_does_not_overrule_what_others_decided_meanwhile(gallery: Gallery) -> None:
    editor = PeopleEditor(gallery)
    editor.name(editor.find("p1"), "Ann")
    PeopleEditor(gallery).name(editor.find("p2"), "Bea")
    with pytest.raises(ChangedDecisionsError, match="meanwhile"):
        editor.name(editor.find("p3"), "Cid")
    assert {*photos_of_people(gallery)} == {"Ann", "Bea", "p3", "p4"}
