"""The odds that merges are right, learnt from merges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri
from test_cluster.test_adaptive.rules import RULE, expected_merges

from cluster.adaptive.clustering import dendrogram_of
from cluster.adaptive.impostor_law import ImpostorLaw
from cluster.adaptive.merge_rule import COUNTED_SIZES, MergeRule
from cluster.adaptive.rule_fit import (
    PRIOR,
    fitted_rule,
    groups_at_cut,
    groups_within,
    merge_counts,
    merged_at,
)
from cluster.adaptive.scored_linkage import MergeHistory, scored_linkage
from support.vectors import grouped_vectors


def history_of(excess: np.ndarray, vectors: int) -> MergeHistory:
    """Single vectors that merge in pairs, at these excesses."""
    count = len(excess)
    members = np.arange(2 * count).reshape(count, 2)
    return MergeHistory(members, np.sort(excess), np.ones((count, 2), np.int64), 0, vectors)


VECTORS = 20_000
CROWD = replace(RULE, groups=(18_000.0, 1500.0, 200.0, 50.0, 20.0, 9.0))


def made_history(right: float, seed: int, vectors: int = VECTORS) -> MergeHistory:
    """Impostors merge by their law; right merges come at a rate beside them, far from the cut."""
    rng = np.random.default_rng(seed)
    cut = float(CROWD.cut(1, 1))
    pairs = vectors**2 / 2
    top = cut + 0.5
    wrong = rng.poisson(expected_merges(pairs, -20, top))
    share = np.array([expected_merges(1, -20, top)])
    z = ndtri(rng.uniform(0, share, wrong))
    good = rng.normal(cut - 1, 0.6, int(right))
    z = np.concatenate([z, good])
    return history_of(z[z < top] - cut, vectors)


def test_counts_are_those_of_plain_loops() -> None:
    vectors, _ = grouped_vectors(60, 5, seed=2, spread=0.9)
    rule = replace(RULE, law=ImpostorLaw(0.4, 0.25))
    history = scored_linkage(vectors, np.ones(300), rule, 0.5)
    counts = merge_counts(rule, history, rule.law)
    assert counts.seen.sum() == len(history.excess)
    bounds = [1, 2, 4, 8, 16, 32, 10**9]
    one, two = np.triu_indices(6)
    sizes = dict.fromkeys(range(300), 1)
    step = 0
    seen = np.zeros_like(counts.seen)
    groups = np.zeros((len(bounds) - 1, counts.seen.shape[1]))
    start = history.excess[0]
    edges = np.floor(start / 0.1) * 0.1 - 0.1 + 0.1 * np.arange(counts.seen.shape[1] + 1)
    for merge, excess in enumerate([*history.excess, np.inf]):
        while step < groups.shape[1] and (edges[step] + edges[step + 1]) / 2 <= excess:
            for size in sizes.values():
                groups[np.searchsorted(bounds, size, side="right") - 1, step] += 1
            step += 1
        if merge == len(history.excess):
            break
        a, b = history.members[merge].tolist()
        kinds = sorted(
            int(np.searchsorted(bounds, size, side="right") - 1) for size in (sizes[a], sizes[b])
        )
        place = int(np.flatnonzero((one == kinds[0]) & (two == kinds[1]))[0])
        seen[place, np.searchsorted(edges, excess, side="right") - 1] += 1
        sizes[min(a, b)] = sizes[a] + sizes[b]
        del sizes[max(a, b)]
    np.testing.assert_array_equal(counts.seen, seen)
    for place, (a, b) in enumerate(zip(one.tolist(), two.tolist(), strict=True)):
        for at in range(seen.shape[1]):
            n, m = groups[a, at], groups[b, at]
            pairs = n * (n - 1) / 2 if a == b else n * m
            cut = float(rule.cut(counts.small[place], counts.large[place]))
            wanted = expected_merges(pairs, edges[at] + cut, edges[at + 1] + cut)
            assert counts.expected[place, at] == pytest.approx(wanted, rel=1e-6, abs=1e-12)


def test_groups_are_counted_as_they_are_at_the_cut() -> None:
    vectors, _ = grouped_vectors(60, 5, seed=2, spread=0.9)
    rule = replace(RULE, law=ImpostorLaw(0.4, 0.25))
    history = scored_linkage(vectors, np.ones(300), rule, 0.5)
    labels = dendrogram_of(history, None).groups(0.0)
    sizes = np.bincount(labels)
    found = groups_at_cut(history)
    assert found == tuple(float((sizes >= least).sum()) for least in COUNTED_SIZES)
    assert groups_within(rule, history, merged_at(rule, history, rule.law)) == found


def test_groups_are_counted_at_the_cut_that_is_fitted() -> None:
    history = made_history(600, seed=2)
    rule = fitted_rule(CROWD, history, CROWD.law)
    z = history.excess + float(CROWD.cut(1, 1))
    within = int((z <= float(rule.cut(1, 1))).sum())
    assert within != int((history.excess <= 0).sum())
    singles, pairs = rule.groups[:2]
    assert pairs == pytest.approx(within, rel=0.05)
    assert singles == VECTORS - pairs


def test_the_cut_goes_where_as_many_merges_are_wrong_as_right() -> None:
    histories = [made_history(right, seed=1) for right in (50, 600, 1500)]
    rules = [fitted_rule(CROWD, history, CROWD.law) for history in histories]
    cuts = [float(rule.cut(1, 1)) for rule in rules]
    assert cuts[0] < cuts[1] < cuts[2]
    z = histories[1].excess + float(CROWD.cut(1, 1))
    near = abs(z - cuts[1]) < 0.15
    wrong = expected_merges(VECTORS**2 / 2, cuts[1] - 0.15, cuts[1] + 0.15)
    assert 0.3 < wrong / near.sum() < 0.75


def test_where_only_impostors_merge_the_cut_is_far_away() -> None:
    rule = fitted_rule(CROWD, made_history(0, seed=3), CROWD.law)
    assert expected_merges(VECTORS**2 / 2, -20, float(rule.cut(1, 1))) < 5


def test_few_merges_leave_the_usual_shape() -> None:
    nothing = MergeHistory(
        np.zeros((0, 2), np.int64), np.zeros(0), np.zeros((0, 2), np.int64), 0, 50
    )
    assert fitted_rule(RULE, nothing, RULE.law) == RULE
    one = fitted_rule(RULE, history_of(np.array([-2.0]), 50), RULE.law)
    found = (one.intercept, one.slope, one.smaller, one.larger)
    np.testing.assert_allclose(found, PRIOR, atol=0.5)


def test_another_law_is_used_as_if_merges_had_been_scored_by_it() -> None:
    history = made_history(500, seed=4)
    law = ImpostorLaw(RULE.law.mean + 0.05, RULE.law.deviation * 1.2)
    same = MergeRule(law, RULE.beyond, RULE.usual, 6.0, 4.5, 0.0, 0.0)
    counts = merge_counts(RULE, history, law)
    singles = int(np.flatnonzero((counts.small == 1) & (counts.large == 1))[0])
    # The middle of a step is the z, by the other law, of the distance it stood for.
    excess = counts.z[singles] - (counts.z[singles][0])
    assert np.diff(excess).max() == pytest.approx(0.1 / 1.2, rel=1e-6)
    distance = np.exp(law.mean + law.deviation * counts.z[singles])
    np.testing.assert_allclose(same.z(distance, 1, 1), counts.z[singles])
