"""Open-set identification, against a loop over every probe and every person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.errors import InputError
from facesearch.evaluate.identification import identification, split_people


def unit_vectors(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.normal(size=(n, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def plain(vectors, people, usable, split, fpir):  # type: ignore[no-untyped-def]
    """FNIR and CMC of one split, one probe at a time."""

    def nearest(row: int) -> dict[int, float]:
        found: dict[int, float] = {}
        for other in split.enrolled:
            if usable[row] and usable[other]:
                distance = float(((vectors[row] - vectors[other]) ** 2).sum())
                person = int(people[other])
                found[person] = min(distance, found.get(person, np.inf))
        return found

    false = sorted(min(nearest(row).values(), default=np.inf) for row in split.non_mated)
    limit = false[int(fpir * len(false) + 1e-9)]
    misses, ranks = 0, []
    for row in split.mated:
        found = nearest(row)
        mate = found.get(int(people[row]), np.inf)
        rank = 1 + sum(d < mate for d in found.values()) if mate < np.inf else np.inf
        ranks.append(rank)
        misses += not (rank == 1 and mate < limit)
    cmc = [np.mean([rank <= r for rank in ranks]) for r in range(1, 6)]
    return misses / len(split.mated), cmc


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_equal_to_a_loop(seed: int, enrol: int) -> None:
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.repeat(np.arange(8), 5))
    vectors, usable = unit_vectors(rng, 40), rng.random(40) < 0.9
    found = identification(
        vectors, people, usable, enrol=enrol, repeats=2, seed=seed, fpirs=(0.1, 0.3), ranks=5
    )
    for repeat, searches in enumerate(found.splits):
        split = split_people(people, enrol, np.random.default_rng([seed, repeat]))
        assert (searches.mated, searches.non_mated) == (len(split.mated), len(split.non_mated))
        for at in searches.fnir:
            fnir, cmc = plain(vectors, people, usable, split, at.fpir)
            assert at.fnir == pytest.approx(fnir)
            assert searches.cmc == pytest.approx(cmc)


def test_a_split_divides_the_photos() -> None:
    people = np.repeat(np.arange(10), 4)
    split = split_people(people, 2, np.random.default_rng(0))
    rows = np.concatenate([split.enrolled, split.mated, split.non_mated])
    assert sorted(rows.tolist()) == list(range(40))
    assert np.unique(people[split.enrolled], return_counts=True)[1].tolist() == [2] * 5
    assert set(people[split.enrolled]) == set(people[split.mated])
    assert not set(people[split.enrolled]) & set(people[split.non_mated])


def test_too_few_photos_are_refused() -> None:
    vectors = unit_vectors(np.random.default_rng(0), 4)
    with pytest.raises(InputError, match="more than 1 photos"):
        identification(vectors, np.arange(4))
    with pytest.raises(InputError, match="two people or more"):
        identification(vectors, np.zeros(4, np.int64))
