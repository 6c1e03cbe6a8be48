"""Clusters under the numbers of the people of before, against the Hungarian method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from facesearch.clustering.person_matching import (
    ChangeContext,
    PersonMove,
    changes_between,
    match_clusters,
    most_overlap,
)
from facesearch.people.ledger import Decision, FaceDecision
from facesearch.people.projection import replay

NUMBERS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=60)


@settings(deadline=None)
@given(NUMBERS)
def test_overlap_is_that_of_the_hungarian_method(rows: list[tuple[int, int]]) -> None:
    pairs = np.array(rows, np.int64).reshape(-1, 2)
    table = np.zeros((7, 7), np.int64)
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), 1)
    most = table[linear_sum_assignment(table, maximize=True)].sum()
    ones, others = most_overlap(pairs[:, 0], pairs[:, 1])
    assert len(set(ones)) == len(ones) and len(set(others)) == len(others)
    assert table[ones, others].sum() == most


def numbers_from(first: int) -> tuple[list[int], object]:
    given_out: list[int] = []

    def new_people(count: int) -> range:
        given_out.extend(range(first, first + count))
        return range(first, first + count)

    return given_out, new_people


@pytest.mark.parametrize(
    ("labels", "before", "expected"),
    [
        ([0, 0, 0, 1, 1], [7, 7, 8, 8, 8], [7, 8]),
        ([0, 0, 0, 0, 0], [7, 7, 8, 8, 8], [8]),
        ([0, 0, 1, 1, 1], [7, 7, 7, 7, 7], [100, 7]),
        ([0, 0, 1, 1, -1], [7, 7, -1, -1, 8], [7, 100]),
        ([], [], []),
    ],
)
def test_people_keep_their_numbers(
    labels: list[int], before: list[int], expected: list[int]
) -> None:
    _, new_people = numbers_from(100)
    ids = np.arange(len(labels))
    found = match_clusters(
        ids,
        np.array(labels, np.int32),
        np.array(before, np.int64),
        replay([]),
        new_people,  # type: ignore[arg-type]
    )
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("before", "older", "expected"),
    [
        ([7, 7, 7, 7, -1], [-1, -1, 8, 8, 9], [7, 8, 9]),  # a tie: who was 7 earlier is 7
        ([7, 7, 7, 7, -1], [8, 8, -1, -1, 9], [8, 7, 9]),
        ([7, 7, 7, 8, -1], [9, 9, 9, 9, 9], [7, 8, 9]),  # what a face was last goes before
    ],
)
def test_people_who_were_gone_come_back(
    before: list[int], older: list[int], expected: list[int]
) -> None:
    _, new_people = numbers_from(100)
    labels = np.array([0, 0, 1, 1, 2], np.int32)
    was, earlier = np.array(before, np.int64), np.array(older, np.int64)
    found = match_clusters(np.arange(5), labels, was, replay([]), new_people, older=earlier)  # type: ignore[arg-type]
    assert found.tolist() == expected


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=30))
def test_older_people_never_cost_a_face_its_person(rows: list[tuple[int, int, int]]) -> None:
    values = np.array(rows, np.int64).reshape(-1, 3)
    labels = np.unique(values[:, 0], return_inverse=True)[1].astype(np.int32)
    table = np.zeros((5, 5), np.int64)
    np.add.at(table, (labels, values[:, 1]), 1)
    most = table[linear_sum_assignment(table, maximize=True)].sum()
    _, new_people = numbers_from(100)
    ids = np.arange(len(rows))
    found = match_clusters(ids, labels, values[:, 1], replay([]), new_people, older=values[:, 2])  # type: ignore[arg-type]
    assert len(set(found.tolist())) == len(found)
    assert (found[labels] == values[:, 1]).sum() == most


def test_what_was_decided_goes_before_overlap() -> None:
    decisions = [
        Decision(1, 1, "", "name", 7, None, "Ann", (FaceDecision(0, 7), FaceDecision(4, 7)))
    ]
    labels = np.array([0, 0, 0, 1, 2], np.int32)
    before = np.array([8, 8, 8, 7, -1], np.int64)
    _, new_people = numbers_from(100)
    found = match_clusters(np.arange(5), labels, before, replay(decisions), new_people)  # type: ignore[arg-type]
    assert found.tolist() == [7, 100, 7]  # both clusters with a face of Ann's are Ann


def test_changes_say_what_became_of_everybody() -> None:
    before = np.array([1, 1, 1, 2, 2, 3, -1, -1, 4, 5], np.int64)
    after = np.array([1, 1, 9, 1, 1, 3, 3, 8, -1, 6], np.int64)
    why = ChangeContext("", frozenset({1}), frozenset({3, 6}))
    known = np.array([1, 2, 3, 4, 5, 7], np.int64)
    changes = changes_between(before, after, known, (), why)
    assert changes.moves == (
        PersonMove("split", 1, 9, 1, "a decision about them changed"),
        PersonMove("merge", 2, 1, 2, "a decision about them changed"),
        PersonMove("merge", 5, 6, 1, "new faces are near both"),
    )
    assert (changes.kept, changes.born, changes.joined, changes.left) == (2, 1, 1, 1)
    assert changes.returned == 0
    back = changes_between(before, after, np.array([6, 8, 9]), (), why)
    assert (back.kept, back.born, back.returned, back.count("split")) == (2, 0, 3, 0)
    assert back.moves[0] == PersonMove("return", 1, 9, 1, "a decision about them changed")
    assert [(each.person, each.faces) for each in changes.gone] == [(4, 1)]
    assert changes.moved == 4 and changes.count("merge") == 2 and changes.count("split") == 1
    other = changes_between(
        before, after, known, (), ChangeContext("threshold 1 became 2", frozenset(), frozenset())
    )
    assert {each.reason for each in other.moves} == {"threshold 1 became 2"}
