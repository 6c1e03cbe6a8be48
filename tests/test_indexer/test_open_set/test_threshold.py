"""Thresholds for a rate: what is promised holds for searches that were not seen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from indexer.errors import TooFewImpostorsError
from indexer.open_set.group_distances import GroupRule, VectorGroups
from indexer.open_set.threshold import (
    ImpostorSample,
    clopper_pearson,
    open_set_threshold,
    search_each_other,
    search_strangers,
)

RULE = GroupRule(None)
DIMENSION = 12


def people(count: int, each: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """``each`` unit vectors of every person, (count * each, d), one person's after another's."""
    centres = np.repeat(rng.standard_normal((count, DIMENSION)), each, axis=0)
    vectors = centres + 0.3 * rng.standard_normal(centres.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def among_themselves(vectors: NDArray[np.float32], each: int) -> ImpostorSample:
    return search_each_other(vectors, np.arange(len(vectors)) // each, RULE)


def strangers_of(
    vectors: NDArray[np.float32], each: int, rng: np.random.Generator, count: int
) -> NDArray[np.float32]:
    """Nearest distances of new people, one search each."""
    groups = VectorGroups(vectors, np.arange(len(vectors)) // each, RULE)
    return search_strangers(groups, people(count, 1, rng), np.arange(count)).distances


def test_searches_leave_their_group_out() -> None:
    vectors = people(7, 3, np.random.default_rng(0))
    found = among_themselves(vectors, 3)
    assert found.searched == 6 and found.independent == 3.5
    for row, distance in enumerate(found.distances.tolist()):
        others = np.arange(21) // 3 != row // 3
        rest = VectorGroups(vectors[others], np.arange(18) // 3, RULE)
        assert distance == rest.distances(vectors[[row]]).min()


def test_strangers_that_are_too_near_are_left_out() -> None:
    groups = VectorGroups(people(7, 3, np.random.default_rng(0)), np.arange(21) // 3, RULE)
    strangers = people(40, 1, np.random.default_rng(1))
    everyone = search_strangers(groups, strangers, np.arange(40))
    beyond = float(np.median(everyone.distances))
    kept = search_strangers(groups, strangers, np.arange(40), beyond)
    np.testing.assert_array_equal(kept.identities, np.flatnonzero(everyone.distances > beyond))
    assert kept.distances.min() > beyond and (kept.searched, kept.beyond) == (7, beyond)


@pytest.mark.parametrize("fpir", [0.1, 0.03])
def test_counted_rate_holds_for_strangers(fpir: float) -> None:
    observed, covered = [], 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        vectors = people(400, 2, rng)
        found = open_set_threshold([among_themselves(vectors, 2)], 400, fpir)
        assert found.method == "count"
        rate = float((strangers_of(vectors, 2, rng, 5000) <= found.threshold).mean())
        observed.append(rate)
        covered += found.low <= rate <= found.high
    assert np.mean(observed) == pytest.approx(fpir, rel=0.2)
    assert covered >= 17  # of 20, at 95%; a right interval fails here once in 400


def test_tail_rate_holds_for_strangers() -> None:
    observed, covered = [], 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        vectors = people(150, 2, rng)
        distances = strangers_of(vectors, 2, rng, 450)
        strangers = ImpostorSample(distances, np.arange(450), 150)
        found = open_set_threshold([among_themselves(vectors, 2), strangers], 150, 0.01)
        assert found.method == "tail" and found.identities == 600
        rate = float((strangers_of(vectors, 2, rng, 10_000) <= found.threshold).mean())
        observed.append(rate)
        covered += found.low <= rate <= found.high
    assert np.mean(observed) == pytest.approx(0.01, rel=0.35)
    assert covered >= 15  # the law is an approximation, and the interval does not know


@pytest.mark.slow
def test_a_family_does_not_set_the_rate_of_strangers() -> None:
    named, covered = [], 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        vectors = people(60, 2, rng)
        vectors[:, 0] += np.float32(0.5)  # all of them resemble each other
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        groups = VectorGroups(vectors, np.arange(120) // 2, RULE)
        crowd = people(600, 1, rng)
        beyond = float(np.quantile(groups.nearest_two(crowd).distances[:, 0], 0.02))
        strangers = search_strangers(groups, crowd, np.arange(600), beyond)
        found = open_set_threshold([among_themselves(vectors, 2), strangers], 60, 0.01)
        rate = float((strangers_of(vectors, 2, rng, 10_000) <= found.threshold).mean())
        named.append(rate)
        covered += found.low <= rate <= found.high
    assert np.mean(named) == pytest.approx(0.01, rel=0.35)
    assert covered >= 16


def test_what_lies_too_near_to_tell_is_not_missed() -> None:
    rng = np.random.default_rng(0)
    vectors = people(50, 2, rng)
    distances = strangers_of(vectors, 2, rng, 5000)
    beyond = float(np.quantile(distances, 0.05))
    informative = distances[distances > beyond]
    known = ImpostorSample(informative, np.arange(len(informative)), 50, beyond)
    naive = ImpostorSample(informative, np.arange(len(informative)), 50)
    rates = [
        float(
            (
                strangers_of(vectors, 2, rng, 20_000) <= open_set_threshold(s, 50, 0.01).threshold
            ).mean()
        )
        for s in ([known], [naive])
    ]
    assert rates[0] == pytest.approx(0.01, rel=0.4)
    assert rates[1] > 2 * rates[0]


def test_threshold_of_a_larger_gallery_is_lower() -> None:
    vectors = people(400, 2, np.random.default_rng(3))
    sample = among_themselves(vectors, 2)
    for fpir in (0.05, 0.001):
        found = [open_set_threshold([sample], groups, fpir) for groups in (400, 800, 4000)]
        assert found[0].threshold > found[1].threshold > found[2].threshold
        assert found[0].threshold < open_set_threshold([sample], 400, 2 * fpir).threshold


def test_every_identity_counts_as_one() -> None:
    distances = np.linspace(0.1, 0.4, 200).astype(np.float32)
    once = ImpostorSample(distances, np.arange(200), 10)
    thrice = ImpostorSample(np.repeat(distances, 3), np.repeat(np.arange(200), 3), 10)
    first, second = (open_set_threshold([each], 10, 0.01) for each in (once, thrice))
    assert second.threshold == pytest.approx(first.threshold, rel=1e-6)
    assert (first.low, first.high) == pytest.approx((second.low, second.high), rel=1e-6)


@pytest.mark.parametrize(("events", "searches"), [(0, 50), (3, 50), (50, 50), (1, 7)])
def test_interval_is_clopper_and_pearsons(events: int, searches: int) -> None:
    low, high = clopper_pearson(events, searches)
    if events:
        assert binom.sf(events - 1, searches, low) == pytest.approx(0.025)
    if events < searches:
        assert binom.cdf(events, searches, high) == pytest.approx(0.025)
    assert (low == 0) == (events == 0) and (high == 1) == (events == searches)


@pytest.mark.parametrize("fpir", [0.0, -0.1, 0.2, float("nan")])
def test_rates_out_of_range_are_refused(fpir: float) -> None:
    sample = ImpostorSample(np.linspace(0.1, 0.4, 99, dtype=np.float32), np.arange(99), 9)
    with pytest.raises(ValueError, match="at most"):
        open_set_threshold([sample], 9, fpir)


def test_too_little_to_learn_from_is_refused() -> None:
    few = ImpostorSample(np.linspace(0.1, 0.4, 29, dtype=np.float32), np.arange(29), 9)
    with pytest.raises(TooFewImpostorsError, match="30 or more identities to search for, got 29"):
        open_set_threshold([few], 9, 0.01)
    with pytest.raises(TooFewImpostorsError, match="got 0"):
        open_set_threshold([], 9, 0.01)
    same = ImpostorSample(np.full(50, 0.3, np.float32), np.arange(50), 9)
    with pytest.raises(TooFewImpostorsError, match="fixes no law"):
        open_set_threshold([same], 9, 0.01)
    equal = ImpostorSample(np.full(2000, 0.3, np.float32), np.arange(2000), 1999, mutual=True)
    with pytest.raises(TooFewImpostorsError, match="distances that differ"):
        open_set_threshold([equal], 2000, 0.01)


@pytest.mark.parametrize(
    ("distances", "identities", "searched", "beyond"),
    [
        ([0.1, 0.2], [1], 5, 0.0),
        ([0.1, np.inf], [1, 2], 5, 0.0),
        ([0.1, 0.2], [1, 2], 0, 0.0),
        ([0.1, 0.2], [1, 2], 5, 0.15),
    ],
)
def test_samples_that_cannot_be_are_refused(
    distances: list[float], identities: list[int], searched: int, beyond: float
) -> None:
    with pytest.raises(ValueError, match="expected"):
        ImpostorSample(
            np.array(distances, np.float32), np.array(identities, np.int64), searched, beyond
        )
