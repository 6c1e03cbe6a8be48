"""The lower tail of nearest-impostor distances: a Weibull law, fitted by maximum likelihood.

The nearest of many impostors is a minimum, and minima of many independent draws that cannot fall
below an end point tend to a Weibull law (Fisher and Tippett 1928; Coles, An Introduction to
Statistical Modeling of Extreme Values, 2001, theorem 3.1 for minima). The end point is taken as 0,
the least squared distance. Only the tail is fitted: of distances above a bound the likelihood knows
no more than that they are above it. A law of n impostors is one of N by raising its survival
function to the power N / n. (scipy.stats fits censored data, but knows no weights and no searches
that are seen only beyond a distance.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]

# How much more, or less, those enrolled resemble each other than strangers resemble them: the
# deviation of the logarithm of the ratio of hazards, so that a factor of e either way is usual.
RESEMBLANCE = 1.0

_SHAPES = (0.05, 1000.0)
_MOST_LOG_RATIO = 50.0


@dataclass(frozen=True)
class WeibullTail:
    """P(nearest <= t) = 1 - exp(-hazard (t / bound)^shape), for t of at most ``bound``."""

    shape: float
    hazard: float
    bound: float

    def probability(self, distance: float) -> float:
        """The probability of a nearest impostor at or below ``distance``."""
        return -math.expm1(-self.hazard * (distance / self.bound) ** self.shape)

    def quantile(self, probability: float) -> float:
        """The distance with this probability in (0, 1) of a nearest impostor at or below it."""
        return float(self.bound * (-math.log1p(-probability) / self.hazard) ** (1 / self.shape))


@dataclass(frozen=True)
class CensoredDistances:
    """Nearest-impostor distances, each float64 (s,).

    ``weights`` count a search as so many; ``shares`` are the impostors it was among, as shares of
    the N that the fitted law is of; ``beyond`` is the distance that a search had to exceed to be
    observed at all (0 where every one is). ``mutual`` bool (s,) are the searches of those who are
    searched among, for each other; None: there are none.
    """

    distances: Floats
    weights: Floats
    shares: Floats
    beyond: Floats
    mutual: NDArray[np.bool_] | None = None


def fit_tail(observed: CensoredDistances, bound: float) -> WeibullTail | None:
    """The law of the distances up to ``bound``; None where they do not tell one.

    With cumulative hazard H(t) = h (t / bound)^a and observation i seen only beyond c_i, the log
    likelihood is the sum of w_i ln H'(d_i) over d_i <= bound, less the sum of
    w_i s_i (H(min(d_i, bound)) - H(c_i)) over all. Those who are searched among may resemble each
    other more than a stranger does (a family), or less: their mutual searches have the same a, and
    q h instead of h, with ln q normal of mean 0 and deviation :data:`RESEMBLANCE`, so the log
    likelihood is less by (ln q / deviation)^2 / 2. The law is that of the others, strangers; where
    there are none, q is 1. Derivatives by h and q give these in terms of a, and what is left is one
    equation in a.
    """
    seen = observed.beyond < bound
    within = seen & (observed.distances <= bound)
    events = float(observed.weights[within].sum())
    logs = np.log(np.maximum(observed.distances[within], 1e-12) / bound)
    if events <= 0 or not (logs < 0).any():
        return None
    mutual = np.zeros(len(seen), np.bool_) if observed.mutual is None else observed.mutual
    strangers, each_other = (_parts(observed, seen & kind, bound) for kind in (~mutual, mutual))
    of_each_other = float(observed.weights[within & mutual].sum())
    mean_log = float(observed.weights[within] @ logs) / events

    def exposure(shape: float) -> tuple[float, float]:
        one, one_slope = strangers.at(shape)
        two, two_slope = each_other.at(shape)
        ratio = _ratio(events, of_each_other, one, two)
        return one + ratio * two, one_slope + ratio * two_slope

    def slope(shape: float) -> float:
        total, derivative = exposure(shape)
        return 1 / shape + mean_log - derivative / total

    if not (slope(_SHAPES[0]) > 0 > slope(_SHAPES[1])):
        return None
    shape = float(brentq(slope, *_SHAPES))
    return WeibullTail(shape, events / exposure(shape)[0], bound)


def _ratio(events: float, of_each_other: float, strangers: float, each_other: float) -> float:
    """q of :func:`fit_tail`, of all events and those of mutual searches, and both exposures."""

    def slope(log_ratio: float) -> float:
        part = math.exp(log_ratio) * each_other
        share = part / (part + strangers) if part > 0 else 0.0
        return of_each_other - events * share - log_ratio / RESEMBLANCE**2

    return math.exp(float(brentq(slope, -_MOST_LOG_RATIO, _MOST_LOG_RATIO)))


@dataclass(frozen=True)
class _Parts:
    """What an exposure, the sum of w s ((d / bound)^a - (c / bound)^a), is made of."""

    logs: Floats
    weights: Floats
    censored: float
    entry_logs: Floats
    entry_weights: Floats

    def at(self, shape: float) -> tuple[float, float]:
        """The exposure and its derivative by the shape."""
        powers = self.weights * np.exp(shape * self.logs)
        entries = self.entry_weights * np.exp(shape * self.entry_logs)
        total = float(powers.sum()) + self.censored - float(entries.sum())
        return total, float(powers @ self.logs - entries @ self.entry_logs)


def _parts(observed: CensoredDistances, which: NDArray[np.bool_], bound: float) -> _Parts:
    """The exposure of the observations ``which`` (s,), all seen below the ``bound``."""
    exposure = observed.weights * observed.shares
    within = which & (observed.distances <= bound)
    late = which & (observed.beyond > 0)
    values, places = np.unique(observed.beyond[late], return_inverse=True)
    return _Parts(
        np.log(np.maximum(observed.distances[within], 1e-12) / bound),
        exposure[within],
        float(exposure[which & ~within].sum()),
        np.log(values / bound),
        np.bincount(places, exposure[late], len(values)).astype(np.float64),
    )
