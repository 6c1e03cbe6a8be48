"""Distances to groups: equal to plain loops by every rule, in any tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError
from indexer.open_set import group_distances as groups_module
from indexer.open_set.group_distances import GroupRule, VectorGroups
from support.vectors import unit_vectors, vector_sets

RULES = ("nearest-1", "nearest-2", "nearest-5", "template")


def by_loops(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], groups: list[int], rule: str
) -> NDArray[np.float64]:
    result = np.zeros((len(queries), max(groups) + 1))
    for row, query in enumerate(queries.astype(np.float64)):
        for group in range(result.shape[1]):
            members = [
                v.astype(np.float64) for v, g in zip(vectors, groups, strict=True) if g == group
            ]
            if rule == "template":
                mean = np.sum(members, axis=0)
                template = mean / np.linalg.norm(mean)
                result[row, group] = np.sum((query - template) ** 2)
            else:
                near = sorted(float(np.sum((query - each) ** 2)) for each in members)
                result[row, group] = np.mean(near[: int(rule.removeprefix("nearest-"))])
    return result


@given(vectors=vector_sets(least=1, most=30), data=st.data(), rule=st.sampled_from(RULES))
@settings(max_examples=80, deadline=None)
def test_equal_plain_loops_in_any_tiles(
    vectors: NDArray[np.float32], data: st.DataObject, rule: str
) -> None:
    drawn = data.draw(st.lists(st.integers(0, 6), min_size=len(vectors), max_size=len(vectors)))
    groups = np.unique(drawn, return_inverse=True)[1].astype(np.int64)
    queries = np.concatenate([unit_vectors(5, vectors.shape[1], 1), vectors[:3]])
    expected = by_loops(queries, vectors, groups.tolist(), rule)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups_module, "_TILE_BYTES", data.draw(st.sampled_from([1, 200, 10**6])))
        found = VectorGroups(vectors, groups, GroupRule.parse(rule))
        np.testing.assert_allclose(found.distances(queries), expected, rtol=1e-5, atol=1e-7)
        require_nearest(found, queries, None)
        require_nearest(found, queries, np.arange(len(queries)) % len(found))


def require_nearest(
    groups: VectorGroups, queries: NDArray[np.float32], without: NDArray[np.int64] | None
) -> None:
    """The two nearest are the first two of all distances sorted, ties by group."""
    nearest = groups.nearest_two(queries, without)
    for row, distances in enumerate(groups.distances(queries)):
        pairs = [(d, g) for g, d in enumerate(distances) if without is None or g != without[row]]
        pairs = (sorted(pairs) + [(np.inf, -1)] * 2)[:2]
        assert nearest.groups[row].tolist() == [group for _, group in pairs]
        assert nearest.distances[row].tolist() == [distance for distance, _ in pairs]


def test_template_of_opposite_vectors_is_one_of_them() -> None:
    vectors = np.array([[1, 0], [-1, 0]], np.float32)
    groups = VectorGroups(vectors, np.zeros(2, np.int64), GroupRule(None))
    assert groups.distances(vectors[:1]).tolist() == [[0.0]]


def test_no_groups_and_no_queries() -> None:
    none = np.zeros((0, 8), np.float32)
    empty = VectorGroups(none, np.zeros(0, np.int64), GroupRule(None))
    assert empty.distances(unit_vectors(3, 8, 0)).shape == (3, 0)
    assert empty.nearest_two(unit_vectors(3, 8, 0)).groups.tolist() == [[-1, -1]] * 3
    one = VectorGroups(unit_vectors(1, 8, 0), np.zeros(1, np.int64), GroupRule())
    assert one.nearest_two(none).groups.shape == (0, 2)


@pytest.mark.parametrize("rule", RULES)
def test_rules_have_names(rule: str) -> None:
    assert str(GroupRule.parse(rule)) == rule


@pytest.mark.parametrize("rule", ["nearest", "nearest-0", "mean", "", "template "])
def test_unknown_rules_are_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="nearest-M"):
        GroupRule.parse(rule)


def test_wrong_input_is_refused() -> None:
    vectors = unit_vectors(3, 8, 0)
    with pytest.raises(ValueError, match="a group for each of 3"):
        VectorGroups(vectors, np.zeros(2, np.int64), GroupRule())
    with pytest.raises(ValueError, match="every group to have a member"):
        VectorGroups(vectors, np.array([0, 2, 2]), GroupRule())
    with pytest.raises(InvalidVectorsError, match="unit length"):
        VectorGroups(2 * vectors, np.zeros(3, np.int64), GroupRule())
    groups = VectorGroups(vectors, np.arange(3), GroupRule())
    with pytest.raises(InvalidVectorsError, match="8 components"):
        groups.distances(unit_vectors(1, 9, 0))
