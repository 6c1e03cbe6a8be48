"""One-to-one comparison: by distance, but never of two faces that are too poor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facesearch.errors import InputError
from facesearch.recognition.identify import Probe, compare_probes


def probe(angle: float, quality: float, box: float = 10) -> Probe:
    """A photo of one face whose vector leans by ``angle`` radians."""
    vector = np.array([[np.cos(angle), np.sin(angle)]], np.float32)
    return Probe(Path("photo.jpg"), ((0, 0, box, box),), (0.9,), (quality,), vector)


@pytest.mark.parametrize(
    ("qualities", "same"), [((0.9, 0.9), True), ((0.9, 0.1), True), ((0.29, 0.1), False)]
)
def test_two_poor_faces_are_never_one_person(qualities: tuple[float, float], same: bool) -> None:
    result = compare_probes(probe(0, qualities[0]), probe(0, qualities[1]), 0.5)
    assert result.same == same
    assert result.too_poor != same
    assert result.distance == 0
    assert result.qualities == qualities


def test_distance_decides_between_good_faces() -> None:
    near, far = probe(0.3, 0.9), probe(1.5, 0.9)
    assert compare_probes(probe(0, 0.9), near, 0.5).same
    assert not compare_probes(probe(0, 0.9), far, 0.5).same
    nobody = Probe(Path("empty.jpg"), (), (), (), np.zeros((0, 2), np.float32))
    with pytest.raises(InputError, match=r"no face found in empty\.jpg"):
        compare_probes(probe(0, 0.9), nobody, 0.5)
