"""Undone decisions and trial runs: the clustering after them has everybody as before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from facesearch.cli.main import main
from facesearch.clustering.options import ClusterOptions
from facesearch.curation.editor import PeopleEditor
from facesearch.curation.undo_preview import preview_undo
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


def merge(deciding: PeopleEditor) -> None:
    deciding.merge(deciding.find("p1"), [deciding.find("p3")])


def merge_backwards(deciding: PeopleEditor) -> None:
    deciding.merge(deciding.find("p3"), [deciding.find("p1")])


def split(deciding: PeopleEditor) -> None:
    person = deciding.find("p1")
    deciding.split(person, deciding.pick(person, ["1-1.png", "1-2.png"]))


def reject(deciding: PeopleEditor) -> None:
    person = deciding.find("p1")
    deciding.reject(person, deciding.pick(person, ["1-2.png"]))


def add(deciding: PeopleEditor) -> None:
    deciding.add(deciding.find("p1"), deciding.now.faces(2)[:2].tolist())


DECISIONS = (merge, merge_backwards, split, reject, add)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("decide", [reject, add])
def test_an_undo_about_single_faces_holds_at_once_and_later(
    gallery: Gallery, decide: Callable[[PeopleEditor], None], full: bool
) -> None:
    before = photos_of_people(gallery)
    decide(PeopleEditor(gallery))
    cluster(gallery, replace(CLEAR, full=full))
    assert photos_of_people(gallery) != before
    PeopleStore(gallery.folder).undo()
    assert photos_of_people(gallery) == before
    assert not cluster(gallery, replace(CLEAR, full=full)).changes.moved
    assert photos_of_people(gallery) == before


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("decide", DECISIONS[:3])
def test_the_run_after_an_undo_has_everybody_as_before(
    gallery: Gallery, decide: Callable[[PeopleEditor], None], full: bool
) -> None:
    before = photos_of_people(gallery)
    decide(PeopleEditor(gallery))
    cluster(gallery, replace(CLEAR, full=full))
    assert photos_of_people(gallery) != before
    PeopleStore(gallery.folder).undo()
    run = cluster(gallery, replace(CLEAR, full=full))
    assert photos_of_people(gallery) == before
    assert run.how.full == full and (full or "decision was undone" in run.how.why)
    assert {each.reason for each in run.changes.moves} == {"a decision about them changed"}
    assert not cluster(gallery).changes.moved


def test_reasons_name_no_person_by_the_number_of_a_batch(gallery: Gallery) -> None:
    deciding = PeopleEditor(gallery)
    person = deciding.find("p2")
    deciding.split(person, deciding.pick(person, ["2-2.png"]))  # batch 1, not about person 1
    cluster(gallery)
    PeopleStore(gallery.folder).undo()
    loose = replace(CLEAR, full=True)
    (move,) = cluster(gallery, loose).changes.moves
    assert (move.source, move.target, move.reason) == (5, 2, "a decision about them changed")


@pytest.mark.parametrize(
    "trial",
    [
        replace(CLEAR, threshold=4.0),
        replace(CLEAR, threshold=1e-6),
        replace(CLEAR, method="hdbscan"),
        replace(CLEAR, min_size=4),
    ],
)
def test_a_trial_run_costs_nobody_his_number(tmp_path: Path, trial: ClusterOptions) -> None:
    gallery = people_gallery(tmp_path, people=5, each=2)
    write_photo(tmp_path / "photos" / "6-0.png", [6], 1)
    index(gallery, tmp_path / "photos")
    cluster(gallery)
    before = photos_of_people(gallery)
    cluster(gallery, trial)
    cluster(gallery, trial)
    changes = cluster(gallery, CLEAR).changes
    assert photos_of_people(gallery) == before
    assert changes.born == 0 == changes.count("split")
    assert changes.kept + changes.returned == 6
    again = cluster(gallery, CLEAR).changes
    assert (again.kept, again.returned) == (6, 0)


def test_somebody_enrolled_since_is_new_and_not_back(gallery: Gallery) -> None:
    photos = gallery.folder.parent / "photos"
    write_photo(photos / "8-0.png", [8], 1)
    index(gallery, photos)
    new = gallery.state().live_ids()[-1:].tolist()
    PeopleStore(gallery.folder).enroll("Gus", new)
    changes = cluster(gallery, CLEAR).changes
    assert (changes.kept, changes.born, changes.returned) == (4, 1, 0)


def test_the_decision_that_was_shown_is_undone_or_none(
    gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    reject(PeopleEditor(gallery))
    words = ["people", "undo", str(gallery.folder)]
    assert main([*words, "--dry-run"]) == 0
    assert "(decision 1)" in capsys.readouterr().out
    shown = preview_undo(gallery, 1).decisions[0].id
    merge(PeopleEditor(gallery))
    before = PeopleStore(gallery.folder).decisions()
    with pytest.raises(InputError, match="expected to undo decision 1, but decision 2 is the last"):
        preview_undo(gallery, shown)
    assert main([*words, "--decision", str(shown)]) == 2
    assert "look again with people undo --dry-run" in capsys.readouterr().err
    assert PeopleStore(gallery.folder).decisions() == before
    assert main([*words, "--decision", "2"]) == 0
    capsys.readouterr()
    assert main([*words, "--decision", "1"]) == 0
    assert [each.action for each in PeopleStore(gallery.folder).decisions()[-2:]] == ["undo"] * 2
