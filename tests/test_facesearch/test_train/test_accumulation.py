"""Gradients of a batch in pieces are those of the batch at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from facesearch.train.accumulation import accumulate_gradients
from facesearch.train.losses.triplets import TripletLoss, TripletSettings

COUNT = 13
CHIPS = torch.randn(COUNT, 6, generator=torch.Generator().manual_seed(0))
PERSONS = np.arange(COUNT) % 4


def network(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), *middle, nn.Linear(8, 5)).double()


def gradients(model: nn.Module, piece: int, chips: torch.Tensor = CHIPS) -> list[torch.Tensor]:
    loss = TripletLoss(TripletSettings(margin=0.6))
    model.zero_grad()
    torch.manual_seed(2)
    accumulate_gradients(
        model,
        lambda each: functional.normalize(model(chips[each].double()), dim=1),
        COUNT,
        piece,
        lambda vectors: loss(vectors, np.arange(COUNT), PERSONS, 0).value,
    )
    return [each.grad.clone() for each in model.parameters()]


@pytest.mark.parametrize("piece", [1, 4, 5, 12])
def test_pieces_give_the_gradient_of_the_whole(piece: int) -> None:
    model = network(nn.Tanh())
    for whole, made in zip(gradients(model, COUNT), gradients(model, piece), strict=True):
        assert torch.allclose(whole, made, atol=1e-12)
        assert whole.any()


def test_dropout_is_the_same_in_both_passes() -> None:
    # Were the masks of the second pass others, the gradient would not be of the loss: its
    # finite difference, with the masks of the seed, tells.
    model = network(nn.Dropout(0.5))
    given = gradients(model, 4)[0][0, 0]
    weight = model[0].weight.data

    def value(shift: float) -> float:
        weight[0, 0] += shift
        torch.manual_seed(2)
        pieces = [model(CHIPS[start : start + 4].double()) for start in range(0, COUNT, 4)]
        weight[0, 0] -= shift
        vectors = functional.normalize(torch.cat(pieces), dim=1)
        loss = TripletLoss(TripletSettings(margin=0.6))
        return float(loss(vectors, np.arange(COUNT), PERSONS, 0).value.detach())

    assert float(given) == pytest.approx((value(1e-6) - value(-1e-6)) / 2e-6, rel=1e-4)


def test_running_statistics_move_once_a_piece() -> None:
    model = network(nn.BatchNorm1d(8))
    twin = network(nn.BatchNorm1d(8))
    gradients(model, 5)
    with torch.no_grad():
        for start in range(0, COUNT, 5):
            twin(CHIPS[start : start + 5].double())
    assert int(model[1].num_batches_tracked) == 3
    assert torch.allclose(model[1].running_mean, twin[1].running_mean)
    assert torch.allclose(model[1].running_var, twin[1].running_var)
    assert model[1].track_running_stats


def test_weights_of_the_loss_get_their_gradient_too() -> None:
    model, classes = network(nn.Tanh()), nn.Linear(5, 3).double()
    wanted = torch.arange(COUNT) % 3

    def made(piece: int) -> torch.Tensor:
        classes.zero_grad()
        accumulate_gradients(
            model,
            lambda each: model(CHIPS[each].double()),
            COUNT,
            piece,
            lambda vectors: functional.cross_entropy(classes(vectors), wanted),
        )
        return classes.weight.grad.clone()

    assert torch.allclose(made(COUNT), made(4))
