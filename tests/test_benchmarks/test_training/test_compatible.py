"""TAR between two versions of an encoder, against every pair looked at."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.training.compatible import FAR, figures, tar_at_far
from support.vectors import unit_vectors


def obvious_tar(left: np.ndarray, right: np.ndarray, people: np.ndarray) -> float:
    same, different = [], []
    for a in range(len(people)):
        for b in range(len(people)):
            if people[a] != people[b]:
                different.append(float(left[a] @ right[b]))
            elif a != b:
                same.append(float(left[a] @ right[b]))
    allowed = int(FAR * len(different))
    threshold = sorted(different, reverse=True)[allowed]
    return float(np.mean([each > threshold for each in same]))


@pytest.mark.parametrize("seed", range(3))
def test_tar_is_that_of_every_pair(seed: int) -> None:
    people = np.random.default_rng(seed).integers(0, 12, 60)
    centres = unit_vectors(12, 8, seed)
    left, right = (centres[people] + 0.3 * unit_vectors(60, 8, seed + step) for step in (1, 2))
    assert tar_at_far(left, right, people) == pytest.approx(obvious_tar(left, right, people))
    assert 0 < tar_at_far(left, right, people) < 1


def test_update_gain_is_the_part_of_the_way_that_new_with_old_goes() -> None:
    people = np.repeat(np.arange(10), 4)
    centres = unit_vectors(10, 16, 0)[people]
    old, new = centres + 0.5 * unit_vectors(40, 16, 1), centres + 0.2 * unit_vectors(40, 16, 2)
    found = figures(old, new, new, people)
    way = found["new-new"] - found["old-old"]
    assert way > 0
    assert found["update gain"] == pytest.approx((found["new-old"] - found["old-old"]) / way)
