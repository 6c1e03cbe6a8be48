"""Mined triplets against a slow obvious way and against pytorch-metric-learning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import distances as peer_distances
from pytorch_metric_learning import losses as peer_losses
from pytorch_metric_learning import miners as peer_miners
from pytorch_metric_learning import reducers as peer_reducers

from facesearch.errors import InputError
from facesearch.train.losses.triplets import (
    HARDEST,
    SEMI_HARD,
    TripletLoss,
    TripletSettings,
    mine_triplets,
    squared_distances,
)


def obvious_triplets(
    distances: np.ndarray, persons: np.ndarray, mining: str
) -> list[tuple[int, int, int]]:
    found = []
    count = len(persons)
    for anchor in range(count):
        negatives = [
            n for n in range(count) if min(persons[n], persons[anchor]) >= 0
            and persons[n] != persons[anchor]
        ]  # fmt: skip
        for positive in range(count):
            same = persons[positive] == persons[anchor] and persons[anchor] >= 0
            if positive == anchor or not same or not negatives:
                continue
            row = distances[anchor]
            if mining == HARDEST:
                chosen = min(negatives, key=lambda n: (row[n], n))
            else:
                farther = [n for n in negatives if row[n] > row[positive]]
                if farther:
                    chosen = min(farther, key=lambda n: (row[n], n))
                else:
                    chosen = max(negatives, key=lambda n: (row[n], n))
            found.append((anchor, positive, chosen))
    return found


@st.composite
def batches(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors on a coarse grid, so that distances tie, or at random; some of nobody known."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    count = draw(st.integers(2, 24))
    vectors = random.normal(size=(count, draw(st.integers(2, 5))))
    if draw(st.booleans()):
        vectors = np.round(vectors) + 0.25
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    persons = random.integers(-1, draw(st.integers(1, 6)), count)
    return torch.from_numpy(vectors.astype(np.float32)), torch.from_numpy(persons)


def as_tuples(mined) -> list[tuple[int, int, int]]:
    return list(
        zip(
            *(each.tolist() for each in (mined.anchors, mined.positives, mined.negatives)),
            strict=True,
        )
    )


@settings(deadline=None)
@given(batches(), st.sampled_from([SEMI_HARD, HARDEST]))
def test_mined_are_those_of_the_obvious_way(batch, mining: str) -> None:
    vectors, persons = batch
    distances = squared_distances(vectors)
    mined = mine_triplets(distances, persons, mining)
    assert as_tuples(mined) == obvious_triplets(distances.numpy(), persons.numpy(), mining)


@settings(deadline=None)
@given(batches(), st.sampled_from([SEMI_HARD, HARDEST]), st.floats(0.05, 1.5))
def test_loss_is_that_of_the_obvious_way(batch, mining: str, margin: float) -> None:
    vectors, persons = batch
    loss = TripletLoss(TripletSettings(margin=margin, mining=mining))
    value = loss(vectors, np.arange(len(persons)), persons.numpy(), 0)
    exact = vectors.double().numpy()
    kept = []
    triplets = obvious_triplets(squared_distances(vectors).numpy(), persons.numpy(), mining)
    for a, p, n in triplets:
        near, far = (np.sum((exact[a] - exact[other]) ** 2) for other in (p, n))
        kept.append(max(0.0, near - far + margin))
    active = [each for each in kept if each > 1e-6]
    assert value.figures["triplets"] == len(triplets)
    if min((abs(each) for each in active), default=1) > 1e-4:  # not on the edge of rounding
        expected = sum(active) / max(1, len(active))
        assert float(value.value) == pytest.approx(expected, abs=2e-5)


@settings(deadline=None)
@given(batches(), st.floats(0.05, 1.0))
def test_semi_hard_within_the_margin_are_mined_by_the_peer_too(batch, margin: float) -> None:
    vectors, persons = batch
    known = persons >= 0
    vectors, persons = vectors[known].double(), persons[known]
    if len(persons) < 2:
        return
    euclidean = peer_distances.LpDistance(normalize_embeddings=False, p=2, power=2)
    miner = peer_miners.TripletMarginMiner(
        margin=margin, type_of_triplets="semihard", distance=euclidean
    )
    theirs = set(zip(*(each.tolist() for each in miner(vectors, persons)), strict=True))
    distances = euclidean(vectors, vectors)
    ours = as_tuples(mine_triplets(distances, persons))
    gaps = {(a, p, n): float(distances[a, n] - distances[a, p]) for a, p, n in ours}
    within = {each for each, gap in gaps.items() if 1e-9 < gap < margin - 1e-9}
    assert within <= theirs
    # For every pair that has a semi-hard negative at all, ours is one, and the nearest.
    nearest: dict[tuple[int, int], float] = {}
    for a, p, n in theirs:
        gap = float(distances[a, n] - distances[a, p])
        nearest[a, p] = min(gap, nearest.get((a, p), np.inf))
    ours_by_pair = {(a, p): gap for (a, p, _), gap in gaps.items()}
    for pair, gap in nearest.items():
        if gap > 1e-9:
            assert ours_by_pair[pair] == pytest.approx(gap, abs=1e-9)


@settings(deadline=None)
@given(batches())
def test_hardest_negatives_are_the_peers(batch) -> None:
    vectors, persons = batch
    known = persons >= 0
    vectors, persons = vectors[known].double(), persons[known]
    euclidean = peer_distances.LpDistance(normalize_embeddings=False, p=2, power=2)
    if len(persons) < 2 or len(persons.unique()) < 2:
        return
    anchors, _, negatives = peer_miners.BatchHardMiner(distance=euclidean)(vectors, persons)
    distances = euclidean(vectors, vectors)
    ours = mine_triplets(distances, persons, HARDEST)
    far = {a: float(distances[a, n]) for a, _, n in as_tuples(ours)}
    assert far == {
        int(a): pytest.approx(float(distances[a, n]))
        for a, n in zip(anchors, negatives, strict=True)
    }


@settings(deadline=None)
@given(batches(), st.floats(0.05, 1.0))
def test_loss_of_the_same_triplets_is_the_peers(batch, margin: float) -> None:
    vectors, persons = batch
    mined = mine_triplets(squared_distances(vectors), persons)
    if not len(mined):
        return
    peer = peer_losses.TripletMarginLoss(
        margin=margin,
        distance=peer_distances.LpDistance(normalize_embeddings=False, p=2, power=2),
        reducer=peer_reducers.AvgNonZeroReducer(),
    )
    expected = peer(vectors, persons, (mined.anchors, mined.positives, mined.negatives))
    ours = TripletLoss(TripletSettings(margin=margin))(
        vectors, np.arange(len(persons)), persons.numpy(), 0
    )
    assert float(ours.value) == pytest.approx(float(expected), abs=1e-4)


def test_gradient_pulls_positives_and_pushes_negatives() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]], requires_grad=True)
    loss = TripletLoss(TripletSettings(margin=1.0))
    loss(vectors, np.arange(3), np.array([0, 0, 1]), 0).value.backward()
    moved = (vectors - 0.1 * vectors.grad).detach()
    before, after = (
        squared_distances(vectors.detach()),
        squared_distances(moved / moved.norm(dim=1, keepdim=True)),
    )
    assert after[0, 1] < before[0, 1]
    assert after[0, 2] > before[0, 2]


def test_curriculum_goes_from_the_first_margin_and_mining_to_the_last() -> None:
    settings = TripletSettings(0.2, HARDEST, curriculum_steps=10, first_margin=0.05)
    assert [round(settings.margin_at(step), 3) for step in (0, 5, 10, 99)] == [
        0.05,
        0.125,
        0.2,
        0.2,
    ]
    assert [settings.mining_at(step) for step in (0, 9, 10)] == [SEMI_HARD, SEMI_HARD, HARDEST]


def test_unknown_mining_is_refused() -> None:
    with pytest.raises(InputError, match="semi-hard, hardest"):
        mine_triplets(torch.zeros(2, 2), torch.tensor([0, 1]), "softest")


@pytest.mark.parametrize("persons", [[], [0], [-1, -1, -1], [0, 0, 0], [0, 1, 2]])
def test_batches_without_triplets_have_no_loss_but_a_gradient(persons: list[int]) -> None:
    vectors = torch.nn.functional.normalize(torch.randn(len(persons), 4), dim=1).requires_grad_()
    loss = TripletLoss(TripletSettings())
    value = loss(vectors, np.arange(len(persons)), np.array(persons, np.int64), 0)
    value.value.backward()
    assert float(value.value) == 0
    assert vectors.grad is not None and not vectors.grad.any()
