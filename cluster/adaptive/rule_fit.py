"""The odds that a merge is right, learnt from how often groups merge and how often by chance.

As merging goes on to greater z, impostors would merge at a rate that the law of impostors gives:
(pairs of groups) x (density at z). What merges beyond that is right. So in each class of sizes and
each step of z the number of merges is Poisson with mean E (1 + r), where E is expected of
impostors, and r are the odds that a merge is right, log-linear in z and the sizes
(:mod:`cluster.adaptive.merge_rule`). That is a local false discovery rate, 1 / (1 + r) (Efron 2004,
"Large-scale simultaneous hypothesis testing"), fitted by maximum likelihood with a weak prior, so
that galleries of few merges have the usual shape and the rest find their own.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from cluster.adaptive.impostor_law import ImpostorLaw, size_factor
from cluster.adaptive.merge_rule import CENTRE, MOST_COUNTED, MergeRule
from cluster.adaptive.scored_linkage import MergeHistory

# Prior means and deviations of intercept, slope, smaller and larger.
PRIOR = np.array([-1.0, 4.0, -0.5, 0.6])
PRIOR_DEVIATIONS = np.array([3.0, 1.0, 0.1, 0.1])

_CLASSES = np.array([2.0, 4.0, 8.0, 16.0, 32.0])  # sizes at which the next class begins
_TYPICAL = np.array([1.0, 2.6, 5.3, 10.5, 21.0, float(MOST_COUNTED)])
_STEP = 0.1  # of z
_WIDTH = 1.0  # deviation, in z, of what counts around the cut
_LEAST_WEIGHT = 0.01
_ROUNDS = 4  # of fitting around the cut that the fit before gave
_MOST_LOG_ODDS = 30.0

Floats = NDArray[np.float64]


class MergeCounts(NamedTuple):
    """Float64 (classes of pairs of sizes, steps): merges ``expected`` of impostors and ``seen``,
    and ``z`` in the middle of each step; ``small`` and ``large`` (classes,) are typical sizes."""

    expected: Floats
    seen: Floats
    z: Floats
    small: Floats
    large: Floats


def fitted_rule(rule: MergeRule, history: MergeHistory, law: ImpostorLaw) -> MergeRule:
    """The rule of ``law`` with the odds that the merges made by ``rule``, ``history``, show."""
    if len(history.excess) - history.given < 1:
        return rule
    counts = merge_counts(rule, history, law)
    rule = replace(rule, law=law)
    values = np.array([rule.intercept, rule.slope, rule.smaller, rule.larger])
    for _ in range(_ROUNDS):
        cut = rule.cut(counts.small, counts.large)
        values = _most_likely(counts, cut, values)
        intercept, slope, smaller, larger = (float(value) for value in values)
        rule = replace(rule, intercept=intercept, slope=slope, smaller=smaller, larger=larger)
    return rule


def merge_counts(rule: MergeRule, history: MergeHistory, law: ImpostorLaw) -> MergeCounts:
    """How many merges ``rule`` made, and are expected of impostors of ``law``; z is by ``law``."""
    excess, sizes = history.excess[history.given :], history.sizes[history.given :]
    start = math.floor(excess[0] / _STEP) * _STEP - _STEP
    steps = round((excess[-1] - start) / _STEP) + 2
    edges = start + _STEP * np.arange(steps + 1)
    classes = np.searchsorted(_CLASSES, sizes, side="right")
    groups = _groups_by_step(history, edges)
    one, two = np.triu_indices(len(_TYPICAL))
    pairs = np.where(
        (one == two)[:, None], groups[one] * (groups[one] - 1) / 2, groups[one] * groups[two]
    )
    small, large = _TYPICAL[one], _TYPICAL[two]
    z = edges + rule.cut(small, large)[:, None]
    shift = (rule.law.mean - law.mean) / (law.deviation * size_factor(small, large))
    z = shift[:, None] + z * (rule.law.deviation / law.deviation)
    expected = np.maximum(pairs, 0) * np.diff(ndtr(z), axis=1)
    number = np.zeros((len(_TYPICAL),) * 2, np.int64)
    number[one, two] = number[two, one] = np.arange(len(one))
    seen = np.zeros_like(expected)
    step = np.clip(np.searchsorted(edges, excess, side="right") - 1, 0, steps - 1)
    np.add.at(seen, (number[classes[:, 0], classes[:, 1]], step), 1)
    return MergeCounts(expected, seen, (z[:, :-1] + z[:, 1:]) / 2, small, large)


def _groups_by_step(history: MergeHistory, edges: Floats) -> Floats:
    """How many groups of each class of sizes there are in the middle of each step; (6, steps)."""
    kinds = len(_TYPICAL)
    classes = np.searchsorted(_CLASSES, history.sizes, side="right")
    made = np.searchsorted(_CLASSES, history.sizes.sum(axis=1), side="right")
    change = np.zeros((len(made) + 1, kinds))
    change[0, 0] = history.vectors
    rows = np.arange(1, len(made) + 1)
    for column in range(2):
        np.add.at(change, (rows, classes[:, column]), -1)
    np.add.at(change, (rows, made), 1)
    after = np.cumsum(change, axis=0)
    middles = (edges[:-1] + edges[1:]) / 2
    done = history.given + np.searchsorted(history.excess[history.given :], middles)
    groups: Floats = after[done].T
    return groups


def _most_likely(counts: MergeCounts, cut: Floats, start: Floats) -> Floats:
    """Intercept, slope, smaller and larger of the greatest posterior density around the cut."""
    weight = np.exp(-0.5 * ((counts.z - cut[:, None]) / _WIDTH) ** 2)
    used = (counts.expected > 0) & (weight > _LEAST_WEIGHT)
    expected, seen, weight = counts.expected[used], counts.seen[used], weight[used]
    columns = np.stack(
        [
            np.ones_like(expected),
            CENTRE - counts.z[used],
            np.broadcast_to(np.log(counts.small)[:, None], used.shape)[used],
            np.broadcast_to(np.log(counts.large)[:, None], used.shape)[used],
        ],
        axis=1,
    )

    def loss(values: Floats) -> tuple[float, Floats]:
        odds = np.exp(np.clip(columns @ values, -_MOST_LOG_ODDS, _MOST_LOG_ODDS))
        mean = expected * (1 + odds)
        prior = (values - PRIOR) / PRIOR_DEVIATIONS
        total = (weight * (mean - seen * np.log(mean))).sum() + 0.5 * (prior**2).sum()
        slope = columns.T @ (weight * odds * (expected - seen / (1 + odds)))
        return float(total), slope + prior / PRIOR_DEVIATIONS

    bounds = [(None, None), (0.5, None), (None, None), (None, None)]
    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found
