"""Decisions last: the simulation of ``benchmarks/decisions.py`` on made vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.decisions import Expected, simulate, unexplained
from cluster.types import Clustering
from facesearch.decided import Person
from facesearch.matching import Changes
from facesearch.people import People
from facesearch.persons import PeopleNow
from support.vectors import grouped_vectors


@pytest.mark.parametrize("seed", [0, 1])
def test_no_decision_is_lost_and_every_change_is_explained(tmp_path: Path, seed: int) -> None:
    vectors, truth = grouped_vectors(40, 8, seed, spread=0.9)
    rounds, made = simulate(tmp_path / "made.gallery", vectors, truth, seed, (0.95, 0.85))
    assert len(rounds) == 11 and made.total() == 30
    assert len(made) >= 5
    assert {each.full for each in rounds} == {True, False}
    assert sum(each.moved for each in rounds) > 0  # or there was nothing to explain
    assert [each.lost for each in rounds] == [[]] * 11
    assert [each.unexplained for each in rounds] == [[]] * 11


def now_of(numbers: list[int]) -> PeopleNow:
    distinct, labels = np.unique(numbers, return_inverse=True)
    clustering = Clustering(
        np.arange(len(numbers), dtype=np.int64),
        labels.astype(np.int32),
        np.ones(len(numbers), np.float32),
    )
    return PeopleNow(clustering, tuple(Person(number) for number in distinct.tolist()))


def test_the_bookkeeping_notices_what_is_lost(tmp_path: Path) -> None:
    expected = Expected({0: 1, 1: 1}, {(2, 1)}, {1: "Ann"}, {2})
    assert len(expected.lost(now_of([1, 2, 1]), People(tmp_path))) == 4


def test_the_bookkeeping_notices_what_is_not_explained() -> None:
    assert unexplained(now_of([1, 1, 2]), now_of([1, 1, 2]), Changes()) == []
    assert len(unexplained(now_of([1, 1, 2]), now_of([1, 2, 2]), Changes())) == 1
    assert len(unexplained(now_of([1, 1, 2]), now_of([3, 3, 2]), Changes())) == 3
