"""The tail's law: the likelihood's maximum, and the law that draws were made from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from indexer.open_set.weibull_tail import RESEMBLANCE, CensoredDistances, WeibullTail, fit_tail

SHAPE, SCALE = 9.0, 0.2


def drawn(
    count: int, seed: int, share: float = 1.0, beyond: float = 0.0, alike: float | None = None
) -> CensoredDistances:
    """Draws of a Weibull law of N impostors, of searches among ``share`` of them.

    Where those who are searched among are so much more ``alike``, the searches are mutual.
    """
    uniform = np.random.default_rng(seed).random(count)
    distances = SCALE * (-np.log(uniform) / (share * (alike or 1.0))) ** (1 / SHAPE)
    distances = distances[distances > beyond]
    same = np.ones_like(distances)
    mutual = np.full(len(distances), alike is not None)
    return CensoredDistances(distances, same, share * same, beyond * same, mutual)


def joined(*parts: CensoredDistances) -> CensoredDistances:
    names = ("distances", "weights", "shares", "beyond", "mutual")
    return CensoredDistances(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def log_likelihood(
    observed: CensoredDistances, bound: float, shape: float, hazard: float, ratio: float
) -> float:
    """The sum of the docstring, term by term."""
    assert observed.mutual is not None
    total = -0.5 * (np.log(ratio) / RESEMBLANCE) ** 2
    for d, w, s, c in zip(
        observed.distances,
        observed.weights,
        observed.shares * np.where(observed.mutual, ratio, 1.0),
        observed.beyond,
        strict=True,
    ):
        if c >= bound:
            continue
        if d <= bound:
            total += w * np.log(s * hazard * shape / bound * (d / bound) ** (shape - 1))
        total -= w * s * hazard * ((min(d, bound) / bound) ** shape - (c / bound) ** shape)
    return float(total)


@pytest.mark.parametrize("alike", [None, 0.6, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_fit_is_the_maximum_of_the_likelihood(seed: int, alike: float | None) -> None:
    one = drawn(60, seed, alike=alike)
    observed = joined(one, drawn(90, seed + 9, 0.4), drawn(80, seed + 5, 1.0, 0.15))
    weights: NDArray[np.float64] = np.random.default_rng(seed).random(len(observed.distances))
    observed = replace(observed, weights=weights)
    bound = 0.19
    best = minimize(
        lambda p: -log_likelihood(observed, bound, *np.exp(p)),
        np.log([5.0, 0.5, 1.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000},
    )
    fitted = fit_tail(observed, bound)
    assert fitted is not None
    np.testing.assert_allclose([fitted.shape, fitted.hazard], np.exp(best.x[:2]), rtol=1e-4)


@pytest.mark.parametrize(("share", "beyond"), [(1.0, 0.0), (0.3, 0.0), (1.0, 0.15), (0.5, 0.17)])
def test_fit_finds_the_law_of_all_impostors(share: float, beyond: float) -> None:
    observed = drawn(200_000, 0, share, beyond)
    tail = fit_tail(observed, 0.2)
    assert tail is not None
    assert tail.shape == pytest.approx(SHAPE, rel=0.03)
    exact = SCALE * (-np.log1p(-0.01)) ** (1 / SHAPE)
    assert tail.probability(exact) == pytest.approx(0.01, rel=0.06)


@pytest.mark.parametrize("alike", [0.4, 3.0])
def test_the_law_is_that_of_strangers_though_those_enrolled_resemble_each_other(
    alike: float,
) -> None:
    observed = joined(drawn(400, 1, alike=alike), drawn(20_000, 2, beyond=0.17))
    exact = SCALE * (-np.log1p(-0.01)) ** (1 / SHAPE)
    tail = fit_tail(observed, 0.2)
    regardless = fit_tail(replace(observed, mutual=None), 0.2)
    assert tail is not None and regardless is not None
    assert tail.probability(exact) == pytest.approx(0.01, rel=0.2)
    error = abs(np.log([tail.probability(exact) / 0.01, regardless.probability(exact) / 0.01]))
    assert error[0] < error[1]


def test_without_strangers_the_law_is_that_of_those_enrolled() -> None:
    observed = drawn(300, 3, alike=2.0)
    assert fit_tail(observed, 0.19) == fit_tail(replace(observed, mutual=None), 0.19)


def test_a_few_strangers_do_not_overrule_all_who_are_enrolled() -> None:
    enrolled = drawn(2000, 4, alike=1.0)
    alone = fit_tail(enrolled, 0.19)
    beside = fit_tail(joined(enrolled, drawn(3, 5)), 0.19)
    assert alone is not None and beside is not None
    assert 0.5 < beside.probability(0.15) / alone.probability(0.15) < 2


def test_quantile_and_probability_are_inverse() -> None:
    tail = WeibullTail(8.0, 0.2, 0.15)
    for probability in (1e-6, 1e-3, 0.1):
        assert tail.probability(tail.quantile(probability)) == pytest.approx(probability)


@pytest.mark.parametrize("distances", [[], [0.3, 0.3], [0.5, 0.6]])
def test_no_law_where_there_is_no_tail(distances: list[float]) -> None:
    values = np.array(distances)
    same = np.ones_like(values)
    assert fit_tail(CensoredDistances(values, same, same, 0 * same), 0.3) is None
