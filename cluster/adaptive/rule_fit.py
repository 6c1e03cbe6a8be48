"""The odds that a merge is right, learnt from how often groups merge and how often by chance.

As merging goes on to greater z, impostors would merge at a rate that the law of impostors gives:
(pairs of groups) x (density at z). What merges beyond that is right. So in each class of sizes and
each step of z the number of merges is Poisson with mean E (1 + r), where E is expected of
impostors, and r are the odds that a merge is right (:mod:`cluster.adaptive.merge_rule`). That is a
local false discovery rate, 1 / (1 + r) (Efron 2004, "Large-scale simultaneous hypothesis testing"),
fitted by maximum likelihood with a prior. How many groups there are to choose from is part of r, so
that what is fitted differs little between galleries: the prior is narrow, small galleries are cut
much as they are once they have grown, and strangers change only what they have to.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from cluster.adaptive.impostor_law import ImpostorLaw
from cluster.adaptive.merge_rule import CENTRE, COUNTED_SIZES, MOST_COUNTED, MergeRule
from cluster.adaptive.scored_linkage import MergeHistory

# Prior means and deviations of intercept, slope, smaller and larger.
PRIOR = np.array([5.8, 3.9, -1.2, 0.4])
PRIOR_DEVIATIONS = np.array([1.0, 0.4, 0.5, 0.3])
LEAST_SLOPE = 2.0  # up to where odds still fall as z rises, in all that is cut

_CLASSES = np.array(COUNTED_SIZES[1:], np.float64)  # sizes at which the next class begins
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
    z = merged_at(rule, history, law)
    rule = replace(rule, law=law, groups=groups_at_cut(history))
    values = np.array([rule.intercept, rule.slope, rule.smaller, rule.larger])
    for _ in range(_ROUNDS):
        prior = rule.prior(counts.small, counts.large)
        cut = rule.cut(counts.small, counts.large)
        values = _most_likely(counts, prior, cut, values)
        intercept, slope, smaller, larger = (float(value) for value in values)
        rule = replace(rule, intercept=intercept, slope=slope, smaller=smaller, larger=larger)
        rule = replace(rule, groups=groups_within(rule, history, z))
    return rule


def merged_at(rule: MergeRule, history: MergeHistory, law: ImpostorLaw) -> Floats:
    """At which z, by ``law``, each merge was made that ``rule`` scored; float64 (m,)."""
    sizes = history.sizes.astype(np.float64)
    one, two = sizes[:, 0], sizes[:, 1]
    z: Floats = law.z(rule.law.distance(history.excess + rule.cut(one, two), one, two), one, two)
    return z


def groups_within(rule: MergeRule, history: MergeHistory, z: Floats) -> tuple[float, ...]:
    """How many groups of at least each of the sizes counted ``rule`` leaves, of merges at ``z``."""
    sizes = history.sizes
    made = z <= rule.cut(sizes[:, 0].astype(np.float64), sizes[:, 1].astype(np.float64))
    made[: history.given] = True
    return _counted(history.vectors, sizes[made])


def merge_counts(rule: MergeRule, history: MergeHistory, law: ImpostorLaw) -> MergeCounts:
    """How many merges ``rule`` made, and are expected of impostors of ``law``; z is by ``law``."""
    excess, sizes = history.excess[history.given :], history.sizes[history.given :]
    start = math.floor(excess[0] / _STEP) * _STEP - _STEP
    # Merging went to the cut at least: that nothing merged on the way there says something too.
    steps = round((max(float(excess[-1]), 0.0) - start) / _STEP) + 2
    edges = start + _STEP * np.arange(steps + 1)
    classes = np.searchsorted(_CLASSES, sizes, side="right")
    groups = _groups_by_step(history, edges)
    one, two = np.triu_indices(len(_TYPICAL))
    pairs = np.where(
        (one == two)[:, None], groups[one] * (groups[one] - 1) / 2, groups[one] * groups[two]
    )
    small, large = _TYPICAL[one], _TYPICAL[two]
    sizes_of = small[:, None], large[:, None]
    z = law.z(rule.law.distance(edges + rule.cut(*sizes_of), *sizes_of), *sizes_of)
    expected = np.maximum(pairs, 0) * np.diff(ndtr(z), axis=1)
    number = np.zeros((len(_TYPICAL),) * 2, np.int64)
    number[one, two] = number[two, one] = np.arange(len(one))
    seen = np.zeros_like(expected)
    step = np.clip(np.searchsorted(edges, excess, side="right") - 1, 0, steps - 1)
    np.add.at(seen, (number[classes[:, 0], classes[:, 1]], step), 1)
    return MergeCounts(expected, seen, (z[:, :-1] + z[:, 1:]) / 2, small, large)


def groups_at_cut(history: MergeHistory) -> tuple[float, ...]:
    """How many groups of at least each of the sizes counted there are at an excess of 0."""
    made = history.given + int(np.searchsorted(history.excess[history.given :], 0, side="right"))
    return _counted(history.vectors, history.sizes[:made])


def _counted(vectors: int, sizes: NDArray[np.int64]) -> tuple[float, ...]:
    """Groups of at least each of the sizes counted, of ``vectors`` after merges of ``sizes``."""
    counts = np.zeros(len(COUNTED_SIZES))
    counts[0] = vectors
    np.add.at(counts, np.searchsorted(_CLASSES, sizes.sum(axis=1), side="right"), 1)
    np.subtract.at(counts, np.searchsorted(_CLASSES, sizes.ravel(), side="right"), 1)
    at_least = np.cumsum(counts[::-1])
    # Where merges that others were made of do not count, there could be fewer of small groups.
    return tuple(np.maximum.accumulate(at_least)[::-1].tolist())


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


def _most_likely(counts: MergeCounts, prior: Floats, cut: Floats, start: Floats) -> Floats:
    """Intercept, slope, smaller and larger of the greatest posterior density around the cut.

    ``prior`` and ``cut`` are those of each class of pairs of sizes.
    """
    weight = np.exp(-0.5 * ((counts.z - cut[:, None]) / _WIDTH) ** 2)
    used = (counts.expected > 0) & (weight > _LEAST_WEIGHT)
    expected, seen, weight = counts.expected[used], counts.seen[used], weight[used]
    depth = CENTRE - counts.z[used]
    known = 0.5 * depth**2 + np.broadcast_to(prior[:, None], used.shape)[used]
    columns = np.stack(
        [
            np.ones_like(expected),
            depth,
            np.broadcast_to(np.log(counts.small)[:, None], used.shape)[used],
            np.broadcast_to(np.log(counts.large)[:, None], used.shape)[used],
        ],
        axis=1,
    )

    def loss(values: Floats) -> tuple[float, Floats]:
        odds = np.exp(np.clip(known + columns @ values, -_MOST_LOG_ODDS, _MOST_LOG_ODDS))
        mean = expected * (1 + odds)
        off = (values - PRIOR) / PRIOR_DEVIATIONS
        total = (weight * (mean - seen * np.log(mean))).sum() + 0.5 * (off**2).sum()
        slope = columns.T @ (weight * odds * (expected - seen / (1 + odds)))
        return float(total), slope + off / PRIOR_DEVIATIONS

    bounds = [(None, None), (LEAST_SLOPE, None), (None, None), (None, None)]
    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found
