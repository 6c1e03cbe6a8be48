"""How face vectors lie, in a few thousand numbers: fitted to real ones, drawn from at any size.

A face is the unit vector along mean + person + spread * deviation. People are a mixture of normal
distributions, for children, women and men of many kinds lie apart; deviations are normal, and the
spread is the product of a log-normal of the person and one of the face, so that both have heavy
tails. All is written in the eigenvectors of the covariance between people, which are few: what
varies in dlib's 128 components lies in some 76 dimensions. Sizes of people follow a power law.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import zeta

from indexer.types import Vectors

FITTED = Path(__file__).with_name("face_model.json")
LARGEST = 1000  # faces of one person

_COMPONENTS = 16
_NEGLIGIBLE = 1e-4  # share of the variance of the largest direction
_DIGITS = 4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FaceModel:
    """A distribution of people and their faces in r dimensions of d.

    ``basis`` float64 (d, r) has orthonormal columns, in which ``mean`` (r,), ``kinds`` (k, r) and
    its variances ``kind_variances`` (k, r), the variances of ``deviations`` (r,) are written.
    ``weights`` (k,) are the shares of the kinds of people. ``person_spread`` and ``face_spread``
    are standard deviations of logarithms. A person has n faces with a probability that falls as
    n to the ``-size_exponent``.
    """

    basis: Floats
    mean: Floats
    weights: Floats
    kinds: Floats
    kind_variances: Floats
    deviations: Floats
    person_spread: float
    face_spread: float
    size_exponent: float

    def __post_init__(self) -> None:
        dimension, rank = self.basis.shape
        shapes = [(rank,), self.weights.shape, *[(len(self.weights), rank)] * 2, (rank,)]
        arrays = [self.mean, self.weights, self.kinds, self.kind_variances, self.deviations]
        if [each.shape for each in arrays] != shapes or dimension < rank:
            raise ValueError(
                f"expected a basis (d, r) and arrays {shapes}, got {self.basis.shape} and "
                f"{[each.shape for each in arrays]}"
            )

    @property
    def dimension(self) -> int:
        """Components of a vector."""
        return int(self.basis.shape[0])

    @property
    def rank(self) -> int:
        """Dimensions in which vectors differ."""
        return int(self.basis.shape[1])

    def turned(self, dimension: int, seed: int = 0) -> FaceModel:
        """The same distances in other directions, and perhaps in more components.

        The fitted directions are of one encoder; those of another run anywhere, and a quantiser
        that works along the axes must not find them there.
        """
        if dimension < self.rank:
            raise ValueError(f"expected {self.rank} components or more, got {dimension}")
        normal = np.random.default_rng(seed).standard_normal((dimension, self.rank))
        return replace(self, basis=np.linalg.qr(normal)[0])

    def with_spreads(self, person_spread: float, face_spread: float) -> FaceModel:
        """The same people, whose faces spread otherwise."""
        return replace(self, person_spread=person_spread, face_spread=face_spread)

    def save(self, path: Path) -> None:
        """Write all but the basis as JSON; ``kinds`` and variances with four digits."""
        values = {
            name: _rounded(value) if isinstance(value, np.ndarray) else value
            for name, value in asdict(self).items()
            if name != "basis"
        }
        path.write_text(json.dumps(values) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path = FITTED, dimension: int = 128, seed: int = 0) -> FaceModel:
        """A saved model, turned."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        arrays = {
            name: np.array(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        rank = len(values["mean"])
        return cls(basis=np.eye(rank), **arrays).turned(dimension, seed)


def fit_face_model(vectors: Vectors, people: NDArray[np.int64]) -> FaceModel:
    """The model of vectors float32 (n, d), ``people`` int64 (n,) from 0 saying whose each is.

    Covariances within and between people are those of a one-way analysis of variance. The spreads
    are left at 0, to be chosen by the distances that come of them.
    """
    from sklearn.mixture import GaussianMixture

    counts = np.bincount(people)
    means = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(means, people, vectors)
    means /= counts[:, None]
    residuals = (vectors - means[people])[counts[people] >= 2]
    freedom = int((counts[counts >= 2] - 1).sum())
    within = residuals.T @ residuals / freedom
    overall = means.mean(axis=0)
    # The mean of n faces still has 1/n of the variance within people.
    between = np.cov(means.T) - within * (1 / counts).mean()
    variances, basis = np.linalg.eigh(between)
    kept = np.flatnonzero(variances > _NEGLIGIBLE * variances.max())[::-1]
    basis = basis[:, kept]
    deviations = np.einsum("dr,de,er->r", basis, within, basis)
    mixture = GaussianMixture(_COMPONENTS, covariance_type="diag", random_state=0).fit(
        (means - overall) @ basis
    )
    kind_variances = mixture.covariances_ - deviations * (1 / counts).mean()
    return FaceModel(
        basis,
        overall @ basis,
        mixture.weights_,
        mixture.means_,
        np.maximum(kind_variances, _NEGLIGIBLE * variances.max()),
        deviations,
        0.0,
        0.0,
        _size_exponent(counts),
    )


def _size_exponent(counts: NDArray[np.int64]) -> float:
    """The most likely exponent of sizes of which n comes with a probability n^-a / zeta(a)."""
    logarithm = np.log(counts).mean()
    found = minimize_scalar(
        lambda a: a * logarithm + np.log(zeta(a)), bounds=(1.05, 6.0), method="bounded"
    )
    return round(float(found.x), _DIGITS)


def _rounded(values: Floats) -> Any:
    text = np.char.mod(f"%.{_DIGITS}g", values)
    return text.astype(np.float64).tolist()
