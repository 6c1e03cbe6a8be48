"""Made galleries: the same whatever the blocks, and as far apart as the model says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.common.face_model import FaceModel, fit_face_model
from benchmarks.common.made_faces import distances_of, hidden, same_person
from benchmarks.common.made_galleries import CHUNK, LARGEST, MadeGallery, draw_faces
from indexer.types import check_unit_vectors

MODEL = FaceModel.load()
COUNT = 2 * CHUNK + 700
GALLERY = MadeGallery(COUNT, MODEL, seed=3)
WHOLE = np.concatenate([block.vectors for block in GALLERY.blocks()])
PEOPLE = GALLERY.people(np.arange(COUNT))


@given(rows=st.integers(1000, COUNT + 5), threads=st.integers(1, 3))
@settings(max_examples=12, deadline=None)
def test_blocks_of_any_size_hold_the_same(rows: int, threads: int) -> None:
    blocks = list(GALLERY.blocks(rows, threads))
    assert [len(block) for block in blocks[:-1]] == [rows] * (len(blocks) - 1)
    assert np.array_equal(np.concatenate([block.ids for block in blocks]), np.arange(COUNT))
    assert np.array_equal(np.concatenate([block.vectors for block in blocks]), WHOLE)


def test_a_larger_gallery_begins_like_a_smaller_one() -> None:
    smaller = next(MadeGallery(CHUNK + 10, MODEL, seed=3).blocks(CHUNK + 10))
    assert np.array_equal(smaller.vectors, WHOLE[: CHUNK + 10])


def test_another_seed_makes_other_faces() -> None:
    other = next(MadeGallery(100, MODEL, seed=4).blocks())
    assert np.abs(other.vectors - WHOLE[:100]).max() > 0.1


def test_an_empty_gallery_has_no_blocks_and_nobody() -> None:
    empty = MadeGallery(0, MODEL)
    assert list(empty.blocks()) == []
    with pytest.raises(ValueError, match="gallery with faces"):
        empty.probes(1)


@pytest.mark.parametrize("call", [lambda: MadeGallery(-1, MODEL), lambda: next(GALLERY.blocks(0))])
def test_refused_sizes(call: object) -> None:
    with pytest.raises(ValueError, match="or more"):
        call()  # type: ignore[operator]


def test_sizes_of_people_have_a_heavy_tail() -> None:
    sizes = np.bincount(np.unique(PEOPLE, return_inverse=True)[1])
    assert 0.6 < (sizes == 1).mean() < 0.8
    assert 50 < sizes.max() <= LARGEST


def test_probes_are_of_people_in_the_gallery_and_strangers_are_not() -> None:
    probes, strangers = GALLERY.probes(500), GALLERY.strangers(500)
    assert np.isin(probes.people, PEOPLE).all()
    assert not np.isin(strangers.people, PEOPLE).any()
    nearest = [(2 - 2 * each.vectors @ WHOLE.T).argmin(axis=1) for each in (probes, strangers)]
    distances = [
        np.square(each.vectors - WHOLE[rows]).sum(axis=1)
        for each, rows in zip((probes, strangers), nearest, strict=True)
    ]
    assert (PEOPLE[nearest[0]] == probes.people).mean() > 0.8
    assert distances[0].min() > 1e-4, "a probe is itself in the gallery"
    assert np.median(distances[0]) < 0.8 * np.median(distances[1])


def test_unknown_faces_are_nobodys() -> None:
    assert GALLERY.people(np.array([-1, 5, -1])).tolist() == [-1, PEOPLE[5], -1]


def test_turning_keeps_distances() -> None:
    people = np.arange(50)
    near, far = (draw_faces(MODEL.turned(dimension, 1), people, 5) for dimension in (128, 300))
    check_unit_vectors(far.vectors)
    assert np.allclose(near.vectors @ near.vectors.T, far.vectors @ far.vectors.T, atol=1e-5)
    with pytest.raises(ValueError, match="components or more"):
        MODEL.turned(MODEL.rank - 1)


def test_fitting_made_faces_gives_the_model_back() -> None:
    people = np.sort(np.random.default_rng(0).integers(0, 1500, 6000))
    people = np.unique(people, return_inverse=True)[1]
    faces = draw_faces(MODEL, people, seed=6)
    model = fit_face_model(faces.vectors, people)
    again = draw_faces(model.with_spreads(MODEL.person_spread, MODEL.face_spread), people, seed=7)
    assert 60 < model.rank <= MODEL.rank
    one, other = distances_of(faces), distances_of(again)
    assert np.quantile(one.same, 0.5) == pytest.approx(np.quantile(other.same, 0.5), rel=0.03)
    for size, nearest in one.nearest.items():
        assert np.median(nearest) == pytest.approx(np.median(other.nearest[size]), rel=0.06)


def test_saved_model_is_the_same_but_for_its_directions(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "model.json")
    again = FaceModel.load(tmp_path / "model.json")
    people = np.arange(30)
    assert np.array_equal(
        draw_faces(MODEL, people, 1).vectors, draw_faces(again, people, 1).vectors
    )


def test_distances_within_people_are_those_of_plain_loops() -> None:
    people = np.array([0, 1, 0, 2, 0, 1])
    faces = draw_faces(MODEL, people, seed=8)
    expected = sorted(
        float(np.square(faces.vectors[i] - faces.vectors[j]).sum())
        for i in range(6)
        for j in range(i)
        if people[i] == people[j]
    )
    assert sorted(same_person(faces)) == pytest.approx(expected, abs=1e-6)
    nearest = distances_of(faces).nearest[6]
    others = [
        min(np.square(faces.vectors[i] - faces.vectors[people != people[i]]).sum(axis=1))
        for i in range(6)
    ]
    assert sorted(nearest) == pytest.approx(sorted(others), abs=1e-5)


def test_distractors_only_make_it_harder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.common.made_faces.DISTRACTORS", (0, 500, 3000))
    people = np.repeat(np.arange(100), 2)
    rates = hidden(draw_faces(MODEL, people, seed=9), MODEL)["rank_1_by_distractors"]
    assert list(rates) == ["0", "500", "3000"]
    assert rates["0"] >= rates["500"] >= rates["3000"] > 0.3
