"""At which distance two groups merge."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cluster.test_adaptive.rules import RULE, log_odds, plain_excess, rules

from cluster.adaptive.merge_rule import LOOSEST, TIGHTEST, MergeRule, excess_of

sizes = st.integers(1, 500)


@given(rules(), st.floats(0.001, 4), sizes, sizes)
def test_excess_is_as_defined_by_kernel_and_by_numpy(
    rule: MergeRule, distance: float, one: int, two: int
) -> None:
    wanted = plain_excess(rule, distance, one, two)
    assert rule.excess(distance, one, two) == pytest.approx(wanted, rel=1e-9, abs=1e-7)
    kernel = excess_of(rule.parameters(), distance, float(one), float(two))
    assert kernel == pytest.approx(wanted, rel=1e-6, abs=1e-6)


@given(rules(), sizes, sizes)
def test_the_distance_of_two_sizes_is_where_the_excess_is_zero(
    rule: MergeRule, one: int, two: int
) -> None:
    assert rule.excess(rule.distance(one, two), one, two) == pytest.approx(0, abs=1e-6)
    assert rule.distance(one, two) == pytest.approx(rule.distance(two, one))


@given(rules(), sizes, sizes)
def test_at_the_cut_right_and_wrong_are_as_likely(rule: MergeRule, one: int, two: int) -> None:
    cut = float(rule.cut(one, two))
    if TIGHTEST < cut < LOOSEST:
        assert log_odds(rule, cut, one, two) == pytest.approx(0, abs=1e-6)


@given(rules(), st.floats(-1, 1), sizes, sizes, st.floats(1e-6, 1))
def test_no_sizes_merge_beyond_the_farthest(
    rule: MergeRule, excess: float, one: int, two: int, more: float
) -> None:
    assert rule.excess(rule.farthest(excess) * (1 + more), one, two) > excess


@given(rules())
def test_a_rule_survives_a_file(rule: MergeRule) -> None:
    assert MergeRule.of(rule.as_dict()) == rule


@pytest.mark.parametrize("missing", ["law_mean", "slope", "beyond", "groups_of_8"])
def test_a_rule_that_lacks_something_is_refused(missing: str) -> None:
    values = {name: value for name, value in RULE.as_dict().items() if name != missing}
    with pytest.raises((KeyError, TypeError)):
        MergeRule.of(values)


def test_larger_groups_may_merge_farther_than_single_faces() -> None:
    assert RULE.distance(1, 1) < RULE.distance(1, 40)
    assert RULE.distance(1, 1) < RULE.distance(40, 40)
    stricter = dataclasses.replace(RULE, intercept=RULE.intercept - 2)
    assert stricter.distance(1, 1) < RULE.distance(1, 1)


@given(rules(), st.integers(2, 500), st.integers(2, 500), st.floats(2, 1000))
def test_strangers_make_stricter_what_they_may_be_taken_for_and_nothing_else(
    rule: MergeRule, one: int, two: int, times: float
) -> None:
    single, *rest = rule.groups
    among = dataclasses.replace(rule, groups=(max(single, 1) * times, *rest))
    assert among.cut(1, 1) <= rule.cut(1, 1)
    assert among.cut(1, two) <= rule.cut(1, two)
    assert among.cut(one, two) == rule.cut(one, two)


def test_single_faces_pair_up_less_readily_where_few_have_a_second() -> None:
    crowd = dataclasses.replace(RULE, groups=(500.0, 10.0, 8.0, 8.0, 8.0, 8.0))
    assert crowd.distance(1, 1) < RULE.distance(1, 1)
    assert crowd.distance(1, 20) == pytest.approx(RULE.distance(1, 20))
