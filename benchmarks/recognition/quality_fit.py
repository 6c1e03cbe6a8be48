"""Fitting the logistic models of :mod:`facesearch.quality`.

A model is 1 / (1 + exp(-(intercept - sum of weight * max(0, enough - component)))). Weights are at
least 0, by maximum likelihood with a weak quadratic penalty on standardised terms; where each
component is "enough" is searched on a grid, one after the other, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from facesearch.quality import HingeLogistic, Term

Floats = NDArray[np.float64]

PENALTY = 1e-4
STEPS = 30  # of a component's range, from its 1st to its 99th percentile
ROUNDS = 5


def fit(components: dict[str, Floats], names: Sequence[str], target: Floats) -> HingeLogistic:
    """The model over the named components float64 (n,) that makes ``target`` likeliest.

    ``target`` float64 (n,) in [0, 1]: what share of trials was a success. Weights and limits are
    rounded to what matters, and the intercept fitted to the rounded.
    """
    limits = {name: float(np.percentile(components[name], 50)) for name in names}
    for _ in range(ROUNDS):
        before = dict(limits)
        for name in names:
            low, high = np.percentile(components[name], [1, 99])
            grid = np.round(np.linspace(low, high, STEPS), 2).tolist()
            losses = [_solve(components, limits | {name: at}, target)[0] for at in grid]
            limits[name] = grid[int(np.argmin(losses))]
        if limits == before:
            break
    _, intercept, weights = _solve(components, limits, target)
    terms = [
        Term(name, limits[name], float(f"{weight:.3g}"))
        for name, weight in zip(names, weights.tolist(), strict=True)
        if weight * (limits[name] - np.percentile(components[name], 1)) > 0.01
    ]
    return HingeLogistic(round(intercept, 3), tuple(terms))


def _solve(
    components: dict[str, Floats], limits: dict[str, float], target: Floats
) -> tuple[float, float, Floats]:
    """Penalised loss, intercept and weights (k,) for given limits."""
    shortfalls = np.stack(
        [np.maximum(0.0, limit - components[name]) for name, limit in limits.items()], axis=1
    )
    spread = shortfalls.std(axis=0) + 1e-9
    scaled = shortfalls / spread

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logit = parameters[0] - scaled @ parameters[1:]
        value = np.mean(np.logaddexp(0, logit) - target * logit)
        residual = (1 / (1 + np.exp(-logit)) - target) / len(target)
        slope = np.concatenate([[residual.sum()], -scaled.T @ residual])
        slope[1:] += 2 * PENALTY * parameters[1:]
        return float(value + PENALTY * np.square(parameters[1:]).sum()), slope

    start = np.concatenate([[1.0], np.full(len(limits), 0.1)])
    bounds = [(None, None)] + [(0.0, None)] * len(limits)
    solved = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(solved.fun), float(solved.x[0]), solved.x[1:] / spread
