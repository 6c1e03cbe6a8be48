"""The simulated cluster does all work once, and the estimate grows as it says."""

from __future__ import annotations

import heapq
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.jobs import scale_model
from benchmarks.jobs.scale_model import NONE, Hazards, Prices, estimate, limits, simulate


@settings(max_examples=50, deadline=None)
@given(shards=st.integers(1, 60), workers=st.integers(1, 20), seconds=st.floats(1, 1e5))
def test_without_hazards_the_time_is_that_of_equal_rounds(
    shards: int, workers: int, seconds: float
) -> None:
    found = simulate(shards, workers, seconds, NONE, seed=0)
    assert found["hours"] == pytest.approx(math.ceil(shards / workers) * seconds / 3600)
    assert (found["failures"], found["lost_hours"]) == (0, 0)


def test_unequal_shards_are_scheduled_as_a_queue() -> None:
    hazards = Hazards(0.8, 0.0, 0.0, 1.0, math.inf, 0.0)
    cluster = scale_model._Cluster(4, hazards, seed=5)
    cluster._spread = lambda deviation, count: lengths  # type: ignore[method-assign]
    lengths = scale_model.np.random.default_rng(1).random(30) + 0.1
    free = [0.0] * 4
    for length in lengths:
        heapq.heappush(free, heapq.heappop(free) + 10 * length)
    assert cluster.run(30, 10).hours == pytest.approx(max(free) / 3600)


def test_failures_cost_time_and_every_shard_is_done() -> None:
    often = Hazards(0.3, 0.1, 0.05, 5.0, 0.5, 60.0)
    cluster = scale_model._Cluster(8, often, seed=2)
    outcome = cluster.run(200, 600)
    assert {*cluster._ends} == {*range(200)}
    assert outcome.failures > 10
    assert outcome.lost_hours > 0
    assert outcome.hours > 200 * 600 / 8 / 3600


def test_the_same_seed_gives_the_same() -> None:
    hazards = Hazards(straggler_share=0.1, straggler_factor=10, hours_to_failure=1.0)
    plain = simulate(50, 20, 100, hazards, 3)
    assert plain == simulate(50, 20, 100, hazards, 3)
    assert plain != simulate(50, 20, 100, hazards, 4)


def test_estimates_grow_in_proportion_but_the_graph() -> None:
    unit = scale_model.unit_costs()
    one, ten = (estimate(n, 1.0, unit, Prices()) for n in (10**9, 10**10))
    for key in ("indexing_core_hours", "stored_gib", "search_machines", "linkage_core_hours"):
        assert ten[key] == pytest.approx(10 * one[key])
    for key in ("graph_core_hours", "exact_graph_core_hours"):
        assert ten[key] == pytest.approx(100 * one[key])
    free = estimate(10**9, 1.0, unit, Prices(0, 0, 0, 0))
    assert (free["once_dollars"], free["month_dollars"]) == (0, 0)
    assert all(value > 0 for value in vars(unit).values())


def test_limits_are_ordered() -> None:
    faces = [each["faces"] for each in limits(scale_model.unit_costs())]
    assert faces == sorted(faces)
