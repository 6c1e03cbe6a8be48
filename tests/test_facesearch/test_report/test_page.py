"""The page as text: what it says, and that names and paths can do no harm."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from facesearch.album.model import FailedPhoto
from facesearch.errors import InputError
from facesearch.images import REASONS
from facesearch.report import page as page_module
from facesearch.report import write_report
from facesearch.report.page import reason_text
from facesearch.report.view_models import day, day_range, moment
from support.albums import about, album_of, draw_photo, face

NASTY = '<script>alert("x")</script>\' onload=alert(1) &amp; \u202eevil'


class Elements(HTMLParser):
    """All elements with their attributes, and the page's text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.found
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]


def photos_in(folder: Path, count: int) -> list[Path]:
    photos = [folder / "photos" / f"IMG_{number:04}.jpg" for number in range(count)]
    for photo in photos:
        draw_photo(photo, [(100, 80, 180, 180)])
    return photos


def written(folder: Path, *album: object, **options: object) -> Elements:
    index = write_report(album_of(*album, **options), folder / "report", workers=0)
    return Elements(index.read_text("utf-8"))


def test_the_page_names_people_and_counts(tmp_path: Path) -> None:
    photos = photos_in(tmp_path, 7)
    faces = [
        face(number, photo, taken_at=f"2019-05-{number + 1:02}T10:00:00")
        for number, photo in enumerate(photos)
    ]
    failed = (FailedPhoto("broken.jpg", "truncated", "ends at byte 400"),)
    page = written(tmp_path, faces, [0, 0, 0, 1, 1, 2, -1], {0: "Ada"}, failed)
    text = " ".join(page.text.split())
    for expected in (
        "An album",
        "3 people",
        "7 faces",
        "8 photos",
        "Ada 3 photos",
        "1 May 2019 to 3 May 2019",
        "Unnamed 1 2 photos",
        "1 person",
        "broken.jpg",
        "The file ends too early",
        "ends at byte 400",
        "4 May 2026, 09:30",
        "test-encoder",
        "threshold 0.36",
    ):
        assert expected in text, expected
    assert len(page.of("a", **{"class": "face"})) == 7
    assert {image["alt"] for image in page.of("img", width="160")} >= {
        "Face of Ada in IMG_0000.jpg",
        "Face of Unnamed 2 in IMG_0005.jpg",
    }


def test_ids_are_unique_and_references_lead_somewhere(tmp_path: Path) -> None:
    photos = photos_in(tmp_path, 6)
    faces = [face(number, photo) for number, photo in enumerate(photos)]
    page = written(tmp_path, faces, [0, 0, 1, 2, 3, -1], {0: "Ada"})
    ids = Counter(attributes["id"] for _, attributes in page.found if "id" in attributes)
    assert max(ids.values()) == 1
    for _, attributes in page.found:
        for key in ("aria-labelledby", "for"):
            assert attributes.get(key) is None or attributes[key] in ids
        href = attributes.get("href") or ""
        assert not href.startswith("#") or href == "#" or href[1:] in ids


def test_nothing_in_names_or_paths_becomes_markup(tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "a\"b<i>'&.jpg"
    draw_photo(photo, [(100, 80, 180, 180)])
    page = written(
        tmp_path,
        [face(0, photo, name=photo.name)],
        [0],
        {0: NASTY},
        (FailedPhoto(NASTY, NASTY, NASTY),),
        title=NASTY,
    )
    assert len(page.of("script")) == 1
    assert not page.of("i")
    assert not any(key.startswith("on") for _, attributes in page.found for key in attributes)
    (link,) = page.of("a", **{"class": "face"})
    assert link["href"] == "../photos/a%22b%3Ci%3E%27%26.jpg"
    assert link["data-file"] == photo.name
    assert page.of("article")[0]["data-person"] == NASTY.replace("\u202e", "\ufffd")


def test_a_name_that_is_not_utf8_is_shown_and_linked(tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "caf\udce9.jpg"
    try:
        draw_photo(photo, [(100, 80, 180, 180)])
    except OSError:
        pytest.skip("this file system only takes UTF-8 names")
    page = written(tmp_path, [face(0, photo)], [0])
    (link,) = page.of("a", **{"class": "face"})
    assert link["href"] == "../photos/caf%E9.jpg"
    assert link["data-file"] == "caf\ufffd.jpg"
    album = json.loads((tmp_path / "report" / "album.json").read_text("utf-8"))
    assert album["people"][0]["faces"][0]["photo_url"].endswith("caf%E9.jpg")


def test_the_policy_allows_the_style_and_script_that_are_there_and_nothing_else(
    tmp_path: Path,
) -> None:
    index = write_report(album_of([], []), tmp_path, workers=0)
    text = index.read_text("utf-8")
    (policy,) = [meta["content"] for meta in Elements(text).of("meta") if "http-equiv" in meta]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy and "http" not in policy
    for tag in ("style", "script"):
        content = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"\sstyle=", text.split("</style>")[1])


def test_an_album_without_faces_says_so(tmp_path: Path) -> None:
    page = written(tmp_path, [], [], None, (FailedPhoto("a.jpg", "empty", "0 bytes"),))
    assert "No faces were found in 1 photo." in page.text


def test_a_photo_gone_since_indexing_leaves_a_neutral_picture_and_a_note(tmp_path: Path) -> None:
    page = written(tmp_path, [face(0, tmp_path / "gone.jpg")], [0])
    (blank,) = page.of("svg", **{"class": "blank"})
    assert blank["aria-label"] == "Face of Unnamed 1 in gone.jpg (no picture)"
    (link,) = page.of("a", **{"class": "face"})
    assert link["data-problem"] == "No longer there"
    assert "went away since indexing" in page.text
    assert "if it was moved or deleted, run facesearch index again" in page.text


def test_every_reason_has_words_for_the_reader(tmp_path: Path) -> None:
    failed = tuple(FailedPhoto(f"{n}.jpg", reason, "") for n, reason in enumerate(REASONS))
    page = written(tmp_path, [], [], None, failed)
    assert "Facesearch itself failed on it" in page.text
    for reason in REASONS:
        assert reason_text(reason) != reason
        assert reason_text(reason) in page.text


def test_an_album_older_than_its_gallery_says_so(tmp_path: Path) -> None:
    album = album_of([], [])
    fresh = Elements(write_report(album, tmp_path, workers=0).read_text("utf-8"))
    assert not fresh.of("p", **{"class": "notice"})
    sentence = "2 faces were added; run: facesearch cluster <b>\udce9"
    index = write_report(about(album, outdated=sentence), tmp_path, workers=0)
    page = Elements(index.read_text("utf-8"))
    assert len(page.of("p", **{"class": "notice"})) == 1
    assert "2 faces were added; run: facesearch cluster <b>\ufffd" in page.text
    assert not page.of("b")


def test_previews_are_linked_where_browsers_show_nothing_else(tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "scan.tif"
    draw_photo(photo, [(100, 80, 180, 180)])
    page = written(tmp_path, [face(3, photo)], [0])
    (preview,) = (tmp_path / "report" / "previews").iterdir()
    assert page.of("a", **{"class": "face"})[0]["href"] == f"previews/{preview.name}"


def test_many_faces_are_folded_but_not_a_mere_few(tmp_path: Path) -> None:
    (photo,) = photos_in(tmp_path, 1)
    limit = 1 + page_module.STRIP_FACES
    for extra, folded in ((page_module.FEWEST_FOLDED - 1, 0), (page_module.FEWEST_FOLDED, 1)):
        # Two photos, one of them gone, so that the person is not "seen once".
        faces = [face(n, photo if n else tmp_path / "gone.jpg") for n in range(limit + extra)]
        page = written(tmp_path, faces, [0] * len(faces))
        assert len(page.of("details", **{"class": "more"})) == folded
        assert len(page.of("a", **{"class": "face"})) == limit + extra


def test_a_huge_album_links_its_crops_instead_of_holding_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "INLINE_CROPS", 1)
    photos = photos_in(tmp_path, 2)
    page = written(tmp_path, [face(n, photo) for n, photo in enumerate(photos)], [0, 0])
    sources = {image["src"] for image in page.of("img", width="160")}
    assert len(sources) == 2
    crops = (tmp_path / "report" / "crops").iterdir()
    assert sources == {f"crops/{crop.name}" for crop in crops}


def test_an_interrupted_report_leaves_the_former_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write_report(album_of([], []), tmp_path, workers=0)
    before = index.read_bytes()

    def fail(value: int) -> str:
        raise RuntimeError("interrupted")

    monkeypatch.setattr(page_module, "number", fail)
    with pytest.raises(RuntimeError, match="interrupted"):
        write_report(album_of([], [], title="Another"), tmp_path, workers=0)
    assert index.read_bytes() == before


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    picture = tmp_path / "crops" / "1.jpg"
    picture.parent.mkdir()
    picture.write_bytes(b"mine")
    with pytest.raises(InputError, match="holds other files"):
        write_report(album_of([], []), tmp_path, workers=0)
    with pytest.raises(InputError, match="is a file"):
        write_report(album_of([], []), picture, workers=0)
    assert picture.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["crops"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-05-12T10:00:00", "12 May 2019"),
        ("2019-13-12T10:00:00", ""),
        ("0000:00:00", ""),
        ("", ""),
    ],
)
def test_days(text: str, expected: str) -> None:
    assert day(text) == expected


def test_ranges_and_moments() -> None:
    assert day_range("2019-05-12T10:00:00", "2019-05-12T18:00:00") == "12 May 2019"
    assert day_range("2019-05-12", "2021-06-03") == "12 May 2019 to 3 June 2021"
    assert moment("2026-11-23T20:47:10+00:00") == "23 November 2026, 20:47"
    assert moment("yesterday") == "yesterday"
