"""Every protocol from photos to report, with an engine that needs no model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesearch.errors import InputError
from facesearch.evaluate import protocols
from facesearch.evaluate.datasets.embed_dataset import DatasetEmbedOptions
from facesearch.evaluate.datasets.labelled_photos import read_folder, read_tracks
from facesearch.evaluate.datasets.pair_lists import read_pairs_file
from facesearch.evaluate.degradation import Degradation
from facesearch.evaluate.presentation.report import (
    Report,
    json_value,
    markdown,
    report_json,
    write_report,
)
from support.fake_engine import FakeEngine, write_photo

NO_TIME = DatasetEmbedOptions(decoders=0, threads=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """8 people with 1 to 6 photos each; one without a face, one broken."""
    root = tmp_path / "photos"
    for person in range(1, 9):
        for photo in range(1, 2 + (person % 6)):
            path = root / f"p{person}" / f"p{person}_{photo:04d}.png"
            write_photo(path, [person], photo)
    write_photo(root / "p1" / "p1_0009.png", [])
    (root / "p2" / "p2|9.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return root


@pytest.fixture
def setup() -> protocols.Setup:
    engine: Any = FakeEngine()
    engine.settings = {"min_face": 20}
    return protocols.Setup(engine, options=NO_TIME)


def checked(report: Report, folder: Path) -> dict[str, Any]:
    """The report written twice, with the same bytes, and read back."""
    pages = []
    for name in ("one", "two"):
        written = write_report(folder / name, report, plots=False)
        assert [path.name for path in written] == ["report.md", "report.json"]
        pages.append([path.read_bytes() for path in written])
    assert pages[0] == pages[1]
    text = pages[0][0].decode()
    for table in report.tables:
        assert table.title in text
        assert all(len(row) == len(table.header) for row in table.rows)
    document: dict[str, Any] = json.loads(pages[0][1])
    assert document == report_json(report)
    assert document["conditions"]["contract"]["name"] == "fake"
    return document


def pairs_file(path: Path, folds: int = 2) -> Path:
    rows = ["first,second,same,fold"]
    for fold in range(folds):
        for person in (3, 4, 5):
            one, two = f"p{person}/p{person}_0001.png", f"p{person}/p{person}_0002.png"
            rows.append(f"{one},{two},1,{fold}")
            other = (person + fold) % 6 + 3  # another of 3 to 8
            rows.append(f"{one},p{other}/p{other}_0001.png,0,{fold}")
        rows.append(f"p1/p1_0001.png,p1/p1_0009.png,1,{fold}")
        rows.append(f"p1/p1_0001.png,p2/absent.png,0,{fold}")
    path.write_text("\n".join(rows))
    return path


def test_pairs(setup: protocols.Setup, folder: Path, tmp_path: Path) -> None:
    pairs = read_pairs_file(pairs_file(tmp_path / "pairs.csv"))
    report = protocols.run_pairs(setup, folder, pairs, threshold=0.5)
    document = checked(report, tmp_path)
    result = document["result"]
    assert result["same_pairs"] == result["different_pairs"] == 8
    # The pair whose photo shows no face is missed, everything else is distinguished.
    assert result["folds"]["mean"] == result["at_threshold"]["accuracy"] == 1 - 2 / 16
    assert ("pairs without two faces, never accepted", "4") in report.tables[0].rows
    assert not any(at["resolved"] for at in result["tar_at_far"])
    assert document["conditions"]["without_face"] == 1
    assert [each["photo"] for each in document["conditions"]["failures"]] == ["p2/absent.png"]
    assert [chart.name for chart in report.charts] == ["roc", "det"]


def test_a_folder_without_the_photos_is_an_error(setup: protocols.Setup, tmp_path: Path) -> None:
    listed = tmp_path / "pairs.csv"
    listed.write_text("a/1.jpg,a/2.jpg,1\nb/1.jpg,c/1.jpg,0\n")
    pairs = read_pairs_file(listed)
    with pytest.raises(InputError, match=r"none of 4 can be used; the first is a/1\.jpg"):
        protocols.run_pairs(setup, tmp_path / "nowhere", pairs)


def test_all_pairs_of_a_folder(setup: protocols.Setup, folder: Path, tmp_path: Path) -> None:
    photos = read_folder(folder)
    report = protocols.run_folder(setup, photos, fars=(0.1,), thresholds=(0.5,))
    result = checked(report, tmp_path)["result"]
    sizes = np.unique(photos.people, return_counts=True)[1]
    same = int((sizes * (sizes - 1) // 2).sum())
    assert result["same_pairs"] == same
    lost = sum(1 for person in photos.people if person == "p1") - 1
    lost += sum(1 for person in photos.people if person == "p2") - 1
    assert result["at_far"][0]["validation_rate"] == pytest.approx((same - lost) / same)
    assert result["at_thresholds"][0]["measured_far"] == 0
    text = markdown(report, plots=True)
    assert "![" in text
    assert "p2\\|9.png" in text


def test_identification(setup: protocols.Setup, folder: Path, tmp_path: Path) -> None:
    photos = read_folder(folder)
    report = protocols.run_identification(setup, photos, repeats=3, ranks=4)
    document = checked(report, tmp_path)
    assert len(document["result"]["splits"]) == 3
    for split in document["result"]["splits"]:
        enrolled = split["templates"] + split["not_enrolled"]
        assert enrolled == split["people"] == 4
        assert enrolled + split["mated"] + split["non_mated"] == len(photos)
    assert [chart.name for chart in report.charts] == ["identification_det", "cmc"]


def test_clustering(setup: protocols.Setup, folder: Path, tmp_path: Path) -> None:
    photos = read_folder(folder)
    report = protocols.run_clustering(setup, photos, threshold=0.5, with_density=True)
    chosen = checked(report, tmp_path)["result"]["chosen"]
    assert (chosen[0]["clusters"], chosen[0]["unclustered"]) == (8, 2)
    assert chosen[0]["pairwise"]["precision"] == 1
    assert 0 < chosen[0]["pairwise"]["f"] < 1
    assert "not blind" in markdown(report, plots=False)


@pytest.mark.parametrize(("of", "pixels"), [("face", 1), ("photo", 400)])
def test_robustness(
    setup: protocols.Setup, folder: Path, tmp_path: Path, of: str, pixels: int
) -> None:
    # Whatever is done to them, the photos the engine reads from pixels are left by size 1e6.
    worse = (Degradation("pixels", 10**6), Degradation("pixels", pixels))
    photos = read_folder(folder)
    report = protocols.run_robustness(setup, folder, photos, worse, of=of, far=0.01)
    rows = checked(report, tmp_path)["result"]["rows"]
    assert rows[0]["validation_rate"] == rows[1]["validation_rate"] > 0.5
    assert rows[2]["validation_rate"] < rows[0]["validation_rate"]
    assert [chart.name for chart in report.charts] == ["robustness_pixels"]
    pairs = read_pairs_file(pairs_file(tmp_path / "pairs.csv"))
    listed = protocols.run_robustness(setup, folder, pairs, worse, of=of, far=0.2)
    assert listed.result.rows[0].validation_rate == 6 / 8


def test_video(setup: protocols.Setup, tmp_path: Path) -> None:
    root = tmp_path / "tracks"
    for person in range(1, 7):
        for track in range(2):
            for frame in range(4):
                path = root / f"p{person}" / f"t{track}" / f"{frame}.png"
                write_photo(path, [person], 9 * track + frame)
    every = protocols.run_video(setup, read_tracks(root), fars=(0.1,), threshold=0.5)
    result = checked(every, tmp_path)["result"]
    assert (result["same_pairs"], result["different_pairs"]) == (6, 60)
    assert result["at_far"][0]["validation_rate"] == 1
    rows = [f"p{n}/t0,p{n}/t1,1,{n % 2}\np{n}/t0,p{n + 1}/t1,0,{n % 2}" for n in range(1, 6)]
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    pairs = read_pairs_file(tmp_path / "pairs.csv")
    listed = protocols.run_video(setup, read_tracks(root), pairs, frames=2)
    assert listed.result.folds is not None
    assert listed.result.best_accuracy == 1
    assert listed.conditions.photos == 23 // 2 * 2  # p6/t0 is in no pair
    (tmp_path / "pairs.csv").write_text("p1/t0,p1/t9,1\n")
    with pytest.raises(InputError, match="none called 'p1/t9'"):
        protocols.run_video(setup, read_tracks(root), read_pairs_file(tmp_path / "pairs.csv"))


def test_the_centre_stands_in_where_asked(setup: protocols.Setup, folder: Path) -> None:
    photos = read_folder(folder)
    centred = protocols.Setup(setup.engine, missing="centre", options=NO_TIME)
    counts = [
        protocols.run_clustering(each, photos, threshold=0.5).result.chosen[0].unclustered
        for each in (setup, centred)
    ]
    assert counts == [2, 1]


def test_what_json_cannot_hold_becomes_null() -> None:
    value = {"a": np.float32(0.5), 1: (np.inf, np.nan), "b": np.arange(2), "c": np.bool_(True)}
    assert json_value(value) == {"a": 0.5, "1": [None, None], "b": [0, 1], "c": True}


def test_the_layout_of_youtube_faces(setup: protocols.Setup, tmp_path: Path) -> None:
    root = tmp_path / "frame_images_DB"
    for person in (1, 2):
        (root / f"P_{person}.labeled_faces.txt").parent.mkdir(parents=True, exist_ok=True)
        (root / f"P_{person}.labeled_faces.txt").write_text("P\\0\\0.1.jpg,0,120,120,80,80,0,0\n")
        for track in (0, 3):
            for frame in (1, 12, 101):
                path = root / f"P_{person}" / str(track) / f"{track}.{frame}.png"
                write_photo(path, [person], variant=100 * track + frame)
    lines = ["split number, first name, second name, is same person"]
    for split in (1, 2):
        lines += [f"{split}, P_{person}/0, P_{person}/3, 1" for person in (1, 2)]
        lines += [f"{split}, P_1/{track}, P_2/{track}, 0" for track in (0, 3)]
    (tmp_path / "splits.txt").write_text("\n".join(lines) + "\n")
    report = protocols.run_video(
        setup, read_tracks(root), read_pairs_file(tmp_path / "splits.txt"), threshold=0.5
    )
    assert report.conditions.photos == 12
    assert report.result.folds is not None and report.result.best_accuracy == 1
