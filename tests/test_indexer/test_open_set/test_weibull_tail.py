"""The tail's law: the likelihood's maximum, and the law that draws were made from."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from indexer.open_set.weibull_tail import CensoredDistances, WeibullTail, fit_tail

SHAPE, SCALE = 9.0, 0.2


def drawn(count: int, seed: int, share: float = 1.0, beyond: float = 0.0) -> CensoredDistances:
    """Draws of a Weibull law of N impostors, of searches among ``share`` of them."""
    uniform = np.random.default_rng(seed).random(count)
    distances = SCALE * (-np.log(uniform) / share) ** (1 / SHAPE)
    distances = distances[distances > beyond]
    same = np.ones_like(distances)
    return CensoredDistances(distances, same, share * same, beyond * same)


def joined(*parts: CensoredDistances) -> CensoredDistances:
    names = ("distances", "weights", "shares", "beyond")
    return CensoredDistances(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def log_likelihood(observed: CensoredDistances, bound: float, shape: float, hazard: float) -> float:
    """The sum of the docstring, term by term."""
    total = 0.0
    for d, w, s, c in zip(
        observed.distances, observed.weights, observed.shares, observed.beyond, strict=True
    ):
        if c >= bound:
            continue
        if d <= bound:
            total += w * np.log(s * hazard * shape / bound * (d / bound) ** (shape - 1))
        total -= w * s * hazard * ((min(d, bound) / bound) ** shape - (c / bound) ** shape)
    return float(total)


@pytest.mark.parametrize("seed", range(3))
def test_fit_is_the_maximum_of_the_likelihood(seed: int) -> None:
    observed = joined(drawn(60, seed), drawn(90, seed + 9, 0.4), drawn(80, seed + 5, 1.0, 0.15))
    weights: NDArray[np.float64] = np.random.default_rng(seed).random(len(observed.distances))
    observed = CensoredDistances(observed.distances, weights, observed.shares, observed.beyond)
    bound = 0.19
    best = minimize(
        lambda p: -log_likelihood(observed, bound, *np.exp(p)),
        np.log([5.0, 0.5]),
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000},
    )
    fitted = fit_tail(observed, bound)
    assert fitted is not None
    np.testing.assert_allclose([fitted.shape, fitted.hazard], np.exp(best.x), rtol=1e-4)


@pytest.mark.parametrize(("share", "beyond"), [(1.0, 0.0), (0.3, 0.0), (1.0, 0.15), (0.5, 0.17)])
def test_fit_finds_the_law_of_all_impostors(share: float, beyond: float) -> None:
    observed = drawn(200_000, 0, share, beyond)
    tail = fit_tail(observed, 0.2)
    assert tail is not None
    assert tail.shape == pytest.approx(SHAPE, rel=0.03)
    exact = SCALE * (-np.log1p(-0.01)) ** (1 / SHAPE)
    assert tail.probability(exact) == pytest.approx(0.01, rel=0.06)


def test_quantile_and_probability_are_inverse() -> None:
    tail = WeibullTail(8.0, 0.2, 0.15)
    for probability in (1e-6, 1e-3, 0.1):
        assert tail.probability(tail.quantile(probability)) == pytest.approx(probability)


@pytest.mark.parametrize("distances", [[], [0.3, 0.3], [0.5, 0.6]])
def test_no_law_where_there_is_no_tail(distances: list[float]) -> None:
    values = np.array(distances)
    same = np.ones_like(values)
    assert fit_tail(CensoredDistances(values, same, same, 0 * same), 0.3) is None
