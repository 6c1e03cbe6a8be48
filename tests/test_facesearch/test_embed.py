"""The batch job: resuming, changed, moved, copied and deleted photos, failures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.errors import ContractError, GalleryError, InputError
from facesearch.gallery.gallery import Gallery
from indexer.storage.shards import Shard
from support.fake_engine import FakeEngine, person_vector, write_photo

OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=4)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(10):
        people = [[], [1], [1, 2], [3]][number % 4]
        write_photo(folder / f"day{number // 5}" / f"{number:02d}.png", people, variant=number)
    return folder


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)


def run(gallery: Gallery, *roots: Path, **changes: object) -> EmbedReport:
    options = EmbedOptions(**{**vars(OPTIONS), **changes})  # type: ignore[arg-type]
    return embed_photos(gallery, FakeEngine(), roots, options)  # type: ignore[arg-type]


def rows(gallery: Gallery) -> list[tuple[object, ...]]:
    """All photo rows of all shards, but for the ids."""
    found = []
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            table = shard.table("photos")
            found += list(zip(*(table[name].tolist() for name in sorted(table)), strict=True))
    return found


def test_every_photo_is_a_row_and_every_face_a_vector(gallery: Gallery, photos: Path) -> None:
    report = run(gallery, photos)
    assert (report.found, report.embedded, report.failed, report.faces) == (10, 10, 0, 9)
    state = gallery.state()
    assert [record.name for record in state.photos.values()] == [
        f"day{n // 5}/{n:02d}.png" for n in range(10)
    ]
    assert len(gallery.shard_paths()) == 3
    ids = state.live_ids()
    records = gallery.faces(ids, state)
    vectors = gallery.vectors(ids)
    assert [record.photo.name[-6:-4] for record in records[:4]] == ["01", "02", "02", "03"]
    assert np.allclose(vectors[1], person_vector(1, 2), atol=1e-3)
    assert np.allclose(vectors[2], person_vector(2, 2), atol=1e-3)
    assert records[1].box == (0.0, 2.0, 3.0, 6.0)
    assert records[1].size == (48, 48)


def test_second_run_does_nothing(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    before = rows(gallery)
    report = run(gallery, photos)
    assert (report.unchanged, report.done, report.gone, report.shards) == (10, 0, 0, [])
    assert rows(gallery) == before


@pytest.mark.parametrize("workers", [{"decoders": 2, "threads": 3}, {"decoders": 0, "threads": 1}])
def test_result_does_not_depend_on_parallelism(
    tmp_path: Path, photos: Path, workers: dict[str, int]
) -> None:
    galleries = [
        Gallery.create(tmp_path / f"{name}.gallery", FakeEngine().contract) for name in "ab"
    ]
    run(galleries[0], photos)
    run(galleries[1], photos, **workers)
    assert rows(galleries[0]) == rows(galleries[1])
    for one, other in zip(*(gallery.shard_paths() for gallery in galleries), strict=True):
        with Shard.open(one) as first, Shard.open(other) as second:
            assert np.array_equal(first.vectors(), second.vectors())


def test_moved_photo_keeps_its_faces_without_inference(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    ids = gallery.state().live_ids()
    (photos / "day0" / "02.png").rename(photos / "day1" / "renamed.png")
    engine = FakeEngine()
    report = embed_photos(gallery, engine, [photos], OPTIONS)  # type: ignore[arg-type]
    assert (report.known, report.gone, report.embedded, engine.calls) == (1, 1, 0, 0)
    state = gallery.state()
    assert np.array_equal(state.live_ids(), ids)
    names = {record.photo.name for record in gallery.faces(ids, state)}
    assert "day1/renamed.png" in names and "day0/02.png" not in names


def test_copy_of_a_photo_adds_no_faces(gallery: Gallery, photos: Path) -> None:
    shutil.copy(photos / "day0" / "02.png", photos / "day1" / "copy.png")
    report = run(gallery, photos)
    assert (report.embedded, report.known, report.faces) == (10, 1, 9)
    # Deleting the original leaves the faces with the copy.
    (photos / "day0" / "02.png").unlink()
    run(gallery, photos)
    state = gallery.state()
    assert state.face_count == 9
    assert "day1/copy.png" in {each.photo.name for each in gallery.faces(state.live_ids(), state)}


def test_edited_photo_is_new_content_and_an_undone_edit_the_old(
    gallery: Gallery, photos: Path
) -> None:
    run(gallery, photos)
    edited = photos / "day0" / "01.png"
    original = edited.read_bytes()
    before = gallery.state().live_ids()
    write_photo(edited, [7, 8], variant=99)
    assert run(gallery, photos).embedded == 1
    state = gallery.state()
    assert state.face_count == 10
    assert before[0] not in state.live_ids()
    edited.write_bytes(original)
    assert run(gallery, photos).known == 1
    assert np.array_equal(gallery.state().live_ids(), before)


def test_touched_photo_is_recognised_by_content(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    os.utime(photos / "day0" / "01.png", ns=(5, 5))
    report = run(gallery, photos)
    assert (report.checked, report.known, report.embedded) == (1, 0, 0)
    assert run(gallery, photos).done == 0


def test_deleted_photo_is_gone_and_comes_back_with_its_faces(
    gallery: Gallery, photos: Path
) -> None:
    run(gallery, photos)
    before = gallery.state().live_ids()
    victim = photos / "day1" / "06.png"
    content = victim.read_bytes()
    victim.unlink()
    assert run(gallery, photos).gone == 1
    state = gallery.state()
    assert state.face_count == 7 and state.count("gone") == 1
    assert run(gallery, photos).gone == 0
    victim.write_bytes(content)
    engine = FakeEngine()
    report = embed_photos(gallery, engine, [photos], OPTIONS)  # type: ignore[arg-type]
    assert (report.known, engine.calls) == (1, 0)
    assert np.array_equal(gallery.state().live_ids(), before)


def test_unmounted_drive_is_said_and_costs_nothing_when_it_is_back(
    gallery: Gallery, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(gallery, photos)
    before = gallery.state().live_ids()
    away = photos.rename(photos.with_name("away"))
    photos.mkdir()
    assert run(gallery, photos).gone == 10
    assert "not mounted" in caplog.text
    photos.rmdir()
    away.rename(photos)
    engine = FakeEngine()
    report = embed_photos(gallery, engine, [photos], OPTIONS)  # type: ignore[arg-type]
    assert (report.known, engine.calls) == (10, 0)
    assert np.array_equal(gallery.state().live_ids(), before)


def test_moved_folder_is_followed(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    before = gallery.state().live_ids()
    moved = photos.rename(photos.with_name("elsewhere"))
    engine = FakeEngine()
    report = embed_photos(gallery, engine, [photos, moved], OPTIONS)  # type: ignore[arg-type]
    assert (report.known, report.gone, engine.calls) == (10, 10, 0)
    state = gallery.state()
    assert np.array_equal(state.live_ids(), before)
    assert {face.photo.location.parents[1] for face in gallery.faces(before, state)} == {moved}


def test_new_place_of_a_copy_is_shown_before_the_old_one_is_reconciled(
    gallery: Gallery, photos: Path
) -> None:
    run(gallery, photos)
    moved = photos.rename(photos.with_name("elsewhere"))
    run(gallery, moved)
    state = gallery.state()
    shown = {face.photo.location.parents[1] for face in gallery.faces(state.live_ids(), state)}
    assert shown == {moved}


def test_deleted_folder_empties_the_gallery(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    shutil.rmtree(photos)
    assert run(gallery, photos).gone == 10
    assert gallery.state().face_count == 0
    with pytest.raises(InputError, match="photos"):
        run(gallery, photos)  # nothing is known there any more


def test_lost_shard_is_made_up_for_and_its_face_ids_are_not_used_again(
    gallery: Gallery, photos: Path
) -> None:
    run(gallery, photos)
    shutil.copy(photos / "day0" / "02.png", photos / "day1" / "copy.png")
    run(gallery, photos)
    lost = gallery.shard_paths()[0]
    before = gallery.state()
    lost.unlink()
    lost.with_name(lost.name + ".sha256").unlink()
    assert gallery.state().face_count == before.face_count - 4
    report = run(gallery, photos)
    assert (report.embedded, report.known) == (4, 1)
    after = gallery.state()
    assert after.face_count == before.face_count
    new = set(after.live_ids().tolist()) - set(before.live_ids().tolist())
    assert len(new) == 4 and min(new) > max(before.live_ids())
    for path in gallery.shard_paths():
        path.unlink()
        path.with_name(path.name + ".sha256").unlink()
    run(gallery, photos)
    assert min(gallery.state().live_ids()) > max(after.live_ids())


def test_photos_outside_the_given_folders_are_left_alone(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    shutil.rmtree(photos / "day1")
    assert run(gallery, photos / "day0").gone == 0
    assert run(gallery, photos).gone == 5


def test_failures_are_rows_and_are_not_repeated(gallery: Gallery, photos: Path) -> None:
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("this is no photo")
    write_photo(photos / "breaks.png", [255])
    report = run(gallery, photos)
    assert (report.embedded, report.failed) == (10, 3)
    reasons = {each.photo.name: each.reason for each in report.failures}
    assert reasons == {
        "empty.jpg": "empty",
        "text.jpg": "not-an-image",
        "breaks.png": "internal",
    }
    before = rows(gallery)
    again = run(gallery, photos)  # "internal" is tried again, with the same end
    assert again.failed == 1 and rows(gallery) == before
    assert run(gallery, photos, retry_failed=True).failed == 3
    assert rows(gallery) == before
    write_photo(photos / "text.jpg", [4])
    assert run(gallery, photos).embedded == 1


def test_one_breaking_photo_costs_its_batch_nothing(gallery: Gallery, tmp_path: Path) -> None:
    folder = tmp_path / "batch"
    for number in range(7):
        write_photo(folder / f"{number}.png", [255 if number == 3 else 1], variant=number)
    report = run(gallery, folder)
    assert (report.embedded, report.failed, report.faces) == (6, 1, 6)


def test_another_contract_is_refused_by_name(gallery: Gallery, photos: Path) -> None:
    with pytest.raises(ContractError, match=r"'fake'.*'other'"):
        embed_photos(gallery, FakeEngine("other"), [photos], OPTIONS)  # type: ignore[arg-type]


def test_missing_folder_is_the_callers_mistake(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        run(gallery, tmp_path / "nowhere")


def test_two_writers_are_refused(gallery: Gallery, photos: Path) -> None:
    other = Gallery.open(gallery.folder)
    with other.writing(), pytest.raises(GalleryError, match="another process"):
        run(gallery, photos)


def test_what_was_done_before_an_error_is_kept(gallery: Gallery, photos: Path) -> None:
    def stop(report: EmbedReport, total: int) -> None:
        if report.done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_photos(gallery, FakeEngine(), [photos], OPTIONS, stop)  # type: ignore[arg-type]
    assert len(rows(gallery)) == 6
    assert run(gallery, photos).embedded == 4
