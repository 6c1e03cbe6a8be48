"""Rates within groups against pairs counted one by one; groups from names, tables, folders."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.errors import InputError
from facesearch.evaluate import slices
from facesearch.evaluate.datasets.sliced_photos import (
    photos_by_folders,
    photos_by_names,
    photos_by_table,
)
from facesearch.evaluate.presentation.tables import slice_tables
from facesearch.evaluate.slices import pair_counts, slice_study


def unit(count: int, seed: int, dimension: int = 5) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 6), st.integers(0, 2**32), st.integers(3, 50))
def test_pairs_are_counted_as_one_by_one(count: int, people: int, seed: int, tile: int) -> None:
    vectors = unit(count, seed)
    person = np.random.default_rng(seed + 1).integers(0, people, count)
    thresholds = np.array([0.5, 1.5, 2.5])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "_TILE", tile)
        totals, accepted = pair_counts(vectors, person, thresholds)
    plain_totals, plain = np.zeros(2, int), np.zeros((2, 3), int)
    near_a_threshold = 0
    for i, j in combinations(range(count), 2):
        distance = 2 - 2 * float(vectors[i].astype(float) @ vectors[j].astype(float))
        kind = int(person[i] == person[j])
        plain_totals[kind] += 1
        plain[kind] += distance <= thresholds
        near_a_threshold += int((np.abs(distance - thresholds) < 1e-5).any())
    assert totals.tolist() == plain_totals.tolist()
    assert np.abs(accepted - plain).sum() <= near_a_threshold


def test_each_group_is_judged_by_the_pairs_within_it() -> None:
    """Twins of group b are all but one vector; people of group a are far apart."""
    apart, together = unit(30, 1, 60), np.repeat(unit(1, 2, 60), 30, axis=0)
    vectors = np.concatenate([apart, together])
    kind = ["a"] * 30 + ["b"] * 30
    age = ["young", "old", ""] * 20
    study = slice_study(
        vectors, np.arange(60), {"kind": kind, "age": age}, {"verification": 0.1}, distinct=True
    )
    rates = {(each.kind, each.name): each.rates[0] for each in study.slices}
    assert rates["kind", "a"].far == 0
    assert rates["kind", "b"].far == 1
    assert rates["all", "all"].false_accepts == 30 * 29 // 2
    assert ("age", "") not in rates
    assert ("kind, age", "b, old") not in rates  # ten photos are too few to report
    assert rates["kind", "b"].tar is None
    low, high = rates["kind", "a"].low, rates["kind", "a"].high
    assert low == 0
    assert 0 < high < 0.02
    (table,) = slice_tables(study)
    assert "each photo was taken for another person's" in table.note
    assert [row[:5] for row in table.rows][2] == ("kind", "b", "30", "435", "435")


def test_one_person_alone_and_unfitting_arrays_are_refused() -> None:
    with pytest.raises(InputError, match="two people or more"):
        slice_study(unit(30, 0), np.zeros(30, int), {}, {"verification": 1.0})
    with pytest.raises(InputError, match="for each of 30 vectors"):
        slice_study(unit(30, 0), np.arange(30), {"age": ["1"]}, {"verification": 1.0})


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8\xff")


def test_groups_from_file_names(tmp_path: Path) -> None:
    touch(tmp_path, "2_f_x_1.jpg", "34_m_y_2.jpg", "71_f_y_3.jpg", "other.jpg", "9_f_x_4.jpg")
    photos = photos_by_names(tmp_path, "{age}_{gender}_{origin}_*")
    assert photos.paths == ("2_f_x_1.jpg", "34_m_y_2.jpg", "71_f_y_3.jpg", "9_f_x_4.jpg")
    assert photos.groups["age"] == ("0 to 2", "30 to 39", "70 and more", "3 to 9")
    assert photos.groups["gender"] == ("f", "m", "f", "f")
    assert photos.distinct
    assert len(set(photos.people)) == 4
    named = photos_by_names(tmp_path, "{age}_{gender}_{origin}_{person}")
    assert named.people == ("1", "2", "3", "4")
    assert not named.distinct
    for wrong in ("*", "{person}_*", "{age}_{age}", "{age}_{GENDER"):
        with pytest.raises(InputError, match=r"pattern|named as"):
            photos_by_names(tmp_path, wrong)
    with pytest.raises(InputError, match="named as"):
        photos_by_names(tmp_path, "{age}-{gender}-*")
    with pytest.raises(InputError, match="a folder of photos"):
        photos_by_names(tmp_path / "absent", "{age}_*")


def test_groups_from_a_table(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b/c.jpg")
    table = tmp_path / "groups.csv"
    table.write_text("photo,person,age\na.jpg,1,12\nb/c.jpg,2,\n", encoding="utf-8-sig")
    photos = photos_by_table(tmp_path, table)
    assert photos.people == ("1", "2")
    assert photos.groups == {"age": ("10 to 19", "")}
    table.write_text("photo,person\na.jpg,1\n")
    with pytest.raises(InputError, match="columns photo, person and 1 rows"):
        photos_by_table(tmp_path, table)
    table.write_text("photo,age\nmissing.jpg,1\n")
    with pytest.raises(InputError, match=r"'missing.jpg' in .* \(1 such\)"):
        photos_by_table(tmp_path, table)
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot read"):
        photos_by_table(tmp_path, table)


def test_groups_from_folders(tmp_path: Path) -> None:
    touch(tmp_path, "one/p/1.jpg", "one/p/2.jpg", "two/q/1.jpg")
    photos = photos_by_folders(tmp_path)
    assert photos.people == ("one/p", "one/p", "two/q")
    assert photos.groups == {"group": ("one", "one", "two")}
    assert not photos.distinct
    flat = tmp_path / "flat"
    touch(flat, "1.jpg")
    with pytest.raises(InputError, match="group/person/photo"):
        photos_by_folders(flat)
