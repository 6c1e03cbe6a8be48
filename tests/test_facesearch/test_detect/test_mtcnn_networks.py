import numpy as np
import pytest

from facesearch.detect.mtcnn_networks import MtcnnNetworks
from support.oracles import plain_mtcnn


@pytest.fixture(scope="module")
def networks():
    return MtcnnNetworks()


def noise(*shape, seed=0):
    """Pixels whose networks' outputs vary: flat patches of many sizes under noise."""
    random = np.random.default_rng(seed)
    flat = random.integers(0, 256, (*shape[:-3], 1, 1, 3))
    return np.clip(flat + random.integers(-80, 80, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "shape", [(12, 12), (13, 12), (12, 13), (14, 15), (15, 64), (33, 12), (61, 47), (90, 101)]
)
def test_p_net_equals_the_plain_one_at_every_window(networks, shape):
    level = noise(*shape, 3)
    corners, scores, offsets = networks.propose(level, 0.0)
    expected_scores, expected_offsets = plain_mtcnn.propose(level)
    rows, columns = np.indices(expected_scores.shape)
    np.testing.assert_array_equal(corners, 2 * np.stack([columns, rows], -1).reshape(-1, 2))
    np.testing.assert_allclose(scores, expected_scores.reshape(-1), atol=1e-5)
    np.testing.assert_allclose(offsets, expected_offsets.reshape(-1, 4), atol=1e-5)


def test_p_net_returns_only_windows_above_the_score(networks):
    level = noise(80, 80, 3, seed=3)
    _, scores, _ = networks.propose(level, 0.0)
    middle = float(np.median(scores))
    corners, above, _ = networks.propose(level, middle)
    assert 0 < len(above) < len(scores)
    np.testing.assert_allclose(above, scores[scores > middle], atol=1e-6)
    assert corners.shape == (len(above), 2)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 11])
def test_r_net_and_o_net_equal_the_plain_ones(networks, count):
    crops = noise(count, 24, 24, 3)
    found = networks.refine(crops.astype(np.float32))
    assert [a.shape for a in found] == [(count,), (count, 4)]
    larger = noise(count, 48, 48, 3)
    found_larger = networks.output(larger.astype(np.float32))
    assert [a.shape for a in found_larger] == [(count,), (count, 4), (count, 10)]
    if count:
        for ours, plain in zip(found, plain_mtcnn.refine(crops), strict=True):
            np.testing.assert_allclose(ours, plain, atol=1e-5)
        for ours, plain in zip(found_larger, plain_mtcnn.output(larger), strict=True):
            np.testing.assert_allclose(ours, plain, atol=1e-5)


def test_a_crop_is_computed_alike_in_any_batch(networks):
    crops = noise(7, 48, 48, 3).astype(np.float32)
    together = networks.output(crops)
    for row in range(7):
        alone = networks.output(crops[row : row + 1])
        for ours, batched in zip(alone, together, strict=True):
            np.testing.assert_array_equal(ours[0], batched[row])
