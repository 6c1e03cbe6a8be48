import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facesearch.detect.boxes import iou, matched, nms, squared

# Whole numbers, so that plain and compiled arithmetic agree to the last bit.
coordinates = st.integers(-20, 20).map(float)


def boxes(most=12):
    corners = arrays(np.float32, st.tuples(st.integers(0, most), st.just(4)), elements=coordinates)
    return corners.map(lambda c: np.concatenate([c[:, :2], c[:, :2] + np.abs(c[:, 2:])], axis=1))


def plain_overlap(a, b, of_smaller=False):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = float(width * height) if width > 0 and height > 0 else 0.0
    first, second = (float((v[2] - v[0]) * (v[3] - v[1])) for v in (a, b))
    whole = min(first, second) if of_smaller else first + second - shared
    return shared / whole if shared else 0.0


def plain_nms(found, scores, threshold, of_smaller):
    kept = []
    for row in sorted(range(len(found)), key=lambda r: (-scores[r], r)):
        if all(plain_overlap(found[row], found[k], of_smaller) <= threshold for k in kept):
            kept.append(row)
    return kept


@settings(deadline=None)
@given(boxes(), boxes())
def test_iou_equals_the_plain_one(a, b):
    result = iou(a, b)
    assert result.shape == (len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)):
            assert result[i, j] == pytest.approx(plain_overlap(a[i], b[j]))


@settings(deadline=None)
@given(boxes(), st.data(), st.sampled_from([0.0, 0.3, 0.45, 0.7]), st.booleans())
def test_nms_equals_the_plain_one(found, data, threshold, of_smaller):
    elements = st.sampled_from([0.1, 0.5, 0.6, 0.9])  # ties are common
    scores = data.draw(arrays(np.float32, len(found), elements=elements))
    kept = nms(found, scores, threshold, of_smaller=of_smaller)
    assert kept.tolist() == plain_nms(found, scores, threshold, of_smaller)


def test_nms_of_smaller_drops_a_box_inside_another():
    found = np.array([[0, 0, 100, 100], [10, 10, 40, 40]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert nms(found, scores, 0.7).tolist() == [0, 1]
    assert nms(found, scores, 0.7, of_smaller=True).tolist() == [0]


@given(boxes())
def test_squares_keep_the_centre_and_the_longer_side(found):
    result = squared(found)
    assert result.dtype == np.float32
    sides = found[:, 2:] - found[:, :2]
    for axis in (0, 1):
        np.testing.assert_allclose(result[:, 2 + axis] - result[:, axis], sides.max(1, initial=0))
    np.testing.assert_allclose(result[:, :2] + result[:, 2:], found[:, :2] + found[:, 2:])


@settings(deadline=None)
@given(boxes(8), boxes(8), st.sampled_from([0.2, 0.4, 0.7]))
def test_matching_is_one_to_one_and_above_the_threshold(found, labelled, threshold):
    taken = matched(found, labelled, threshold)
    free = set(range(len(labelled)))
    for row in range(len(found)):
        overlaps = {j: plain_overlap(found[row], labelled[j]) for j in free}
        best = max(overlaps.values(), default=0.0)
        if best < threshold:
            assert taken[row] == -1
        else:
            assert overlaps[int(taken[row])] == pytest.approx(best)
            free.remove(int(taken[row]))


def test_matching_prefers_the_better_score_for_a_contested_face():
    labelled = np.array([[0, 0, 10, 10]], np.float32)
    found = np.array([[0, 0, 10, 8], [0, 0, 10, 10]], np.float32)
    assert matched(found, labelled, 0.4).tolist() == [0, -1]
