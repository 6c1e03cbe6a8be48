"""Searches for many probes: equal to searches one by one, whole or resumed, in every format."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesearch.api.batch import search_many
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.errors import BusyGalleryError, ContractError, GalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.recognition import batch_search
from facesearch.recognition.batch_search import BatchReport, search_batch
from facesearch.recognition.match_writers import COLUMNS, MatchRow, match_format
from facesearch.recognition.probes import Probes, open_probes
from facesearch.recognition.resumable_parts import ResumableOutput
from facesearch.search.gallery_index import IndexGoal, build_index, index_folder
from indexer.exact import torch_search
from indexer.exact.int8_kernel import LANES
from indexer.exact.torch_search import search_blocks
from indexer.runtime import devices
from indexer.storage.shards import shard_path, write_shard
from support.fake_engine import FakeEngine, write_photo
from support.galleries import approximate_index, small_gallery
from support.made_folders import MadeFolder
from support.people_galleries import cluster, people_gallery
from support.search import search_gallery
from support.shards import example

OPTIONS = EmbedOptions(decoders=0, threads=1)


def named_gallery(folder: Path) -> None:
    gallery = small_gallery(folder)
    PeopleStore(gallery.folder).enroll("Ann", gallery.state().live_ids()[:2].tolist())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeFolder:
    return MadeFolder(tmp_path_factory.mktemp("gallery"), named_gallery)


@pytest.fixture
def gallery(made: MadeFolder) -> Gallery:
    return Gallery.open(made.fresh() / "my.gallery")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "probes"
    for number in range(9):
        write_photo(folder / f"{number}.png", [1 + number % 5, 200 + number][: 1 + number % 2], 50)
    write_photo(folder / "none.png", [])
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    write_photo(folder / "trouble.png", [255])
    return folder


def probes_at(path: Path, gallery: Gallery, name: str = "fake") -> Probes:
    engine: Any = FakeEngine(name)
    return open_probes(path, gallery, lambda: engine, OPTIONS)


def run(gallery: Gallery, path: Path, out: Path, k: int = 3) -> BatchReport:
    return search_batch(gallery, probes_at(path, gallery), out, k)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_photos_give_what_single_searches_give(
    gallery: Gallery, photos: Path, tmp_path: Path
) -> None:
    report = run(gallery, photos, tmp_path / "m.jsonl")
    rows = lines(tmp_path / "m.jsonl")
    assert (report.probes, report.faces, report.failed, report.without_face) == (12, 13, 2, 1)
    assert report.matches == 39 == sum(not row["reason"] for row in rows)
    assert {row["probe"]: row["reason"] for row in rows if row["reason"]} == {
        str(photos / "none.png"): "no-face",
        str(photos / "broken.png"): "truncated",
        str(photos / "trouble.png"): "internal",
    }
    state, engine = gallery.state(), FakeEngine()
    names = PeopleStore(gallery.folder).memberships().by_id()
    for row in rows:
        if row["reason"]:
            assert row["face"] is row["rank"] is row["distance"] is None and row["detail"]
            continue
        number = int(Path(row["probe"]).stem)
        person = [1 + number % 5, 200 + number][: 1 + number % 2]
        # The fake engine's boxes grow with the number of the face: the last is the largest.
        vector = vectors_of(engine, person, 50)[::-1][[row["face"] - 1]]
        found = search_gallery(gallery, state, vector, 3)
        place = row["rank"] - 1
        assert row["match_face"] == found.ids[0, place]
        assert row["distance"] == pytest.approx(float(found.distances[0, place]))
        assert row["person"] == names.get(row["match_face"])
        known = row["person"] is not None
        assert (row["confirmed"], row["confidence"]) == ((True, 1.0) if known else (None, None))
        (record,) = gallery.faces(found.ids[0, [place]], state)
        assert row["match_photo"] == str(record.photo.location)


def vectors_of(engine: FakeEngine, people: list[int], variant: int) -> np.ndarray:
    pixels = np.zeros((48, 48, 3), np.uint8)
    pixels[0, : len(people), 0] = people
    pixels[1, 0, 2] = variant
    return engine.faces([pixels])[0].embeddings.vectors


@pytest.mark.parametrize("whole", [True, False], ids=["gallery", "folder of shards"])
def test_faces_of_shards_are_probes(gallery: Gallery, tmp_path: Path, whole: bool) -> None:
    path = gallery.folder if whole else gallery.shards_folder
    report = run(gallery, path, tmp_path / "m.jsonl", 1)
    rows = lines(tmp_path / "m.jsonl")
    assert report.unit == "faces" and report.faces == len(rows) == gallery.state().face_count
    assert [row["face"] for row in rows] == gallery.state().live_ids().tolist()
    assert all(row["distance"] < 1e-6 for row in rows)


def test_an_index_gives_the_same(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    run(gallery, photos, tmp_path / "without.csv")
    build_index(gallery)
    run(gallery, photos, tmp_path / "with.csv")
    assert (tmp_path / "with.csv").read_bytes() == (tmp_path / "without.csv").read_bytes()


def test_a_gpu_gives_the_same(
    gallery: Gallery, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(gallery, photos, tmp_path / "cpu.csv")
    asked = []

    def on_the_cpu(blocks: Any, queries: Any, k: int, device: str) -> Any:
        asked.append(device)
        return search_blocks(blocks, queries, k)

    monkeypatch.setattr(devices, "torch_gpus", lambda: 1)
    monkeypatch.setattr(torch_search, "search_blocks", on_the_cpu)
    search_batch(gallery, probes_at(photos, gallery), tmp_path / "gpu.csv", 3, device="cuda")
    assert set(asked) == {"cuda:0"}
    assert (tmp_path / "gpu.csv").read_bytes() == (tmp_path / "cpu.csv").read_bytes()


def test_a_killed_job_goes_on_where_it_was(
    gallery: Gallery, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(gallery, photos, tmp_path / "whole.csv")
    monkeypatch.setitem(batch_search._PART_PROBES, "photos", 5)
    out = tmp_path / "m.csv"
    seen: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        search_batch(gallery, killed(probes_at(photos, gallery), 2), out, 3)
    assert not out.exists() and (tmp_path / ".m.csv.parts").exists()
    engine: Any = FakeEngine()
    probes = open_probes(photos, gallery, lambda: engine, OPTIONS)
    report = search_batch(gallery, probes, out, 3, lambda done, total: seen.append(done))
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert seen == [10, 12] and report.probes == 12
    assert engine.calls <= 4  # a batch of two, and each again where one breaks it
    assert not (tmp_path / ".m.csv.parts").exists()


def killed(probes: Probes, after: int) -> Probes:
    """``probes`` that end in an interruption after so many parts."""

    class Killed:
        unit = probes.unit

        def __len__(self) -> int:
            return len(probes)

        def digest(self, part: int) -> str:
            return probes.digest(part)

        def parts(self, part: int, first: int) -> Iterator[Any]:
            for number, each in enumerate(probes.parts(part, first)):
                if number == after:
                    raise KeyboardInterrupt
                yield each

    return Killed()


@pytest.mark.parametrize("change", ["photo", "gallery", "names", "k", "file"])
def test_parts_of_another_job_are_not_used(
    gallery: Gallery,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    monkeypatch.setitem(batch_search._PART_PROBES, "photos", 2)
    out = tmp_path / "m.jsonl"
    with pytest.raises(KeyboardInterrupt):
        search_batch(gallery, killed(probes_at(photos, gallery), 3), out, 3)
    if change == "photo":
        write_photo(photos / "0.png", [4, 5], variant=70)
    elif change == "gallery":
        write_photo(tmp_path / "more" / "x.png", [1], variant=50)
        engine: Any = FakeEngine()
        embed_photos(gallery, engine, [tmp_path / "more"], OPTIONS)
    elif change == "names":
        PeopleStore(gallery.folder).enroll("Bob", gallery.state().live_ids()[2:9].tolist())
    elif change == "file":
        (tmp_path / ".m.jsonl.parts" / "00000001.part").unlink()
    k = 4 if change == "k" else 3
    run(gallery, photos, out, k)
    run(gallery, photos, tmp_path / "again.jsonl", k)
    assert out.read_bytes() == (tmp_path / "again.jsonl").read_bytes()


@pytest.mark.skipif(not LANES, reason="needs AVX2")
def test_a_job_depends_on_an_index_that_is_approximate_alone(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest() -> str:
        return batch_search._Search(gallery, gallery.state(), 3, "auto").digest()

    without = digest()
    build_index(gallery)
    assert digest() == without
    described = approximate_index(gallery, monkeypatch)
    approximate = digest()
    assert approximate != without and digest() == approximate
    parameters = {**described.parameters, "probes": described.parameters["probes"] + 1}
    replace(described, parameters=parameters).write(index_folder(gallery))
    assert digest() not in {without, approximate}
    build_index(gallery, IndexGoal(recall=1.0))
    assert digest() == without


def test_formats_hold_the_same(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    run(gallery, photos, tmp_path / "m.csv")
    run(gallery, photos, tmp_path / "m.jsonl")
    rows = list(csv.DictReader((tmp_path / "m.csv").open(newline="")))
    expected = lines(tmp_path / "m.jsonl")
    assert tuple(rows[0]) == COLUMNS == tuple(expected[0])
    for row, want in zip(rows, expected, strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in want.items()}


def test_names_that_are_not_utf8_are_written() -> None:
    row = MatchRow("a\udcff\n,b", reason="corrupt", detail='say "x"')
    text = match_format(Path("x.csv"))([row], 1).decode()
    (cells,) = csv.reader(io.StringIO(text, newline=""))
    assert cells[0] == "a\\xff\n,b" and cells[-1] == 'say "x"'
    assert json.loads(match_format(Path("x.jsonl"))([row], 1))["probe"] == "a\udcff\n,b"


def test_folder_without_photos_gives_an_empty_file(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = run(gallery, tmp_path / "empty", tmp_path / "m.csv")
    assert (report.probes, report.matches) == (0, 0)
    assert (tmp_path / "m.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_k_is_at_most_all_there_are(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    report = run(gallery, photos, tmp_path / "m.jsonl", 60_000)
    assert report.matches == report.faces * gallery.state().face_count


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (("m.txt", 3), r"\*\.jsonl, \*\.csv, got"),
        (("there.csv", 3), "exists"),
        (("no/folder/m.csv", 3), "found none"),
        (("m.csv", 0), "k of 1 to"),
        (("m.csv", 2**20), "k of 1 to"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(
    gallery: Gallery, photos: Path, tmp_path: Path, mistake: tuple[str, int], message: str
) -> None:
    name, k = mistake
    (tmp_path / "there.csv").write_text("kept")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        run(gallery, photos, tmp_path / name, k)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.csv").read_text() == "kept"


def test_two_jobs_for_one_output_do_not_mix(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    with (
        ResumableOutput.open(tmp_path / "m.csv", {"any": 1}),
        pytest.raises(BusyGalleryError, match="wait"),
    ):
        run(gallery, photos, tmp_path / "m.csv")


def test_vectors_of_another_contract_are_refused_by_name(
    gallery: Gallery, photos: Path, tmp_path: Path
) -> None:
    other = Gallery.create(tmp_path / "other", FakeEngine("other").contract)
    engine: Any = FakeEngine("other")
    embed_photos(other, engine, [photos], OPTIONS)
    for path in (other.folder, other.shards_folder):
        with pytest.raises(ContractError, match=r"'fake'.*'other'"):
            probes_at(path, gallery)
    with pytest.raises(ContractError, match=r"'fake'.*'other'"):
        probes_at(photos, gallery, "other")


def test_shards_without_a_contract_are_refused(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    write_shard(shard_path(tmp_path / "plain", 0), example())
    with pytest.raises(GalleryError, match="no encoder contract"):
        probes_at(tmp_path / "plain", gallery)


def test_gallery_without_faces_is_refused(photos: Path, tmp_path: Path) -> None:
    empty = Gallery.create(tmp_path / "e", FakeEngine().contract)
    with pytest.raises(InputError, match="no faces"):
        run(empty, photos, tmp_path / "m.csv")


def test_a_shard_that_vanishes_is_an_error_and_the_job_can_go_on(
    gallery: Gallery, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(gallery.folder, copy)
    probes = probes_at(copy, gallery)
    (copy / "shards" / "00000001.h5").rename(tmp_path / "kept.h5")
    with pytest.raises((OSError, ValueError)):
        search_batch(gallery, probes, tmp_path / "m.csv", 1)
    (tmp_path / "kept.h5").rename(copy / "shards" / "00000001.h5")
    assert search_batch(gallery, probes, tmp_path / "m.csv", 1).faces == len(probes)


def test_a_guessed_name_says_so_and_how_sure_it_is(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=2)
    PeopleStore(gallery.folder).enroll("Ann", [0])
    cluster(gallery)
    out = tmp_path / "matches.jsonl"
    search_many(gallery, gallery.folder, out, k=3)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    of_ann = {row["match_face"]: row for row in rows if row["person"] == "Ann"}
    assert {face: row["confirmed"] for face, row in of_ann.items()} == {0: True, 1: False, 2: False}
    assert of_ann[0]["confidence"] == 1 and 0.3 < of_ann[1]["confidence"] < 1
