"""A folder with every kind of file: each read rightly, or named with its reason, and counted."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.common.kinds_of_files import KindOfFile, kinds_of_files, write_kinds
from benchmarks.vision.forty_kinds import JudgedFile, is_right, judge
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.gallery.gallery import Gallery
from facesearch.video.reader import can_read_videos
from support.fake_engine import FakeEngine

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")
FAILED = {"truncated", "empty", "not-an-image", "unsupported"}
READ = {"read", "partial"}


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """A smooth picture, without a red value in its first row, where the fake engine sees people."""
    coarse = np.random.default_rng(3).integers(30, 226, (6, 8, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (128, 96), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(picture)


@pytest.fixture(scope="module")
def kinds(portrait: np.ndarray) -> list[KindOfFile]:
    return kinds_of_files(portrait)


@pytest.fixture(scope="module")
def folder(kinds: list[KindOfFile], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("kinds")
    write_kinds(made, kinds)
    return made


def test_each_file_is_read_rightly_or_named_with_its_reason(
    folder: Path, kinds: list[KindOfFile], portrait: np.ndarray
) -> None:
    assert len(kinds) >= 70
    judged = judge(folder, kinds, portrait)
    assert wrong_of(judged, kinds) == [], judged
    shown = [each for each in judged if each.difference is not None]
    assert {each.became for each in shown} == {*READ, *(["video"] if can_read_videos() else [])}
    # Another program reads all but those for which there is none here.
    alone = {each.name for each in shown if each.apart is None}
    if can_read_videos():
        assert alone <= {"plain.jxl"}
    assert [each for each in shown if each.apart is not None and each.apart > 10] == []


def test_a_file_too_many_or_too_few_of_a_kind_is_wrong(
    tmp_path: Path, kinds: list[KindOfFile], portrait: np.ndarray
) -> None:
    sounds = [each for each in kinds if each.became in ("sound", "sidecar")]
    write_kinds(tmp_path, sounds)
    assert all(map(is_right, judge(tmp_path, sounds, portrait), sounds))
    (tmp_path / "second.m4a").touch()
    assert wrong_of(judge(tmp_path, sounds, portrait), sounds) == ["memo.m4a"]
    (tmp_path / "second.m4a").unlink()
    (tmp_path / "memo.m4a").unlink()
    assert wrong_of(judge(tmp_path, sounds, portrait), sounds) == ["memo.m4a"]


def wrong_of(judged: list[JudgedFile], kinds: list[KindOfFile]) -> list[str]:
    pairs = zip(judged, kinds, strict=True)
    return [each.name for each, kind in pairs if not is_right(each, kind)]


class NobodyEngine(FakeEngine):
    """Sees nobody: what these pictures show is not for the fake engine."""

    def detect(self, photos: Any, *, in_tiles: bool = True) -> Any:
        return super().detect([np.zeros((8, 8, 3), np.uint8) for _ in photos])


def test_indexing_counts_every_file(folder: Path, kinds: list[KindOfFile], tmp_path: Path) -> None:
    engine: Any = NobodyEngine()
    gallery = Gallery.create(tmp_path / "my.gallery", engine.contract)
    options = EmbedOptions(decoders=0, threads=1, video="off")
    report = embed_photos(gallery, engine, [folder], options)
    files = sum(len(names) for _, _, names in os.walk(folder))
    assert report.found + report.skipped.total == files == len(kinds)
    expected = Counter(kind.became for kind in kinds)
    assert report.failed == sum(expected[reason] for reason in FAILED)
    assert report.embedded + report.known == sum(expected[became] for became in READ)
    assert len(report.partial) == expected["partial"]
    counted = {kind: number for kind, number in report.skipped.counts.items() if number}
    assert counted == {k: n for k, n in expected.items() if k not in FAILED | READ}
    again = embed_photos(gallery, engine, [folder], options)
    assert (again.unchanged, again.done, again.gone) == (report.found, 0, 0)
    (partial,) = [each for each in gallery.state().photos.values() if each.reason == "partial"]
    assert "ends early" in partial.detail and partial.status == "ok"
