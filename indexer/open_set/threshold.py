"""The threshold of a given false positive identification rate (FPIR).

FPIR, the false positive identification rate, is the share of searches for people who are not among
those searches that return a name all the same (ISO/IEC 19795-1). The searches to learn it from come
from a gallery itself: each of its groups is searched for among all others, and strangers that it
holds among its groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from indexer.errors import TooFewImpostorsError
from indexer.open_set.group_distances import GroupRule, VectorGroups
from indexer.open_set.weibull_tail import CensoredDistances, WeibullTail, fit_tail
from indexer.types import Vectors

MOST_FPIR = 0.1
LEAST_IDENTITIES = 30
CONFIDENCE = 0.95
# Expected false positives from which on they are counted: no law need be believed then.
COUNTED_FROM = 10
# Of n identities the nearest n^(2/3) are the tail: fewer vary more, more follow the law less, and
# the best number grows slower than n (Hall 1982 has this power for tails of the first order).
_TAIL_POWER = 2 / 3
_TAIL_LEAST = 20
_RESAMPLES = 200
_SEED = 0

Method = Literal["count", "tail"]


@dataclass(frozen=True)
class ImpostorSample:
    """Searches of one kind: the nearest group's distance and whose search it is, each (s,).

    Each was among ``searched`` groups, all of other identities. Where ``beyond`` is above 0 only
    distances above it say anything (a nearer face may be the same person's after all), and there
    are no others here. ``mutual``: the identities are the groups themselves, each searched for
    among the others, so that every pair of look-alikes is met twice.
    """

    distances: NDArray[np.float32]
    identities: NDArray[np.int64]
    searched: int
    beyond: float = 0.0
    mutual: bool = False

    def __post_init__(self) -> None:
        if self.distances.ndim != 1 or self.identities.shape != self.distances.shape:
            raise ValueError(
                "expected distances and identities (s,), got shapes "
                f"{self.distances.shape} and {self.identities.shape}"
            )
        if self.searched < 1 or not np.isfinite(self.distances).all():
            raise ValueError(
                "expected finite distances of searches among 1 or more groups, got searches among "
                f"{self.searched} with {int((~np.isfinite(self.distances)).sum())} not finite"
            )
        if self.beyond > 0 and (self.distances <= self.beyond).any():
            raise ValueError(f"expected distances above {self.beyond}, got {self.distances.min()}")

    @property
    def independent(self) -> float:
        """How many independent searches this is worth: one an identity, half of that if mutual.

        Searches of one identity move together, at worst as one; a pair met twice is one event.
        """
        return len(np.unique(self.identities)) / (2 if self.mutual else 1)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Of each search, float64 (s,): every identity counts as one, however many faces it has."""
        _, which, counts = np.unique(self.identities, return_inverse=True, return_counts=True)
        return np.asarray(1.0 / counts[which], np.float64)


def search_each_other(
    vectors: Vectors, groups: NDArray[np.int64], rule: GroupRule
) -> ImpostorSample:
    """Every group's members float32 (n, d) searched for among all other groups.

    ``groups`` int64 (n,) are 0 to g - 1, g of 2 or more.
    """
    among = VectorGroups(vectors, groups, rule)
    nearest = among.nearest_two(vectors, without=groups)
    return ImpostorSample(nearest.distances[:, 0], groups, len(among) - 1, mutual=True)


def search_strangers(
    groups: VectorGroups, vectors: Vectors, identities: NDArray[np.int64], beyond: float = 0.0
) -> ImpostorSample:
    """``vectors`` float32 (n, d) of ``identities`` int64 (n,) that are none of ``groups``' own.

    Only searches that end farther than ``beyond`` are kept; see :class:`ImpostorSample`.
    """
    distances = groups.nearest_two(vectors).distances[:, 0]
    informative = distances > beyond if beyond > 0 else np.ones(len(distances), np.bool_)
    return ImpostorSample(distances[informative], identities[informative], len(groups), beyond)


@dataclass(frozen=True)
class OpenSetThreshold:
    """``threshold``: the squared distance up to which the nearest group is taken.

    ``fpir`` is the rate that was asked for, ``low`` and ``high`` the interval of 95% confidence of
    the one it has. ``method``: "count" where enough false positives were met to count them, "tail"
    where a law was fitted (``shape`` is its exponent, else None). ``searches`` and ``identities``
    are those it was learnt from; it holds for searches among ``groups``.
    """

    threshold: float
    fpir: float
    low: float
    high: float
    method: Method
    shape: float | None
    searches: int
    identities: int
    groups: int


def open_set_threshold(
    samples: Sequence[ImpostorSample], groups: int, fpir: float
) -> OpenSetThreshold:
    """The threshold at which impostor searches among ``groups`` return a name with rate ``fpir``.

    Where the mutual sample (of at most one) is large enough that 10 false positives are expected,
    they are counted: the threshold is the greatest distance at which the share of false positives,
    one more added for the stranger to come, is within the rate; its interval is Clopper and
    Pearson's with as many searches as are independent. Otherwise :func:`fit_tail`
    extends the nearest n^(2/3) of n identities; the interval is of the rates that the law gives for
    the thresholds of 200 fits to resampled identities (bootstrap). Searches among n groups are
    made those among ``groups`` by 1 - (1 - p)^(groups / n).

    Raises ValueError for ``fpir`` not in (0, 0.1], TooFewImpostorsError where there are fewer than
    30 identities, or their distances tell no tail.
    """
    if not 0 < fpir <= MOST_FPIR:
        raise ValueError(f"expected a rate above 0 and at most {MOST_FPIR}, got {fpir}")
    identities = sum(len(np.unique(sample.identities)) for sample in samples)
    if identities < LEAST_IDENTITIES:
        raise TooFewImpostorsError(
            f"expected {LEAST_IDENTITIES} or more identities to search for, got {identities}"
        )
    for sample in samples:
        if sample.mutual and len(np.unique(sample.identities)) * fpir >= COUNTED_FROM:
            return _counted(sample, groups, fpir)
    return _from_tail(samples, groups, fpir, identities)


def clopper_pearson(events: float, searches: float) -> tuple[float, float]:
    """The interval of 95% confidence of a rate of which ``events`` of ``searches`` were seen.

    Clopper and Pearson 1934, by quantiles of the beta distribution, which also take what is not
    whole.
    """
    outside = (1 - CONFIDENCE) / 2
    low = betaincinv(events, searches - events + 1, outside) if events > 0 else 0.0
    high = betaincinv(events + 1, searches - events, 1 - outside) if events < searches else 1.0
    return float(low), float(high)


def _counted(sample: ImpostorSample, groups: int, fpir: float) -> OpenSetThreshold:
    identities = len(np.unique(sample.identities))
    growth = groups / sample.searched
    order = np.argsort(sample.distances, kind="stable")
    distances, events = sample.distances[order], np.cumsum(sample.weights[order])
    allowed = _scaled(fpir, 1 / growth) * (identities + 1) - 1
    # Of equal distances all are at or below the threshold, or none.
    last = np.append(distances[1:] > distances[:-1], True)
    within = np.flatnonzero(last & (events <= allowed + 1e-9))
    if not len(within):
        raise TooFewImpostorsError(
            f"expected distances that differ, got {float(events[last][0]):.0f} of {identities} "
            f"identities at {distances[0]}, the nearest"
        )
    share = float(events[within[-1]]) / identities
    low, high = clopper_pearson(share * sample.independent, sample.independent)
    return OpenSetThreshold(
        threshold=float(distances[within[-1]]),
        fpir=fpir,
        low=_scaled(low, growth),
        high=_scaled(high, growth),
        method="count",
        shape=None,
        searches=len(distances),
        identities=identities,
        groups=groups,
    )


def _from_tail(
    samples: Sequence[ImpostorSample], groups: int, fpir: float, identities: int
) -> OpenSetThreshold:
    observed = _joined(samples, groups)
    bound = _bound(observed, identities)
    tail = fit_tail(observed, bound)
    if tail is None:
        raise TooFewImpostorsError(
            f"expected nearest distances that differ, got a tail of {identities} identities from "
            f"{observed.distances.min():.4f} to {bound:.4f} that fixes no law"
        )
    threshold = tail.quantile(fpir)
    rates = [
        tail.probability(min(resampled.quantile(fpir), bound))
        for weights in _resampled_weights(samples)
        if (resampled := _refitted(observed, weights, bound)) is not None
    ]
    outside = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(rates, [outside, 100 - outside]) if rates else (0.0, 1.0)
    return OpenSetThreshold(
        threshold=threshold,
        fpir=fpir,
        low=float(low),
        high=float(high),
        method="tail",
        shape=tail.shape,
        searches=len(observed.distances),
        identities=identities,
        groups=groups,
    )


def _joined(samples: Sequence[ImpostorSample], groups: int) -> CensoredDistances:
    return CensoredDistances(
        np.concatenate([sample.distances.astype(np.float64) for sample in samples]),
        np.concatenate([sample.weights for sample in samples]),
        np.concatenate([np.full(len(s.distances), s.searched / groups) for s in samples]),
        np.concatenate([np.full(len(sample.distances), sample.beyond) for sample in samples]),
        np.concatenate([np.full(len(sample.distances), sample.mutual) for sample in samples]),
    )


def _bound(observed: CensoredDistances, identities: int) -> float:
    """The distance up to which the tail goes, by weight."""
    order = np.argsort(observed.distances, kind="stable")
    wanted = min(identities, max(identities**_TAIL_POWER, _TAIL_LEAST))
    row = int(np.searchsorted(np.cumsum(observed.weights[order]), wanted - 1e-9))
    return float(observed.distances[order][min(row, len(order) - 1)])


def _resampled_weights(samples: Sequence[ImpostorSample]) -> Iterator[NDArray[np.float64]]:
    """Weights of all searches with the identities of each sample drawn with replacement.

    Of mutual ones only half as many are drawn, for that is what they are worth.
    """
    rng = np.random.default_rng(_SEED)
    for _ in range(_RESAMPLES):
        yield np.concatenate([_resampled(sample, rng) for sample in samples])


def _resampled(sample: ImpostorSample, rng: np.random.Generator) -> NDArray[np.float64]:
    identities, which = np.unique(sample.identities, return_inverse=True)
    if not len(identities):
        return sample.weights
    size = max(1, round(sample.independent))
    times = np.bincount(rng.integers(0, len(identities), size), minlength=len(identities))
    return np.asarray(sample.weights * times[which] * (len(identities) / size))


def _refitted(
    observed: CensoredDistances, weights: NDArray[np.float64], bound: float
) -> WeibullTail | None:
    return fit_tail(replace(observed, weights=weights), bound)


def _scaled(probability: float, power: float) -> float:
    """The probability of a minimum over ``power`` times as many."""
    return -math.expm1(power * math.log1p(-probability)) if probability < 1 else 1.0
