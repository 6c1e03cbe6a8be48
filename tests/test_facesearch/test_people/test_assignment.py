"""The people of a clustering under decisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.types import Clustering
from facesearch.people.assignment import assign_people, led_numbers, undecided_numbers
from facesearch.people.ledger import Decision, FaceDecision
from facesearch.people.projection import DecisionState, replay


def clustering(labels: list[int]) -> Clustering:
    n = len(labels)
    return Clustering(
        np.arange(n, dtype=np.int64), np.array(labels, np.int32), np.full(n, 0.5, np.float32)
    )


def decisions(faces: dict[int, str]) -> list[Decision]:
    """Decisions that faces show people with names."""
    numbers = {name: number for number, name in enumerate(sorted(set(faces.values())), 1)}
    return [
        Decision(
            n, n, "", "enroll", numbers[name], name=name, faces=(FaceDecision(face, numbers[name]),)
        )
        for n, (face, name) in enumerate(faces.items(), 1)
    ]


def names_of(labels: list[int], faces: dict[int, str]) -> list[str | None]:
    raw = clustering(labels)
    now = assign_people(raw, undecided_numbers(raw.count), replay(decisions(faces)))
    return [now.names.get(int(label)) for label in now.clustering.labels]


def led(labels: list[int], decided: DecisionState) -> list[int]:
    """The number of each cluster, where cluster 0 was of person 100 and so on."""
    raw = clustering(labels)
    return led_numbers(raw, 100 + np.arange(raw.count), decided).tolist()


def test_a_decision_about_a_face_says_nothing_of_its_cluster() -> None:
    people = names_of([0, 0, 0, 0, 1, -1], {0: "Ann", 1: "Ann", 2: "Bob", 5: "Cid"})
    assert people == ["Ann", "Ann", "Bob", None, None, "Cid"]


def test_enrolled_faces_lead_the_next_clustering_by_majority() -> None:
    decided = replay(decisions({0: "Ann", 1: "Ann", 2: "Bob"}))
    assert led([0, 0, 0, 0, 1, -1], decided) == [1, 101]
    assert led([0, 0, 0, 0], replay(decisions({0: "Ann", 1: "Bob"}))) == [100]  # a tie


def test_corrected_faces_lead_nobody() -> None:
    added = Decision(1, 1, "", "add", 7, faces=(FaceDecision(0, 7),))
    assert led([0, 0, 0], replay([added])) == [100]
    named = Decision(2, 2, "", "name", 7, name="Ann", faces=(FaceDecision(0, 7),))
    assert led([0, 0, 0], replay([added, named])) == [7]
    removed = replace(added, other=100)  # from whom the others of the cluster are of
    assert led([0, 0, 0], replay([removed, named])) == [100]


def test_an_undone_correction_gives_the_face_back() -> None:
    """The clustering followed two decisions about face 0, which were undone since."""
    ledger = [
        Decision(1, 1, "", "add", 7, 100, faces=(FaceDecision(0, 7),)),
        Decision(2, 2, "", "add", 8, 7, faces=(FaceDecision(0, 8),)),
        Decision(3, 3, "", "reject", 101, faces=(FaceDecision(3, 101, belongs=False),)),
    ]
    undos = [Decision(n, n, "", "undo", 0, 7 - n) for n in (4, 5, 6)]
    raw = clustering([0, 1, 1, 3, 2])  # as after them: face 0 with 8, face 3 alone
    numbers = np.array([8, 100, 101, 102])

    def now(decisions: list[Decision], known: int | None) -> list[int]:
        return assign_people(raw, numbers, replay(decisions), known=known).of_faces().tolist()

    assert now(ledger, 3) == [8, 100, 100, 102, 101]
    assert now([*ledger, *undos[:1]], 3) == [8, 100, 100, 101, 101]
    assert now([*ledger, *undos[:2]], 3) == [7, 100, 100, 101, 101]
    assert now([*ledger, *undos], 3) == [100, 100, 100, 101, 101]
    assert now([*ledger, *undos], 6) == [8, 100, 100, 102, 101]  # a run that knew the undos
    assert now([*ledger, *undos], None) == [8, 100, 100, 102, 101]


def test_undoing_that_a_face_is_not_somebodys_leaves_it_where_it_was() -> None:
    """It was somebody else's already: the answer no to a suggestion."""
    no = Decision(1, 1, "", "reject", 101, 0, faces=(FaceDecision(0, 101, belongs=False),))
    undo = Decision(2, 2, "", "undo", 0, 1)
    raw, numbers = clustering([0, 1]), np.array([100, 101])
    for ledger in ([no], [no, undo]):
        assert assign_people(raw, numbers, replay(ledger), known=1).of_faces().tolist() == [
            100,
            101,
        ]


def test_what_is_no_face_is_nobodys_until_somebody_is_given_it() -> None:
    ledger = [
        Decision(1, 1, "", "name", 100, name="Ann", faces=(FaceDecision(0, 100),)),
        Decision(2, 2, "", "not-face", 0, faces=(FaceDecision(0, 100, belongs=False),)),
    ]
    raw, numbers = clustering([0, 0]), np.array([100])
    assert assign_people(raw, numbers, replay(ledger)).of_faces().tolist() == [-1, 100]
    ledger.append(Decision(3, 3, "", "add", 5, faces=(FaceDecision(0, 5),)))
    assert assign_people(raw, numbers, replay(ledger)).of_faces().tolist() == [5, 100]


@settings(deadline=None)
@given(st.data())
def test_decisions_always_hold_and_labels_stay_dense(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    raw = data.draw(st.lists(st.integers(-1, 3), min_size=n, max_size=n))
    dense = {label: i for i, label in enumerate(sorted(set(raw) - {-1}))}
    labels = [dense.get(label, -1) for label in raw]
    chosen = data.draw(st.dictionaries(st.integers(0, n - 1), st.sampled_from(["Ann", "Bob"])))
    before = clustering(labels)
    now = assign_people(before, undecided_numbers(before.count), replay(decisions(chosen)))
    found = now.clustering.labels
    for face, name in chosen.items():
        assert now.names[int(found[face])] == name
    present = sorted(set(found.tolist()) - {-1})
    assert present == list(range(len(present)))
    for label in set(present) - set(now.names):
        assert len({labels[row] for row in range(n) if found[row] == label}) == 1
    again = assign_people(now.clustering, now.numbers, replay(decisions(chosen)))
    assert again.of_faces().tolist() == now.of_faces().tolist()


@given(
    labels=st.lists(st.integers(-1, 4), max_size=30),
    given_to=st.dictionaries(st.integers(0, 29), st.sampled_from(["Ann", "Bob", "Cid"])),
)
def test_faces_are_counted_as_they_are_listed(labels: list[int], given_to: dict[int, str]) -> None:
    there = sorted({each for each in labels if each >= 0})
    raw = clustering([there.index(each) if each >= 0 else -1 for each in labels])
    faces = {face: name for face, name in given_to.items() if face < len(labels)}
    now = assign_people(raw, undecided_numbers(raw.count), replay(decisions(faces)))
    assert +now.counts() == Counter(now.of_faces().tolist())
    sure = dict(zip(now.clustering.ids.tolist(), now.clustering.confidence.tolist(), strict=True))
    for person in now.people:
        ids, confidence = now.faces_with_confidence(person.id)
        assert ids.tolist() == now.faces(person.id).tolist()
        assert confidence.tolist() == [sure[face] for face in ids.tolist()]
        assert confidence.tolist() == sorted(confidence.tolist(), reverse=True)
