"""Margin softmax losses against pytorch-metric-learning's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as peer_losses
from torch.nn import functional

from facesearch.errors import InputError
from facesearch.train.losses.margin_softmax import MarginSoftmaxLoss


@settings(deadline=None)
@given(st.sampled_from(["arcface", "cosface"]), st.integers(0, 2**31), st.floats(0.1, 0.9))
def test_loss_and_gradient_are_the_peers(kind: str, seed: int, margin: float) -> None:
    torch.manual_seed(seed)
    persons = np.random.default_rng(seed).integers(0, 5, 12)
    ours = MarginSoftmaxLoss(np.arange(5), 8, kind, scale=16, margin=margin)
    if kind == "arcface":
        degrees = math.degrees(margin)
        peer = peer_losses.ArcFaceLoss(5, 8, margin=degrees, scale=16)
    else:
        peer = peer_losses.CosFaceLoss(5, 8, margin=margin, scale=16)
    weight = torch.randn(5, 8)
    ours.weight.data = weight.clone()
    peer.W.data = weight.T.clone()
    raw = torch.randn(12, 8)
    mine, theirs = raw.clone().requires_grad_(), raw.clone().requires_grad_()
    value = ours(functional.normalize(mine, dim=1), np.arange(12), persons, 0).value
    value.backward()
    expected = peer(theirs, torch.from_numpy(persons))
    expected.backward()
    assert float(value.detach()) == pytest.approx(float(expected.detach()), rel=1e-4, abs=1e-5)
    assert torch.allclose(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4)
    assert torch.allclose(ours.weight.grad, peer.W.grad.T, rtol=1e-3, atol=1e-4)


def test_faces_without_a_class_do_not_count() -> None:
    loss = MarginSoftmaxLoss(np.array([0, -1, 1]), 4)
    vectors = functional.normalize(torch.randn(5, 4), dim=1)
    persons = np.array([0, 1, 2, -1, 0])
    some = loss(vectors, np.arange(5), persons, 0)
    known = loss(vectors[[0, 2, 4]], np.arange(3), persons[[0, 2, 4]], 0)
    assert float(some.value) == pytest.approx(float(known.value))
    nobody = loss(vectors[:2], np.arange(2), np.array([1, -1]), 0)
    assert float(nobody.value) == 0


def test_true_class_found_is_counted() -> None:
    loss = MarginSoftmaxLoss(np.arange(3), 3)
    loss.weight.data = torch.eye(3)
    found = loss(torch.eye(3), np.arange(3), np.array([0, 1, 0]), 0)
    assert found.figures["named"] == pytest.approx(2 / 3)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2 people"):
        MarginSoftmaxLoss(np.array([0, -1]), 4)
    with pytest.raises(InputError, match="arcface, cosface"):
        MarginSoftmaxLoss(np.arange(3), 4, "softmax")
