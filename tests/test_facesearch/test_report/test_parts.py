"""Parts of the report: periods, tables, plots, and what there is to check."""

from __future__ import annotations

import csv
import io
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.album.advice import Advice, DoubtAdvice, MergeAdvice, MixtureAdvice
from facesearch.album.figures import AlbumFigures, Histogram, Tree
from facesearch.album.model import Album
from facesearch.album.to_json import album_json
from facesearch.report import write_report
from facesearch.report.advice_view import odds
from facesearch.report.album_csv import COLUMNS, album_csv
from facesearch.report.pagination import volumes_of
from facesearch.report.plots import plots_of
from facesearch.report.timeline import MOST_MONTHS, MOST_PEOPLE, periods_of
from facesearch.report.view_models import period
from support.albums import about, album_of, draw_photo, face


def dated(times: list[str], labels: list[int], names: dict[int, str] | None = None) -> Album:
    faces = [face(n, Path(f"/p/{n}.jpg"), taken_at=time) for n, time in enumerate(times)]
    return album_of(faces, labels, names)


def test_months_tell_who_was_seen() -> None:
    times = ["2024-06-01T10:00:00", "2024-06-09T10:00:00", "2024-07-01T10:00:00", "", "2024-06-30"]
    found = periods_of(dated(times, [0, 0, 0, 0, 1], {0: "Ada"}).people)
    assert [(each.start, each.photo_count) for each in found] == [("2024-06", 3), ("2024-07", 1)]
    june = [(each.person.label, each.photo_count) for each in found[0].people]
    assert june == [("Ada", 2), ("Unnamed 1", 1)]
    assert [period(each.start) for each in found] == ["June 2024", "July 2024"]


def test_a_long_album_is_shown_by_years_and_a_crowd_is_counted() -> None:
    times = [f"{2000 + n // 12}-{1 + n % 12:02}-05T10:00:00" for n in range(MOST_MONTHS + 1)]
    found = periods_of(dated(times, [0] * len(times)).people)
    assert [each.start for each in found] == ["2000", "2001", "2002", "2003"]
    many = ["2024-06-01T10:00:00"] * (MOST_PEOPLE + 3)
    (one,) = periods_of(dated(many, list(range(len(many)))).people)
    assert (len(one.people), one.others) == (MOST_PEOPLE, 3)


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=5))
def test_any_time_is_borne(times: list[str]) -> None:
    assert all(each.photo_count for each in periods_of(dated(times, [0] * len(times)).people))


def test_the_csv_has_a_row_a_face_that_says_what_the_json_says() -> None:
    faces = [face(n, Path(f"/p/{n}.jpg"), name=f'a, "{n}".jpg') for n in range(4)]
    album = album_of(faces, [0, 0, 1, -1], {0: "Ada,\nB"}, person_ids={0: "p5", 1: "p9"})
    rows = list(csv.DictReader(io.StringIO(album_csv(album))))
    assert tuple(rows[0]) == COLUMNS
    values = album_json(album)
    expected = [
        (str(each["face_id"]), person["key"], person["name"] or "", person["label"], each["photo"])
        for person in values["people"]
        for each in person["faces"]
    ] + [(str(each["face_id"]), "", "", "", each["photo"]) for each in values["noise"]]
    found = [(r["face_id"], r["person"], r["name"], r["label"], r["photo"]) for r in rows]
    assert found == expected
    assert [row["person_id"] for row in rows] == ["p5", "p5", "p9", ""]
    assert [float(rows[0][key]) for key in ("left", "top", "right", "bottom")] == [
        100,
        80,
        180,
        180,
    ]
    assert rows[0]["person_quality"] == "" and math.isnan(album.people[0].quality)


def figures() -> AlbumFigures:
    histogram = Histogram(np.linspace(0, 1, 4), np.array([0.7, 0.3, 0]), np.array([0, 0.2, 0.8]))
    linkage = np.array([[0, 1, 0.05, 2], [2, 3, 0.11, 3]], np.float64)
    return AlbumFigures(histogram, (Tree("person-1", linkage, 3, 9),))


def test_plots_are_drawings_with_numbers_to_read() -> None:
    album = replace(
        album_of(
            [face(n, Path(f"/p/{n}.jpg")) for n in range(7)], [0, 0, 0, 0, 0, 1, 2], {0: "<A>"}
        ),
        figures=figures(),
    )
    sizes, distances, tree = plots_of(album)
    assert sizes.rows == (("1", "2"), ("2", "0"), ("3\u20134", "0"), ("5\u20138", "1"))
    assert distances.rows[0] == ("0.00\u20130.33", "70.00%", "0.00%")
    assert tree.title == "How <A> comes together" and "9 faces (3 of them drawn)" in tree.note
    for plot in (sizes, distances, tree):
        root = ET.fromstring(str(plot.svg))
        assert root.attrib["role"] == "img" and root.attrib["aria-label"]
    bars = [float(bar.attrib["height"]) for bar in ET.fromstring(str(sizes.svg)).iter("rect")]
    assert bars[1] == bars[2] == 0 and bars[0] == pytest.approx(2 * bars[3], abs=0.2)
    assert (
        "threshold 0.36" in distances.svg
        and len(list(ET.fromstring(str(tree.svg)).iter("polyline"))) == 2
    )
    assert plots_of(album_of([], [])) == []


@pytest.mark.parametrize(
    ("linkage", "joined"), [("complete", "farthest two"), ("single", "nearest two")]
)
def test_plots_and_pages_tell_of_other_linkages(linkage: str, joined: str, tmp_path: Path) -> None:
    faces = [face(n, Path(f"/p/{n}.jpg")) for n in range(3)]
    average = replace(album_of(faces, [0, 0, 0]), figures=figures())
    other = about(average, linkage=linkage)
    for album, words, lines in ((average, "on the average", 1), (other, joined, 0)):
        _, distances, tree = plots_of(album)
        assert words in distances.note and distances.svg.count('class="threshold"') == 1
        assert tree.svg.count('class="threshold"') == lines
        assert album_json(album)["clustering"]["linkage"] == album.about.linkage
        report = write_report(album, tmp_path / album.about.linkage, workers=1)
        page = report.read_text("utf-8")
        assert page.count(f"agglomerative, {linkage} linkage") == 2 * (lines == 0)


def test_what_to_check_is_on_the_page_and_in_the_json(tmp_path: Path) -> None:
    photos = [tmp_path / "photos" / f"{n}.jpg" for n in range(6)]
    for photo in photos:
        draw_photo(photo, [(100, 80, 180, 180)])
    album = album_of(
        [face(n, photo) for n, photo in enumerate(photos)], [0, 0, 0, 1, 1, 2], {0: "Ada"}
    )
    people = (replace(album.people[0], quality=0.934), *album.people[1:])
    advice = Advice(
        (MergeAdvice(("person-1", "person-3"), 0.15, 0.87, 0.87),),
        (MixtureAdvice("person-2", (4,), 0.13, 0.31, 0.31),),
        (DoubtAdvice("person-1", 2, "person-2", 0.52),),
    )
    album = replace(album, people=people, advice=advice, figures=figures())
    index = write_report(album, tmp_path / "report", workers=0)
    text = " ".join(index.read_text("utf-8").split())
    for expected in (
        "Perhaps one person",
        "One person: about 9 in 10. 1 face would move.",
        "Two people: about 3 in 10. 1 face of 2 would leave.",
        "Another person: about 5 in 10.",
        "93% sure",
        'href="plots.html"',
    ):
        assert expected in text, expected
    values = album_json(album)["advice"]
    assert values["merges"][0]["people"] == ["person-1", "person-3"]
    assert values["mixtures"][0] == {
        "person": "person-2",
        "faces": [4],
        "distance": 0.13,
        "probability": 0.31,
        "gain": 0.31,
    }
    assert values["doubts"][0]["next_person"] == "person-2"
    assert "Distances between faces" in (tmp_path / "report" / "plots.html").read_text("utf-8")
    assert (tmp_path / "report" / "album.csv").read_text("utf-8").count("\n") == 7


def test_advice_comes_with_the_command_that_follows_it(tmp_path: Path) -> None:
    faces = [face(n, tmp_path / f"{n}.jpg") for n in range(6)]
    ids = {0: "p31", 1: "p44", 2: "p5"}
    album = album_of(faces, [0, 0, 0, 1, 1, 2], {1: "Ada"}, person_ids=ids)
    advice = Advice(
        (
            MergeAdvice(("p31", "p44"), 0.15, 0.87, 0.87),
            MergeAdvice(("p31", "p5"), 0.15, 0.87, 0.87),
        ),
        (MixtureAdvice("p31", (1, 2), 0.13, 0.31, 0.31),),
        (DoubtAdvice("p44", 4, "p31", 0.52),),
    )
    album = about(replace(album, advice=advice), gallery=tmp_path / "my family.gallery")
    text = write_report(album, tmp_path / "report", workers=0).read_text("utf-8")
    gallery = f"&#39;{tmp_path}/my family.gallery&#39;"
    commands = re.findall(r'<code class="command"[^>]*>([^<]*)</code>', text)
    assert commands == [
        f"facesearch people merge {gallery} p44 p31",  # who has a name stays
        f"facesearch people merge {gallery} p31 p5",
        f"facesearch people split {gallery} p31 1 2",
        f"facesearch people reject {gallery} p44 4",
    ]
    # Each command stands there once, beside what it is about.
    assert text.count("facesearch people") == len(commands) + 1
    assert text.count(f"facesearch people undo {gallery}") == 1
    assert '<bdi>Ada</bdi> <small class="number">p44</small></h3>' in text
    assert '<h3 id="p31-label" class="unnamed"><bdi>p31</bdi></h3>' in text
    unknown = album_of(faces, [0, 0, 0, 1, 1, 2])
    doubt = DoubtAdvice("person-2", 4, "person-1", 0.52)
    unknown = about(replace(unknown, advice=Advice(doubts=(doubt,))), gallery=album.about.gallery)
    text_of_old = write_report(unknown, tmp_path / "report", workers=0).read_text("utf-8")
    assert 'class="command"' not in text_of_old and "people undo" not in text_of_old
    assert f"facesearch cluster {gallery}" in text_of_old


def test_odds_are_words() -> None:
    assert [odds(p) for p in (0.01, 0.12, 0.5, 0.97)] == [
        "less than 1 in 10",
        "about 1 in 10",
        "about 5 in 10",
        "almost surely",
    ]


@settings(deadline=None)
@given(
    st.lists(st.integers(-1, 12), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_every_person_and_face_is_on_one_page(raw: list[int], most: int) -> None:
    labels = np.unique(np.append(raw, -1), return_inverse=True)[1][:-1] - 1
    album = album_of([face(n, Path(f"/p/{n}.jpg")) for n in range(len(raw))], labels.tolist())
    volumes = volumes_of(album, most)
    assert [volume.number for volume in volumes] == list(range(1, len(volumes) + 1))
    keys = [person.key for volume in volumes for person in volume.people]
    assert sorted(keys) == sorted(person.key for person in album.people)
    assert [each for volume in volumes for each in volume.noise] == list(album.noise)
    for volume in volumes:
        count = sum(len(person.faces) for person in volume.people) + len(volume.noise)
        assert count <= most or (len(volume.people) == 1 and not volume.noise)
        assert count or len(volumes) == 1


def test_a_large_album_has_pages_that_lead_to_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [tmp_path / "photos" / f"{n}.jpg" for n in range(8)]
    for photo in photos:
        draw_photo(photo, [(100, 80, 180, 180)])
    faces = [face(n, photo) for n, photo in enumerate(photos)]
    album = album_of(faces, [0, 0, 1, 1, 2, 3, 3, -1], {2: "Ada"})
    monkeypatch.setattr("facesearch.report.page.PAGE_FACES", 2)
    report = tmp_path / "report"
    (tmp_path / "report").mkdir()
    (report / ".facesearch-report").touch()
    (report / "people-9.html").write_text("of an earlier report")
    index = write_report(album, report, workers=0)
    pages = ["index.html", *(f"people-{number}.html" for number in range(2, 6))]
    assert sorted(path.name for path in report.glob("*.html")) == [*pages, "plots.html"]
    first = index.read_text("utf-8")
    # Named people come first, whoever is on more photos.
    assert 'id="person-4"' in first and 'id="person-1"' not in first
    assert 'href="people-2.html#person-1"' in first
    assert 'data-index="search-index.js"' in first
    for name in pages:
        text = (report / name).read_text("utf-8")
        assert text.count('aria-current="page"') == 2
        assert text.count('href="people-5.html"') == 2
