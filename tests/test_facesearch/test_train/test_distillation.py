"""Distillation from vectors of the same dimension and of a larger one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facesearch.errors import InputError
from facesearch.train.losses.distillation import DistillationLoss, principal_components
from support.vectors import unit_vectors

EVERYONE = np.ones(30, bool)


def test_loss_is_one_minus_the_mean_cosine() -> None:
    teacher, rows = unit_vectors(30, 8, 0), np.array([3, 29, 3])
    vectors = torch.from_numpy(unit_vectors(3, 8, 1))
    value = DistillationLoss(teacher, EVERYONE, 8)(vectors, rows, np.zeros(3, np.int64), 0)
    expected = 1 - np.mean(np.sum(vectors.numpy() * teacher[rows], 1))
    assert float(value.value) == pytest.approx(expected, abs=1e-6)


def test_larger_vectors_are_projected_to_where_they_are_longest() -> None:
    random = np.random.default_rng(0)
    inside = random.normal(size=(30, 4)) @ random.normal(size=(4, 9))
    teacher = (inside / np.linalg.norm(inside, axis=1, keepdims=True)).astype(np.float32)
    loss = DistillationLoss(teacher, EVERYONE, 4)
    targets = loss.targets(np.arange(30)).numpy()
    # Four directions hold all of them, so every cosine stays.
    assert np.allclose(targets @ targets.T, teacher @ teacher.T, atol=1e-5)
    again = DistillationLoss(unit_vectors(30, 9, 5), EVERYONE, 4)
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again.projection, loss.projection)


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    vectors = unit_vectors(50, 7, 3)
    ours = principal_components(vectors, 3).numpy()
    theirs = np.linalg.svd(vectors, full_matrices=False)[2][:3].T
    assert np.allclose(np.abs(np.sum(ours * theirs, 0)), 1, atol=1e-5)


def test_smaller_vectors_are_refused() -> None:
    with pytest.raises(InputError, match="at least 8 numbers"):
        DistillationLoss(unit_vectors(30, 7, 0), EVERYONE, 8)
