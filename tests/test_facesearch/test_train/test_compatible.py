"""Losses that keep versions comparable, and adapters between encoders."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from facesearch.errors import InputError
from facesearch.train.adapters import fit_linear, fit_orthogonal
from facesearch.train.losses.compatible import BackwardCompatibleLoss, HarmonicTripletLoss
from facesearch.train.losses.triplets import TripletSettings, mine_triplets, squared_distances
from support.vectors import unit_vectors

ROWS = np.array([4, 0, 7, 2, 9, 5])
PERSONS = np.array([0, 0, 1, 1, 2, -1])
OLD = unit_vectors(10, 6, 1)
NEW = torch.from_numpy(unit_vectors(6, 6, 2))


def test_harmonic_loss_is_that_of_mixed_triplets() -> None:
    loss = HarmonicTripletLoss(OLD, TripletSettings(margin=0.4))
    value = loss(NEW, ROWS, PERSONS, 0)
    both = torch.cat([NEW, torch.from_numpy(OLD[ROWS])])
    distances = squared_distances(both)
    persons = torch.from_numpy(np.concatenate([PERSONS, PERSONS]))
    mined = mine_triplets(distances, persons)
    excesses = []
    for a, p, n in zip(mined.anchors, mined.positives, mined.negatives, strict=True):
        if min(a, p, n) < len(NEW):
            excesses.append(float((distances[a, p] - distances[a, n] + 0.4).clamp(min=0)))
    assert value.figures["triplets"] == len(excesses) < len(mined)
    active = [each for each in excesses if each > 0]
    assert float(value.value) == pytest.approx(np.mean(active), abs=1e-6)
    assert value.figures["old_cosine"] == pytest.approx(float((NEW * both[6:]).sum(1).mean()))


def test_harmonic_training_brings_new_vectors_to_the_old_ones_people() -> None:
    random = np.random.default_rng(0)
    persons = np.repeat(np.arange(5), 4)
    centres = unit_vectors(5, 6, 3)
    old = centres[persons] + 0.1 * random.normal(size=(20, 6))
    old = (old / np.linalg.norm(old, axis=1, keepdims=True)).astype(np.float32)
    loss = HarmonicTripletLoss(old, TripletSettings())
    vectors = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimizer = torch.optim.Adam([vectors], 0.05)
    for step in range(150):
        optimizer.zero_grad()
        loss(functional.normalize(vectors, dim=1), np.arange(20), persons, step).value.backward()
        optimizer.step()
    new = functional.normalize(vectors, dim=1).detach().numpy()
    nearest = persons[(new @ old.T).argmax(1)]
    assert (nearest == persons).mean() >= 0.95


def test_old_vectors_of_another_dimension_are_refused() -> None:
    loss = HarmonicTripletLoss(OLD[:, :5], TripletSettings())
    with pytest.raises(InputError, match="old vectors of 6 numbers"):
        loss(NEW, ROWS, PERSONS, 0)


def test_bct_is_cross_entropy_under_mean_old_vectors() -> None:
    persons = np.array([0, 0, 0, 2, 2, 3, -1, -1, 3, 3])
    usable = np.ones(10, bool)
    usable[9] = False
    loss = BackwardCompatibleLoss(OLD, persons, usable, scale=10.0)
    batch = np.array([0, 4, 8, 6])
    value = loss(NEW[:4], batch, persons[batch], 0)
    means = [OLD[[0, 1, 2]].mean(0), OLD[[3, 4]].mean(0), OLD[[5, 8]].mean(0)]
    prototypes = np.array([mean / np.linalg.norm(mean) for mean in means])
    logits = 10 * NEW[:3].numpy() @ prototypes.T
    expected = -np.mean([
        row[c] - np.log(np.exp(row).sum()) for row, c in zip(logits, [0, 1, 2], strict=True)
    ])  # fmt: skip
    assert float(value.value) == pytest.approx(expected, rel=1e-5)


def test_bct_passes_over_people_without_old_vectors() -> None:
    loss = BackwardCompatibleLoss(OLD, np.array([0] * 5 + [1] * 5), np.arange(10) < 5, 10.0)
    value = loss(NEW[:2], np.array([6, 7]), np.array([1, -1]), 0)
    assert float(value.value) == 0
    with pytest.raises(InputError, match="label the crops"):
        BackwardCompatibleLoss(OLD, np.full(10, -1), np.ones(10, bool), 10.0)


def test_an_orthogonal_adapter_finds_a_rotation() -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0].astype(np.float32)
    new = unit_vectors(50, 6, 4)
    adapter = fit_orthogonal(new, new @ rotation)
    assert np.allclose(adapter.matrix, rotation, atol=1e-5)
    noisy = fit_orthogonal(new, unit_vectors(50, 6, 5))
    assert np.allclose(noisy.matrix @ noisy.matrix.T, np.eye(6), atol=1e-5)


def test_a_linear_adapter_is_ridge_regression() -> None:
    new, old = unit_vectors(50, 6, 4), unit_vectors(50, 3, 5)
    ridge = 0.1 * np.sum(new.astype(np.float64) ** 2) / 6
    stacked = np.concatenate([new, np.sqrt(ridge) * np.eye(6)])
    expected = np.linalg.lstsq(stacked, np.concatenate([old, np.zeros((6, 3))]), rcond=None)[0]
    adapter = fit_linear(new, old, 0.1)
    assert np.allclose(adapter.matrix, expected, atol=1e-5)
    mapped = adapter(new)
    assert mapped.dtype == np.float32
    assert np.allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-5)


def test_adapters_refuse_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="as many new as old"):
        fit_linear(OLD, OLD[:3])
    with pytest.raises(InputError, match="one dimension"):
        fit_orthogonal(OLD, OLD[:, :3])
