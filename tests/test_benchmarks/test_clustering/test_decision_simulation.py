"""Decisions last: the simulation of ``benchmarks/clustering/decision_simulation.py`` on made
vectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.clustering.check_reported_changes import misnumbered, unexplained
from benchmarks.clustering.decision_simulation import Expected, Owner, played, simulate
from benchmarks.common.vector_gallery import vector_gallery
from cluster.types import Clustering
from facesearch.clustering import current_people, run
from facesearch.clustering.history import earlier_people
from facesearch.clustering.person_matching import ChangeContext, PeopleChanges, match_clusters
from facesearch.people.assignment import PersonAssignment, assign_people
from facesearch.people.projection import DecisionState, Person, replay
from facesearch.people.store import PeopleStore
from support.vectors import grouped_vectors


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_no_decision_is_lost_and_every_change_is_explained(tmp_path: Path, seed: int) -> None:
    vectors, truth = grouped_vectors(40, 8, seed, spread=0.9)
    rounds, made = simulate(tmp_path / "made.gallery", vectors, truth, seed, (0.95, 0.85))
    assert len(rounds) == 11 and made.total() == 30
    assert len(made) >= 5 and min(made["add"], made["undo"]) >= 2
    assert {each.full for each in rounds} == {True, False}
    assert sum(each.moved for each in rounds) > 0  # or there was nothing to explain
    assert [each.lost for each in rounds] == [[]] * 11
    assert [each.unexplained for each in rounds] == [[]] * 11


def swapped(*arguments: Any, **options: Any) -> Any:
    numbers = match_clusters(*arguments, **options)
    decided: DecisionState = arguments[3]
    free = np.flatnonzero(~np.isin(numbers, [*decided.people]))[:2]
    numbers[free] = numbers[free[::-1]]
    return numbers


def always(value: Any) -> Any:
    return lambda *_, **__: value


def forgetting(*arguments: Any, **options: Any) -> Any:
    """Faces of before as if they had been of nobody, when it comes to forming clusters."""
    earlier = earlier_people(*arguments, **options)
    return replace(earlier, undone=np.ones_like(earlier.undone))


EVERYBODY = frozenset(range(10_000))


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("match_clusters", swapped),
        ("earlier_people", forgetting),
        ("people_concerned", always(EVERYBODY)),
        ("_other_options", always("threshold changed from 0.95 to 0.85")),
        ("ChangeContext", lambda *arguments: ChangeContext(*arguments[:2], EVERYBODY)),
        (
            "assign_people",
            lambda clustering, numbers, *_, **__: assign_people(clustering, numbers, replay(())),
        ),
    ],
)
def test_a_carrying_over_that_is_broken_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, broken: Any
) -> None:
    modules = [module for module in (run, current_people) if hasattr(module, name)]
    assert run in modules
    for module in modules:
        monkeypatch.setattr(module, name, broken)
    assert noticed(tmp_path / "broken.gallery")


def test_nothing_is_noticed_where_nothing_is_broken(tmp_path: Path) -> None:
    assert not noticed(tmp_path / "whole.gallery")


def noticed(folder: Path) -> bool:
    """Whether a decision was lost, or a change not explained, among few people."""
    vectors, truth = grouped_vectors(16, 8, 0, spread=0.9)
    gallery = vector_gallery(folder, vectors.shape[1])
    rounds = played(gallery, Owner(gallery, seed=0), vectors, truth, (0.95, 0.85))
    return any(each.lost or each.unexplained for each in rounds)


def now_of(numbers: list[int]) -> PersonAssignment:
    distinct, labels = np.unique(numbers, return_inverse=True)
    clustering = Clustering(
        np.arange(len(numbers), dtype=np.int64),
        labels.astype(np.int32),
        np.ones(len(numbers), np.float32),
    )
    return PersonAssignment(clustering, tuple(Person(number) for number in distinct.tolist()))


def test_the_bookkeeping_notices_what_is_lost(tmp_path: Path) -> None:
    expected = Expected({0: 1, 1: 1}, {(2, 1)}, {1: "Ann"}, {2})
    assert len(expected.lost(now_of([1, 2, 1]), PeopleStore(tmp_path))) == 4


def test_the_bookkeeping_notices_what_is_not_explained() -> None:
    assert unexplained(now_of([1, 1, 2]), now_of([1, 1, 2]), PeopleChanges()) == []
    assert len(unexplained(now_of([1, 1, 2]), now_of([1, 2, 2]), PeopleChanges())) == 1
    assert len(unexplained(now_of([1, 1, 2]), now_of([3, 3, 2]), PeopleChanges())) == 3


def test_the_bookkeeping_notices_who_could_have_kept_their_person() -> None:
    before, now = now_of([1, 1, 1, 2, 2]), now_of([1, 2, 2, 1, 1])
    assert len(misnumbered(before, now, set())) == 1
    assert misnumbered(before, now, {2}) == []
    assert misnumbered(before, now_of([2, 1, 1, 2, 2]), set()) == []
