"""Faces of videos: their crops and stills are those of the frames that they were found in."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import write_clip
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.gallery.gallery import Gallery
from facesearch.video.reader import read_stills
from support.pages.browser import WatchedPages, chromium, needs_browser
from support.serving.services import ServedTest, listening, open_service, served
from support.videos.colour_engine import PEOPLE, ColourEngine, actor, grey_shot

API = "/api/v1/galleries/gallery"


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    """A red and a blue person, then a green one before another background."""
    clip = folder / "clips" / "clip.mp4"
    clip.parent.mkdir()
    both = (
        actor("red", (0.2, 0.5), (0.3, 0.5)),
        actor("blue", (0.8, 0.5), (0.7, 0.5)),
    )
    later = actor("green", (0.7, 0.5), (0.6, 0.4), sides=(70, 80))
    write_clip(clip, [grey_shot(2.0, *both), grey_shot(2.0, later, level=200)])
    return clip


@pytest.fixture(scope="module")
def gallery(folder: Path, clip: Path) -> Gallery:
    engine = ColourEngine()
    gallery = Gallery.open_or_create(folder / "gallery", engine.contract, "float32")
    embed_photos(gallery, engine, [clip.parent], EmbedOptions(decoders=0, threads=1))  # type: ignore[arg-type]
    return gallery


def get(site: ServedTest, path: str, **query: Any) -> Any:
    answer = site.client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def picture(site: ServedTest, path: str, **query: Any) -> np.ndarray[Any, Any]:
    answer = site.client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)), float)


def colour_of(pixels: np.ndarray[Any, Any]) -> str:
    """Whose colour is in the middle."""
    middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
    return min(PEOPLE, key=lambda name: float(np.abs(middle - PEOPLE[name]).sum()))


def the_video(site: ServedTest) -> Any:
    (video,) = get(site, "/photos")["photos"]
    assert video["video"] is True
    return get(site, f"/photos/{video['id']}")


def test_crops_show_the_tracks(site: ServedTest, gallery: Gallery) -> None:
    found = the_video(site)["found"]
    state = gallery.state()
    records = {each.face_id: each for each in gallery.faces(state.live_ids(), state)}
    for face in found:
        span = records[int(face["id"])].span
        assert span is not None
        assert face["seconds"] == pytest.approx(span.as_json(), abs=1e-3)
    crops = [picture(site, f"/faces/{face['id']}/crop") for face in found]
    assert {crop.shape for crop in crops} == {(160, 160, 3)}
    assert sorted(map(colour_of, crops)) == ["blue", "green", "red"]


def test_the_still_of_a_face_is_its_frame(site: ServedTest, gallery: Gallery, clip: Path) -> None:
    video = the_video(site)
    state = gallery.state()
    for record in gallery.faces(state.live_ids(), state):
        assert record.span is not None
        ((_, still),) = read_stills(clip, [record.span.still_us], 320)
        assert still is not None
        shown = picture(site, f"/photos/{video['id']}/thumbnail", size=320, face=record.face_id)
        assert shown.shape == still.pixels.shape
        assert np.abs(shown - still.pixels).mean() < 3
    first = min(video["found"], key=lambda face: face["seconds"]["still"])
    path = f"/photos/{video['id']}/thumbnail"
    assert np.array_equal(picture(site, path), picture(site, path, face=first["id"]))


def test_a_still_of_another_photo_is_refused(site: ServedTest) -> None:
    path = f"{API}/photos/{the_video(site)['id']}/thumbnail"
    answer = site.client.get(path, params={"face": 2**40})
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-face")


def test_faces_cannot_be_drawn_in_videos(site: ServedTest) -> None:
    answer = site.client.post(
        f"{API}/photos/{the_video(site)['id']}/faces",
        json={"box": [10, 10, 60, 60]},
        headers=site.local(),
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert "video" in answer.json()["detail"]


def test_a_video_that_was_changed_is_not_shown(tmp_path: Path) -> None:
    clip = tmp_path / "clips" / "clip.mp4"
    clip.parent.mkdir()
    write_clip(clip, [grey_shot(1.5, actor("red", (0.5, 0.5), (0.5, 0.5)))])
    engine = ColourEngine()
    gallery = Gallery.open_or_create(tmp_path / "gallery", engine.contract, "float32")
    embed_photos(gallery, engine, [clip.parent], EmbedOptions(decoders=0, threads=1))  # type: ignore[arg-type]
    os.utime(clip, (1, 1))
    with served(open_service(tmp_path, gallery)) as site:
        (face,) = the_video(site)["found"]
        answer = site.client.get(f"{API}/faces/{face['id']}/crop")
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")


def test_a_video_of_a_time_after_2262_is_shown(tmp_path: Path) -> None:
    clip = tmp_path / "clips" / "clip.mp4"
    clip.parent.mkdir()
    write_clip(clip, [grey_shot(1.5, actor("red", (0.5, 0.5), (0.5, 0.5)))])
    late = 2**63 + 10**12
    os.utime(clip, ns=(late, late))
    if clip.stat().st_mtime_ns != late:
        pytest.skip("this file system keeps no such times")
    engine = ColourEngine()
    gallery = Gallery.open_or_create(tmp_path / "gallery", engine.contract, "float32")
    embed_photos(gallery, engine, [clip.parent], EmbedOptions(decoders=0, threads=1))  # type: ignore[arg-type]
    with served(open_service(tmp_path, gallery)) as site:
        (face,) = the_video(site)["found"]
        assert colour_of(picture(site, f"/faces/{face['id']}/crop")) == "red"


@needs_browser
@pytest.mark.timeout(1800)
def test_the_page_of_a_video_shows_one_still_at_a_time(tmp_path: Path, gallery: Gallery) -> None:
    with (
        listening(open_service(tmp_path, gallery)) as address,
        chromium() as browser,
        WatchedPages(browser, address) as pages,
    ):
        with served(open_service(tmp_path / "other", gallery)) as site:
            video = the_video(site)
        page = pages.open(f"#/g/gallery/photo/{video['id']}")
        page.get_by_role("heading", name="3 faces").wait_for()
        assert page.get_by_role("button", name="Draw a face").count() == 0
        for face in video["found"]:
            page.goto(f"{address}/#/g/gallery/photo/{video['id']}?face={face['id']}")
            page.locator(f'.frame img[src*="face={face["id"]}"]').wait_for()
            beside = [
                each
                for each in video["found"]
                if each["seconds"]["still"] == face["seconds"]["still"]
            ]
            page.locator(".frame .box.selected").wait_for()
            assert page.locator(".frame .box").count() == len(beside)
            shown = page.locator(".frame img")
            shown.evaluate("image => image.decode()")
            query = parse_qs(urlsplit(shown.get_attribute("src")).query)
            assert query["face"] == [face["id"]]
        page.keyboard.press("Escape")
        page.get_by_text("0:00 to 0:01").first.wait_for()


def test_a_video_can_be_sought(site: ServedTest, clip: Path) -> None:
    path = f"{API}/photos/{the_video(site)['id']}/original"
    data = clip.read_bytes()
    whole = site.client.get(path)
    assert whole.status_code == 200 and whole.content == data
    assert whole.headers["content-type"] == "video/mp4"
    begun = site.client.get(path, headers={"Range": "bytes=0-1"})
    assert (begun.status_code, begun.content) == (206, data[:2])
    middle = len(data) // 2
    headers = {"Range": f"bytes={middle}-", "If-Range": whole.headers["etag"]}
    rest = site.client.get(path, headers=headers)
    assert (rest.status_code, rest.content) == (206, data[middle:])
    os.utime(clip, (clip.stat().st_atime, clip.stat().st_mtime + 5))
    changed = site.client.get(path, headers=headers)
    assert (changed.status_code, changed.json()["code"]) == (410, "gone")
