"""The video protocol on animated tracks: balanced pairs, and one run of a few people."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.portraits import DATA, people_beyond_view_1
from benchmarks.recognition.animated_tracks import balanced_pairs, write_pairs, write_tracks
from facesearch.api.evaluation import EvaluationOptions, evaluate_video
from facesearch.engine import create_engine
from facesearch.evaluate.datasets.pair_lists import read_pairs_file


@given(st.integers(4, 30), st.integers(2, 4), st.integers(1, 10), st.integers(0, 3))
def test_pairs_are_balanced_in_folds_that_share_nobody(
    people: int, clips: int, folds: int, seed: int
) -> None:
    folds = min(folds, people // 2)
    tracks = {f"p{n:02d}": [f"p{n:02d}/{clip}" for clip in range(clips)] for n in range(people)}
    pairs = balanced_pairs(tracks, folds, seed)
    same = [(first, second) for first, second, is_same, _ in pairs if is_same]
    assert sorted(same) == sorted(
        pair for each in tracks.values() for pair in combinations(each, 2)
    )
    assert len({(first, second) for first, second, _, _ in pairs}) == len(pairs) == 2 * len(same)
    counts = Counter((fold, is_same) for _, _, is_same, fold in pairs)
    fold_of: dict[str, int] = {}
    for first, second, is_same, fold in pairs:
        one, other = (track.partition("/")[0] for track in (first, second))
        assert (one == other) == is_same and counts[fold, True] == counts[fold, False]
        assert fold_of.setdefault(one, fold) == fold_of.setdefault(other, fold) == fold
    assert pairs == balanced_pairs(tracks, folds, seed)


def test_a_fold_of_one_person_is_refused() -> None:
    with pytest.raises(ValueError, match="two people or more"):
        balanced_pairs({"a": ["a/0", "a/1"], "b": ["b/0", "b/1"], "c": ["c/0", "c/1"]}, 2, 0)


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "lfw").is_dir(), reason="LFW is not here (FACESEARCH_TEST_DATA)")
def test_the_protocol_runs_from_photos_to_figures(tmp_path: Path) -> None:
    engine = create_engine()
    people = people_beyond_view_1(engine)
    assert len(people.names) >= 40
    tracks = write_tracks(tmp_path, people, people.names[:4])
    assert [len(each) for each in tracks.values()] == [3] * 4
    pairs = balanced_pairs(tracks, 2, 0)
    write_pairs(tmp_path / "pairs.csv", pairs)
    read = read_pairs_file(tmp_path / "pairs.csv")
    columns = (read.first, read.second, read.same.tolist(), read.folds.tolist())
    assert list(zip(*columns, strict=True)) == pairs
    report = evaluate_video(
        tmp_path, tmp_path / "pairs.csv", options=EvaluationOptions(engine=engine)
    )
    assert report.conditions.face == "the longest track" and not report.conditions.failures
    assert report.conditions.photos >= 12 * 8  # frames looked at
