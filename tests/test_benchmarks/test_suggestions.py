"""Suggestions are fitted and measured at the scale at which a report suggests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks import suggestions
from facesearch.cluster_options import ClusterOptions
from facesearch.encoders.types import FLIP
from facesearch.gallery import Gallery
from facesearch.gallery_album import _scale
from facesearch.grouping import run_clustering
from support.fake_engine import FakeEngine


def test_the_scale_is_that_of_a_report_on_such_vectors(tmp_path: Path) -> None:
    contract = replace(
        FakeEngine(suggestions.ENCODER).contract,
        preprocessing="dlib-5-points" + (FLIP if suggestions.FLIP else ""),
    )
    gallery = Gallery.create(tmp_path / "my.gallery", contract)
    run = run_clustering(gallery, gallery.state(), ClusterOptions("agglomerative", 0.5))
    assert _scale(gallery, run) == suggestions.SCALE
