"""Must-links, cannot-links and photos: what is asked, what contradicts it, and what is done."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.constraints import Constraints, Contradiction, resolve
from cluster.linkage.average_linkage import average_linkage, cut
from support.oracles.plain_linkage import sets_apart
from support.vectors import vector_sets


def pairs(*each: tuple[int, int]) -> NDArray[np.int64]:
    return np.array(each, np.int64).reshape(-1, 2)


def test_only_photos_of_two_faces_or_more_keep_faces_apart() -> None:
    photos = np.array([5, 7, 5, -1, 9, 7, 7, -1])
    resolved = resolve(Constraints(photos, cannot=pairs((0, 4))), 8)
    assert sets_apart(resolved) == [{0, 2}, {1, 5, 6}, {0, 4}]
    sets = [
        resolved.apart.sets[start:end].tolist()
        for start, end in pairwise(resolved.apart.set_starts)
    ]
    assert sets == [[0, 2], [1], [0], [], [2], [1], [1], []]


def test_nothing_asked_nothing_kept_apart() -> None:
    resolved = resolve(Constraints(), 3)
    assert sets_apart(resolved) == []
    assert resolved.joined.shape == (0, 2)
    assert resolved.contradictions == ()


def test_a_must_link_against_a_cannot_link_is_left_out_and_reported() -> None:
    asked = Constraints(must=pairs((0, 1), (2, 3), (1, 2), (4, 0)), cannot=pairs((3, 0)))
    resolved = resolve(asked, 5)
    assert resolved.joined.tolist() == [[0, 1], [2, 3], [4, 0]]
    assert resolved.contradictions == (Contradiction((1, 2), (0, 3), honoured=False),)


def test_a_must_link_over_one_photo_is_honoured_and_reported() -> None:
    asked = Constraints(np.array([0, 1, 2, 0]), must=pairs((0, 1), (2, 3), (1, 2), (0, 3)))
    resolved = resolve(asked, 4)
    assert resolved.joined.tolist() == [[0, 1], [2, 3], [1, 2]]
    assert resolved.contradictions == (Contradiction((1, 2), (0, 3), honoured=True),)


def test_a_must_link_said_twice_is_no_contradiction() -> None:
    resolved = resolve(Constraints(must=pairs((0, 1), (1, 0))), 2)
    assert resolved.joined.tolist() == [[0, 1]]
    assert resolved.contradictions == ()


row_pairs = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]),
    max_size=12,
)


@given(row_pairs, row_pairs)
def test_every_must_link_holds_or_is_reported_and_no_cannot_link_is_broken(
    must: list[tuple[int, int]], cannot: list[tuple[int, int]]
) -> None:
    resolved = resolve(Constraints(must=pairs(*must), cannot=pairs(*cannot)), 10)
    group = {row: {row} for row in range(10)}
    for one, two in resolved.joined.tolist():
        both = group[one] | group[two]
        group.update(dict.fromkeys(both, both))
    reported = {each.must for each in resolved.contradictions}
    assert all(two in group[one] or (one, two) in reported for one, two in must)
    assert not any(two in group[one] for one, two in cannot)
    for each in resolved.contradictions:
        assert each.apart in cannot or each.apart[::-1] in cannot


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Constraints(np.zeros(2, np.int64)), r"photos int64 \(3,\), one a vector, got int64 \(2,"),
        (Constraints(cannot=pairs((0, 3))), r"cannot-link rows in \[0, 3\), got 0 to 3"),
        (Constraints(must=pairs((-1, 2))), "must-link rows"),
        (Constraints(must=pairs((0, 1), (2, 2))), "one with itself"),
    ],
)
def test_wrong_constraints_are_refused(asked: Constraints, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(asked, 3)


def test_lists_do_as_well_as_arrays() -> None:
    lists = Constraints([0, 0, 1], [(0, 1)], [], [5, -1, 7])  # type: ignore[arg-type]
    arrays = Constraints(
        np.array([0, 0, 1]), np.array([[0, 1]]), np.zeros((0, 2), np.int64), np.array([5, -1, 7])
    )
    for name in ("photos", "must", "cannot", "people"):
        np.testing.assert_array_equal(getattr(lists, name), getattr(arrays, name))
        assert getattr(lists, name).dtype == np.int64
    assert resolve(lists, 3).joined.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"photos": np.zeros(3)}, r"photos as whole numbers .*got float64 \(3,\)"),
        ({"photos": [(0, 1)], "must": []}, r"photos as whole numbers .*got list \[\(0, 1\)\]"),
        ({"people": 7}, "people as whole numbers .*got int 7"),
        ({"people": "Ann"}, "people as whole numbers .*got str 'Ann'"),
        ({"must": np.zeros((1, 3), np.int64)}, r"must-link pairs .*got int64 \(1, 3\)"),
        ({"must": [0, 1]}, "must-link pairs .*got list"),
        ({"must": [(0, 1), (2,)]}, "must-link pairs .*got list"),
        ({"cannot": [(0.5, 1)]}, "cannot-link pairs .*got list"),
        ({"cannot": {(0, 1)}}, "cannot-link pairs .*got set"),
    ],
)
def test_constraints_that_are_no_whole_numbers(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Constraints(**wrong)


@settings(deadline=None)
@given(vector_sets(least=1, most=24), st.data())
def test_faces_decided_to_be_people_are_those_people(
    vectors: NDArray[np.float32], data: st.DataObject
) -> None:
    count = len(vectors)
    people = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=count, max_size=count)))
    constraints = Constraints(people=people)
    resolved = resolve(constraints, count)
    assert resolved.contradictions == ()
    groups = cut(average_linkage(vectors, 4.0, constraints), count, 4.0)
    known = people >= 0
    same_group = groups[known][:, None] == groups[known]
    assert (same_group == (people[known][:, None] == people[known])).all()


def test_two_people_are_not_linked_by_a_must() -> None:
    constraints = Constraints(people=np.array([5, -1, 7]), must=np.array([[0, 1], [1, 2]]))
    resolved = resolve(constraints, 3)
    assert resolved.joined.tolist() == [[0, 1]]
    (refused,) = resolved.contradictions
    assert refused.must == (1, 2) and set(refused.apart) == {0, 2} and not refused.honoured
    with pytest.raises(ValueError, match="people int64"):
        resolve(Constraints(people=np.zeros(2, np.int64)), 3)
