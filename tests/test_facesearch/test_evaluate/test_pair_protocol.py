"""The figures of a list of pairs, and the two formats of such lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facesearch.errors import InputError
from facesearch.evaluate import verification as v
from facesearch.evaluate.embedding import EmbeddedPhotos
from facesearch.evaluate.pair_protocol import (
    distances_of,
    evaluate_pairs,
    photos_of,
    read_pair_list,
    roc_curve,
)

steps = st.integers(0, 16).map(lambda step: step / 4)


@given(arrays(np.float64, st.integers(1, 40), elements=steps), st.data())
def test_every_point_of_the_roc_is_a_thresholds_rates(different, data) -> None:  # type: ignore[no-untyped-def]
    genuine = data.draw(arrays(np.float64, st.integers(1, 40), elements=steps))
    distances = np.concatenate([different, genuine])
    same = np.arange(len(distances)) >= len(different)
    curve = roc_curve(distances, same)
    plain = {v.rates(distances, same, threshold)[::-1] for threshold in different}
    assert set(zip(curve.far.tolist(), curve.tar.tolist(), strict=True)) == plain
    assert (np.diff(curve.far) >= 0).all() and (np.diff(curve.tar) >= 0).all()


def test_the_figures_are_those_of_verification() -> None:
    rng = np.random.default_rng(3)
    same = np.arange(600) % 2 == 0
    distances = np.where(same, rng.normal(0.3, 0.2, 600), rng.normal(0.8, 0.2, 600)).clip(0, 4)
    folds = np.arange(600) // 60
    result = evaluate_pairs(distances, same, folds, missing=2, repeats=50)
    assert (result.same, result.different, result.missing) == (300, 300, 2)
    assert result.folds is not None
    assert result.folds.mean == v.fold_accuracy(distances, same, folds).mean
    for point in result.points:
        tar = np.mean(distances[same] <= point.threshold)
        assert np.sum(distances[~same] <= point.threshold) == point.allowed
        assert point.tar.value == tar
        assert point.tar.low <= tar <= point.tar.high
    assert [point.allowed for point in result.points] == [3, 0, 0]
    assert [point.resolved for point in result.points] == [True, False, False]
    assert evaluate_pairs(distances, same, repeats=3).folds is None


def test_one_kind_of_pairs_is_refused() -> None:
    with pytest.raises(InputError, match="only one kind"):
        evaluate_pairs(np.zeros(3), np.ones(3, np.bool_))
    with pytest.raises(InputError, match="only one kind"):
        roc_curve(np.zeros(3), np.ones(3, np.bool_))


def test_a_photo_without_a_face_is_far_from_all() -> None:
    vectors = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
    photos = EmbeddedPhotos(("a", "b", "c"), ("p",) * 3, vectors, np.array([True, True, False]))
    pairs = v.Pairs(("a", "a", "c"), ("b", "c", "c"), np.ones(3, np.bool_), np.zeros(3, np.int64))
    distances, missing = distances_of(pairs, photos)
    assert distances.tolist() == [2, 4, 4]
    assert missing == 2
    unknown = v.Pairs(("a",), ("z",), np.ones(1, np.bool_), np.zeros(1, np.int64))
    with pytest.raises(InputError, match="'z' was not embedded"):
        distances_of(unknown, photos)


def test_lists_with_tabs(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text("# comment\n\na/1 x.jpg\tb/1.jpg\t0\tten\nc/1.jpg\tc/2.jpg\t1\tnine\n")
    pairs = read_pair_list(file)
    assert pairs.first == ("a/1 x.jpg", "c/1.jpg")
    assert pairs.same.tolist() == [False, True]
    assert pairs.folds.tolist() == [1, 0]
    assert photos_of(pairs) == ("a/1 x.jpg", "b/1.jpg", "c/1.jpg", "c/2.jpg")
    file.write_text("a\tb\t1\n")
    assert read_pair_list(file).folds.tolist() == [0]


def test_lists_in_the_format_of_lfw(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("1\t1\nX\t1\t2\nX\t1\tY\t3\n")
    pairs = read_pair_list(file)
    assert pairs.second == ("X/X_0002.jpg", "Y/Y_0003.jpg")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found none"),
        ("a\tb\t2\n", "line 1: expected photo1"),
        ("a\tb\t1\nc\td\n", "line 2: expected photo1"),
        ("a\tb\t1\tx\nc\td\t1\n", "line 2: expected photo1"),
        ("some words\n", "line 1: expected numbers"),
    ],
)
def test_other_lists_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        read_pair_list(file)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_pair_list(file)
