"""The batch job over a folder of hostile files: it ends well, and each file has its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facesearch.check import check_gallery
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.engine import create_engine
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import build_index
from support.failures.hostile import remove_hostile_photos, write_hostile_photos


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str | None]]]:
    folder = tmp_path / "hostile"
    folder.mkdir()
    yield folder, write_hostile_photos(folder)
    remove_hostile_photos(folder)


@pytest.mark.slow
def test_every_hostile_file_is_a_row_with_its_reason(
    hostile: tuple[Path, dict[str, str | None]], tmp_path: Path
) -> None:
    folder, expected = hostile
    engine = create_engine()
    assert len(expected) >= 40
    gallery = Gallery.create(tmp_path / "h.gallery", engine.contract)
    options = EmbedOptions(decoders=2, threads=2, shard_photos=16)
    report = embed_photos(gallery, engine, [folder], options)
    records = {record.location: record for record in gallery.state().photos.values()}
    for failure in report.failures:
        record = records[failure.photo]
        assert record.status == "failed"
        assert (record.reason, record.detail) == (failure.reason, failure.detail)
        assert failure.detail.strip()
    reasons = {str(each.location.relative_to(folder)): each.reason for each in records.values()}
    for name, reason in expected.items():
        if name in reasons:
            # Of a JPEG that was cut the upper part is read, which its row says.
            assert reasons[name] in ({reason} if reason else {"", "partial"}), name
    wanted = {name for name, reason in expected.items() if reason is not None}
    assert wanted <= reasons.keys()
    build_index(gallery)
    assert check_gallery(gallery) == []
    again = embed_photos(gallery, engine, [folder], options)
    assert again.embedded == 0 and again.gone == 0
