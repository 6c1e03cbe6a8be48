"""Suggestions are fitted and measured at the scale at which a report suggests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.clustering import suggestions
from facesearch.album.build import _scale
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.encoders.types import FLIP
from facesearch.gallery.gallery import Gallery
from support.fake_engine import FakeEngine


def test_the_scale_is_that_of_a_report_on_such_vectors(tmp_path: Path) -> None:
    contract = replace(
        FakeEngine(suggestions.ENCODER).contract,
        preprocessing="dlib-5-points" + (FLIP if suggestions.FLIP else ""),
    )
    gallery = Gallery.create(tmp_path / "my.gallery", contract)
    run = run_clustering(gallery, gallery.state(), ClusterOptions("agglomerative", 0.5))
    assert _scale(gallery, run) == suggestions.SCALE


def test_shares_are_reported_by_how_many_people_a_cluster_shows() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 2, 1, 2, 3, 0])
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, -1], np.int32)
    stated = np.array([0.9, 0.6, 0.7], np.float32)
    found = suggestions.shares(truth, labels, stated)
    assert [each["clusters"] for each in found.values()] == [1, 1, 1]
    assert [each["right"] for each in found.values()] == pytest.approx([1, 2 / 3, 0.5])
    assert [each["off"] for each in found.values()] == pytest.approx([0.1, 2 / 3 - 0.6, 0.2])
