"""The people of a clustering under decisions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.types import Clustering
from facesearch.people.assignment import assign_people, undecided_numbers
from facesearch.people.ledger import Decision, FaceDecision
from facesearch.people.projection import replay


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


def test_two_people_in_one_cluster_are_separated_by_the_majority() -> None:
    people = names_of([0, 0, 0, 0, 1, -1], {0: "Ann", 1: "Ann", 2: "Bob", 5: "Cid"})
    assert people == ["Ann", "Ann", "Bob", "Ann", None, "Cid"]


def test_a_tie_leaves_the_rest_unnamed() -> None:
    assert names_of([0, 0, 0, 0], {0: "Ann", 1: "Bob"}) == ["Ann", "Bob", None, None]


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
