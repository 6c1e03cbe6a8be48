"""Whose faces were, where a decision about them was undone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facesearch.clustering.history import earlier_people
from facesearch.clustering.person_matching import match_clusters
from facesearch.clustering.run_store import latest_run
from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.people.projection import NOBODY, replay
from facesearch.people.store import PeopleStore
from support.people_galleries import cluster, people_gallery


def test_without_undone_decisions_ties_go_by_the_last_run() -> None:
    before = np.array([5, 5, NOBODY, 7], np.int64)
    earlier = earlier_people(np.arange(4), before, [], 0, decided=replay([]), runs=[])
    assert earlier.last.tolist() == earlier.older.tolist() == before.tolist()
    assert not earlier.undone.any() and earlier.people.tolist() == [5, 7]


def test_whose_faces_were_not_in_question_keeps_the_person_in_a_tie(tmp_path: Path) -> None:
    """One face was given to somebody else, which was undone; then all three are apart."""
    gallery: Gallery = people_gallery(tmp_path)
    cluster(gallery)
    first = latest_run(gallery)
    label = int(np.argmax(np.bincount(first.clustering.labels)))
    person = int(first.numbers[label])
    faces = first.clustering.ids[first.clustering.labels == label][:2]
    people = PeopleStore(gallery.folder)
    deciding = PeopleEditor(gallery, gallery.state())
    deciding.split(deciding.find(f"p{person}"), [int(faces[0])])
    cluster(gallery)
    known = latest_run(gallery)
    people.undo(people.decisions()[-1].batch)
    before = np.array([NOBODY, person], np.int64)
    before[0] = known.numbers[known.clustering.labels[known.clustering.ids == faces[0]][0]]
    assert before[0] != person
    earlier = earlier_people(
        faces,
        before,
        people.decisions(),
        known.how.decisions,
        decided=people.decided(),
        runs=[first],
    )
    assert earlier.last.tolist() == [person, person]
    assert earlier.older.tolist() == [NOBODY, person]
    numbers = match_clusters(
        faces,
        np.array([0, 1], np.int32),
        earlier.last,
        people.decided(),
        lambda count: list(range(900, 900 + count)),
        older=earlier.older,
    )
    assert numbers.tolist() == [900, person]
