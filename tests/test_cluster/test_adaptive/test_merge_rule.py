"""At which distance two groups merge."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cluster.test_adaptive.rules import RULE, plain_excess, rules

from cluster.adaptive.merge_rule import MOST_WRONG, MergeRule, excess_of

sizes = st.integers(1, 500)


@given(rules(), st.floats(0.001, 4), sizes, sizes)
def test_excess_is_as_defined_by_kernel_and_by_numpy(
    rule: MergeRule, distance: float, one: int, two: int
) -> None:
    wanted = plain_excess(rule, distance, one, two)
    assert rule.excess(distance, one, two) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    kernel = excess_of(rule.parameters(), distance, float(one), float(two))
    assert kernel == pytest.approx(wanted, rel=1e-6, abs=1e-6)


@given(rules(), sizes, sizes)
def test_the_distance_of_two_sizes_is_where_the_excess_is_zero(
    rule: MergeRule, one: int, two: int
) -> None:
    assert rule.excess(rule.distance(one, two), one, two) == pytest.approx(0, abs=1e-6)
    assert rule.distance(one, two) == pytest.approx(rule.distance(two, one))


@given(rules(), st.floats(-1, 1), sizes, sizes, st.floats(1e-6, 1))
def test_no_sizes_merge_beyond_the_farthest(
    rule: MergeRule, excess: float, one: int, two: int, more: float
) -> None:
    assert rule.excess(rule.farthest(excess) * (1 + more), one, two) > excess


@given(rules())
def test_a_rule_survives_a_file(rule: MergeRule) -> None:
    assert MergeRule.of(rule.as_dict()) == rule


@pytest.mark.parametrize("missing", ["law_mean", "slope", "beyond"])
def test_a_rule_that_lacks_something_is_refused(missing: str) -> None:
    values = {name: value for name, value in RULE.as_dict().items() if name != missing}
    with pytest.raises((KeyError, TypeError)):
        MergeRule.of(values)


def test_the_chance_of_being_right_falls_with_the_excess() -> None:
    chances = RULE.chance_right(np.array([-3.0, -1, 0, 1, 3]))
    assert (np.diff(chances) < 0).all()
    assert chances[2] == pytest.approx(1 - MOST_WRONG)
    assert RULE.chance_right(-100) == pytest.approx(1)


def test_larger_groups_may_merge_farther_than_single_faces() -> None:
    assert RULE.distance(1, 1) < RULE.distance(1, 40)
    assert RULE.distance(1, 40) > RULE.distance(1, 2)
    stricter = dataclasses.replace(RULE, intercept=RULE.intercept - 2)
    assert stricter.distance(1, 1) < RULE.distance(1, 1)
