"""The estimators: scikit-learn's own checks, and the functions they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator

from cluster import AgglomerativeClustering, Constraints, HdbscanClustering
from cluster.agglomerative import agglomerative
from cluster.hdbscan_clustering import DensitySettings, hdbscan_clustering
from support.vectors import grouped_vectors

VECTORS, TRUTH = grouped_vectors(people=8, each=9, seed=3)
IDS = np.arange(len(VECTORS))
ESTIMATORS = [AgglomerativeClustering(0.6, normalize=True), HdbscanClustering(3, normalize=True)]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
def test_scikit_learns_checks(estimator: AgglomerativeClustering | HdbscanClustering) -> None:
    check_estimator(
        estimator,
        expected_failed_checks={
            "check_estimators_dtypes": "makes vectors of zeros, which have no direction"
        },
        on_skip=None,
    )


@pytest.mark.parametrize("linkage", ["average", "complete", "single"])
def test_agglomerative_is_the_function(linkage: str) -> None:
    estimator = AgglomerativeClustering(0.6, linkage=linkage, min_size=2)  # type: ignore[arg-type]
    labels = estimator.fit_predict(VECTORS)
    plain = agglomerative(IDS, VECTORS, 0.6, min_size=2, linkage=linkage)  # type: ignore[arg-type]
    np.testing.assert_array_equal(labels, plain.labels)
    np.testing.assert_array_equal(estimator.confidence_, plain.confidence)
    assert adjusted_rand_score(TRUTH, labels) == 1


def test_hdbscan_is_the_function() -> None:
    estimator = HdbscanClustering(3, refine=0.7).fit(VECTORS)
    plain = hdbscan_clustering(IDS, VECTORS, DensitySettings(3, 3, 0.7))
    np.testing.assert_array_equal(estimator.labels_, plain.labels)
    np.testing.assert_array_equal(estimator.confidence_, plain.confidence)
    assert adjusted_rand_score(TRUTH, estimator.labels_) > 0.9


@pytest.mark.parametrize("kind", [AgglomerativeClustering, HdbscanClustering])
def test_lists_and_lengths(kind: type) -> None:
    labels = kind().fit_predict(VECTORS)
    np.testing.assert_array_equal(kind().fit_predict(VECTORS.tolist()), labels)
    np.testing.assert_array_equal(kind(normalize=True).fit_predict(3 * VECTORS), labels)
    with pytest.raises(ValueError, match="unit length"):
        kind().fit(3 * VECTORS)
    with pytest.raises(ValueError, match="row 4 is zero"):
        kind(normalize=True).fit(np.where(IDS[:, None] == 4, 0, VECTORS))


def test_constraints_hold() -> None:
    first, *others = np.flatnonzero(TRUTH[0] == TRUTH)
    cannot = np.array([[first, other] for other in others], np.int64)
    fitted = AgglomerativeClustering(0.6).fit(VECTORS, constraints=Constraints(cannot=cannot))
    assert fitted.labels_[first] not in fitted.labels_[others]


def test_parameters_are_checked_when_fitted() -> None:
    wrong = clone(AgglomerativeClustering(7.0))
    assert wrong.get_params()["threshold"] == 7.0
    with pytest.raises(ValueError, match="threshold"):
        wrong.fit(VECTORS)
    with pytest.raises(ValueError, match="min_cluster_size"):
        HdbscanClustering(1).fit(VECTORS)


@pytest.mark.parametrize(
    ("kind", "parameter", "values"),
    [
        (AgglomerativeClustering, "threshold", (-0.1, 4.1, np.nan, "near", None, True)),
        (AgglomerativeClustering, "linkage", ("ward", 7, None)),
        (AgglomerativeClustering, "min_size", (0, 1.5, "many", None)),
        (HdbscanClustering, "min_cluster_size", (1, 2.5, "many", None)),
        (HdbscanClustering, "min_samples", (0, 1.5, "many")),
        (HdbscanClustering, "refine", (-0.1, 4.1, "near")),
    ],
)
def test_wrong_parameters(kind: type, parameter: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=f"expected .*{parameter[:6]}.*, got"):
            kind(**{parameter: value}).fit(VECTORS)
    with pytest.raises(ValueError, match=r"expected Constraints .*, got list \[\]"):
        kind().fit(VECTORS, constraints=[])
