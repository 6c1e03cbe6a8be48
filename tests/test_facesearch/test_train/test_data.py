"""Crop files, augmentation and batches."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.encoders.paper_networks.layers import Size
from facesearch.errors import InputError
from facesearch.train.data.augmentation import NO_AUGMENTATION, Augmentation, augmented
from facesearch.train.data.batches import (
    BatchMaker,
    IdentityBatches,
    TrainingSet,
    WeightedBatches,
    held_out,
)
from facesearch.train.data.crop_file import open_crops, writing_crops
from support.crops import MARGIN, SIDE, crop_file, made_crops

INNER = SIDE - 2 * MARGIN


def training_set(folder: Path, *weights: float, people: int = 6) -> TrainingSet:
    files = [
        open_crops(crop_file(folder / f"set{number}.h5", people, 4, unknown=3, seed=number))
        for number in range(len(weights))
    ]
    return TrainingSet(files, weights)


# Crop files


def test_crops_come_back_as_they_were(tmp_path: Path) -> None:
    file = open_crops(crop_file(tmp_path / "a.h5", 3, 4, unknown=2))
    crops = made_crops(3, 4)
    assert len(file) == 12
    assert (file.side, file.margin) == (SIDE, MARGIN)
    rows = np.array([11, 0, 5, 5])
    assert np.array_equal(file.read(rows), crops[rows])
    assert file.people == ("a-0", "a-1", "a-2")
    assert file.person.tolist() == [0] * 4 + [1] * 4 + [2] * 2 + [-1] * 2
    assert file.vectors("teacher").shape == (12, 128)


def test_missing_vectors_are_named(tmp_path: Path) -> None:
    file = open_crops(crop_file(tmp_path / "a.h5"))
    with pytest.raises(InputError, match=r"no vectors of 'other' \(it has: teacher\)"):
        file.vectors("other")


def test_a_damaged_crop_is_not_read_as_pixels(tmp_path: Path) -> None:
    path = crop_file(tmp_path / "a.h5", 3, 4)
    with h5py.File(path) as file:
        place = file["crops"].id.get_chunk_info(7).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 99] ^= 1
    path.write_bytes(data)
    with pytest.raises(OSError, match=r"(?i)checksum|fletcher|filter"):
        open_crops(path).read(np.array([7]))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with pytest.raises(InputError, match="cannot read"):
        open_crops(path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(InputError, match="cannot read"):
        open_crops(path)
    with h5py.File(path, "w") as file:
        file["crops"] = np.zeros(3)
    with pytest.raises(InputError, match="not a crop file"):
        open_crops(path)


def test_what_does_not_fit_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    path, crops = tmp_path / "a.h5", made_crops(1, 2)
    with (
        pytest.raises(InputError, match="as many crops as names"),
        writing_crops(path, SIDE, MARGIN) as writer,
    ):
        writer.add(crops, [None])
    with (
        pytest.raises(InputError, match=r"vectors of \['a'\] as before, got \[\]"),
        writing_crops(path, SIDE, MARGIN) as writer,
    ):
        writer.add(crops, [None, None], {"a": np.zeros((2, 3), np.float32)})
        writer.add(crops, [None, None])
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_crops_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"), writing_crops(tmp_path / "a.h5", 40, 4):
        pass
    assert list(tmp_path.iterdir()) == []


def test_crops_need_no_names(tmp_path: Path) -> None:
    with writing_crops(tmp_path / "a.h5", SIDE, MARGIN) as writer:
        writer.add(made_crops(1, 2), [None, None])
    file = open_crops(tmp_path / "a.h5")
    assert file.people == ()
    assert file.person.tolist() == [-1, -1]


# Augmentation


def test_without_changes_the_inner_square_comes_back() -> None:
    crops = made_crops(2, 2)
    chips = augmented(crops, MARGIN, Size(INNER, INNER), NO_AUGMENTATION, np.random.default_rng(0))
    assert np.array_equal(chips, crops[:, MARGIN:-MARGIN, MARGIN:-MARGIN])


def test_flip_is_the_mirror_image() -> None:
    crops = made_crops(2, 2)
    changes = Augmentation(1, 0, 0, 0, 0, 0, 0, 20, 0, 0)
    chips = augmented(crops, MARGIN, Size(INNER, INNER), changes, np.random.default_rng(0))
    assert np.array_equal(chips, crops[:, MARGIN:-MARGIN, MARGIN:-MARGIN][:, :, ::-1])


def test_sizes_need_not_be_square() -> None:
    crops = np.full((1, SIDE, SIDE, 3), 7, np.uint8)
    crops[:, SIDE // 2 :] = 200
    chips = augmented(crops, MARGIN, Size(16, 48), NO_AUGMENTATION, np.random.default_rng(0))
    assert chips.shape == (1, 16, 48, 3)
    assert (chips[0, :7] == 7).all()
    assert (chips[0, 9:] == 200).all()


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_changes_are_a_function_of_the_random_numbers(seed: int) -> None:
    crops, size = made_crops(2, 3), Size(INNER, INNER)
    one, two = (
        augmented(crops, MARGIN, size, Augmentation(), np.random.default_rng(seed))
        for _ in range(2)
    )
    assert np.array_equal(one, two)
    # A crop's changes depend on its place in the batch, not on its neighbours.
    other = augmented(crops[::-1], MARGIN, size, Augmentation(), np.random.default_rng(seed))
    middle = augmented(crops[[0, 0, 2]], MARGIN, size, Augmentation(), np.random.default_rng(seed))
    assert np.array_equal(one[2], middle[2])
    assert not np.array_equal(one, other)


def test_shifts_stay_within_what_was_asked() -> None:
    crops = np.zeros((200, SIDE, SIDE, 3), np.uint8)
    crops[:, SIDE // 2, SIDE // 2] = 255
    changes = Augmentation(0, 0.1, 0, 0, 0, 0, 0, 20, 0, 0)
    chips = augmented(crops, MARGIN, Size(INNER, INNER), changes, np.random.default_rng(0))
    place = np.stack([np.unravel_index(chip[..., 0].argmax(), chip.shape[:2]) for chip in chips])
    moved = np.abs(place - INNER // 2)
    assert moved.max() <= round(0.1 * INNER) + 1
    assert moved.max(0).min() >= 2


# Batches


def test_people_of_one_name_are_one_person(tmp_path: Path) -> None:
    first = open_crops(crop_file(tmp_path / "a.h5", 2, 3))
    (tmp_path / "below").mkdir()
    second = open_crops(crop_file(tmp_path / "below" / "a.h5", 3, 3, seed=1))
    training = TrainingSet([first, second], [1, 1])
    assert training.people == ("a-0", "a-1", "a-2")
    assert training.person.tolist() == [0] * 3 + [1] * 3 + [0] * 3 + [1] * 3 + [2] * 3
    rows = np.array([14, 0, 7])
    expected = np.stack([made_crops(3, 3, 1)[8], made_crops(2, 3)[0], made_crops(3, 3, 1)[1]])
    assert np.array_equal(training.read(rows), expected)


def test_weights_are_shares_of_batches(tmp_path: Path) -> None:
    training = training_set(tmp_path, 3.0, 1.0)
    usable = np.ones(len(training), bool)
    usable[::2] = False
    batches = WeightedBatches(training, usable, 40, 0)
    rows = np.concatenate([batches.rows(step) for step in range(50)])
    assert usable[rows].all()
    assert np.mean(rows < training.starts[1]) == pytest.approx(0.75, abs=0.03)


def test_identity_batches_hold_all_faces_of_random_people(tmp_path: Path) -> None:
    training = training_set(tmp_path, 1.0, 1.0)
    usable = np.ones(len(training), bool)
    batches = IdentityBatches(training, usable, 10, 3, 0)
    seen = set()
    for step in range(40):
        rows = batches.rows(step)
        assert len(np.unique(rows)) == 10
        persons, counts = np.unique(training.person[rows], return_counts=True)
        assert persons.min() >= 0
        assert sorted(counts) == [1, 3, 3, 3]
        seen |= set(persons.tolist())
    assert len(seen) == 10  # the last person of each set has but one labelled face
    everyone = IdentityBatches(training, usable, 999, 40, 0).rows(0)
    assert sorted(everyone) == np.flatnonzero(np.isin(training.person, list(seen))).tolist()


def test_batches_are_functions_of_seed_and_step(tmp_path: Path) -> None:
    training = training_set(tmp_path, 1.0)
    usable = np.ones(len(training), bool)

    def batch(seed: int, step: int):
        source = WeightedBatches(training, usable, 8, seed)
        return BatchMaker(training, source, Augmentation(), Size(20, 20), seed).batch(step)

    one, again = batch(0, 5), batch(0, 5)
    assert np.array_equal(one.rows, again.rows)
    assert np.array_equal(one.chips, again.chips)
    assert np.array_equal(one.persons, training.person[one.rows])
    for other in (batch(0, 6), batch(1, 5)):
        assert not np.array_equal(one.rows, other.rows)


def test_the_held_out_stay_held_out_when_crops_are_added(tmp_path: Path) -> None:
    few = training_set(tmp_path, 1.0, people=40)
    more = training_set(tmp_path, 1.0, 1.0, people=40)
    before, after = (held_out(each, 0.3, 5) for each in (few, more))
    assert np.array_equal(after[: len(few)], before)
    assert not before[few.person < 0].any()
    people = np.unique(more.person[after])
    assert 0.15 < len(people) / len(more.people) < 0.45


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    training = training_set(tmp_path, 0.0)
    usable = np.ones(len(training), bool)
    with pytest.raises(InputError, match="weights above 0"):
        WeightedBatches(training, usable, 4, 0)
    with pytest.raises(InputError, match="at least 2 people"):
        IdentityBatches(training, training.person == 0, 4, 2, 0)
    with pytest.raises(InputError, match="at least one crop file"):
        TrainingSet([], [])
