"""A photo whose file ends early is marked: on its page of the service, and in the album."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesearch.cli.main import main
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.gallery.gallery import Gallery
from support.people_galleries import cluster
from support.serving.services import ServedTest
from support.videos.colour_engine import PEOPLE, ColourEngine

API = "/api/v1/galleries/gallery"


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    pixels = np.random.default_rng(1).integers(100, 140, (240, 320, 3), np.uint8)
    pixels[20:80, 40:100] = PEOPLE["red"]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
    data = buffer.getvalue()
    photos = folder / "downloads"
    photos.mkdir()
    (photos / "whole.jpg").write_bytes(data)
    (photos / "half.jpg").write_bytes(data[: len(data) // 2])
    engine = ColourEngine()
    gallery = Gallery.open_or_create(folder / "gallery", engine.contract, "float32")
    embed_photos(gallery, engine, [photos], EmbedOptions(decoders=0, threads=1))  # type: ignore[arg-type]
    cluster(gallery)
    return gallery


def test_its_page_says_what_is_missing(site: ServedTest) -> None:
    photos = site.client.get(f"{API}/photos").json()["photos"]
    shown = {each["name"]: site.client.get(f"{API}/photos/{each['id']}").json() for each in photos}
    assert shown["whole.jpg"]["reason"] is None and shown["whole.jpg"]["detail"] is None
    assert shown["half.jpg"]["status"] == "ok" and shown["half.jpg"]["reason"] == "partial"
    assert "ends early" in shown["half.jpg"]["detail"]


def test_the_album_says_which(gallery: Gallery, tmp_path: Path) -> None:
    assert main(["report", str(gallery.folder), "--out", str(tmp_path / "album")]) == 0
    page = (tmp_path / "album" / "index.html").read_text()
    section = page[page.index('id="partial"') :]
    assert "half.jpg" in section and "whole.jpg" not in section
    assert "Photos read in part" in page and 'id="failed"' not in page
