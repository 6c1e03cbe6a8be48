"""The album: who comes first, who is the cover, and what album.json says."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster.types import Clustering
from facesearch.album.model import AlbumFace, AlbumInfo, FailedPhoto, build_album, medoid
from facesearch.album.to_json import album_json, file_url
from support.albums import about, album_of, face

PHOTOS = [Path(f"/photos/{number}.jpg") for number in range(9)]


def build(faces: list[AlbumFace], vectors: np.ndarray, clustering: Clustering, names=None):
    return build_album(
        faces,
        vectors,
        clustering,
        names or {},
        about=AlbumInfo("t", "", "m", threshold=None, encoder="e", photo_count=len(faces)),
    )


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 5)),
        elements=st.floats(-1, 1, width=16),
    )
)
def test_the_medoid_has_the_least_mean_squared_distance(vectors: np.ndarray) -> None:
    rows = vectors.astype(np.float64)
    means = ((rows[:, None] - rows[None]) ** 2).sum(axis=2).mean(axis=1)
    assert means[medoid(vectors)] <= means.min() + 1e-9


def test_people_with_more_photos_come_first_and_unnamed_ones_are_counted() -> None:
    faces = [face(number, PHOTOS[number]) for number in range(8)]
    album = album_of(faces, [0, 1, 1, 1, 2, 2, 3, -1], {2: "Ada"})
    assert [(p.label, p.photo_count) for p in album.people] == [
        ("Unnamed 1", 3),
        ("Ada", 2),
        ("Unnamed 2", 1),
        ("Unnamed 3", 1),
    ]
    assert [p.key for p in album.people] == ["person-1", "person-2", "person-3", "person-4"]
    assert [f.face_id for f in album.noise] == [7]
    assert album.face_count == 8
    assert sorted(f.face_id for f in album.faces) == list(range(8))


def test_people_are_called_what_commands_call_them() -> None:
    faces = [face(number, PHOTOS[number]) for number in range(6)]
    ids = {0: "p7", 1: "p31", 2: "p44"}
    album = album_of(faces, [0, 0, 0, 1, 1, 2], {1: "Ada"}, person_ids=ids)
    assert [(p.key, p.person_id, p.label) for p in album.people] == [
        ("p7", "p7", "p7"),
        ("p31", "p31", "Ada"),
        ("p44", "p44", "p44"),
    ]
    assert [p["person_id"] for p in album_json(album)["people"]] == ["p7", "p31", "p44"]
    older = album_json(album_of(faces, [0, 0, 0, 1, 1, 2]))["people"]
    assert [p["person_id"] for p in older] == [None, None, None]
    one = album_of(faces, [0, 0, 0, 1, 1, 2], {1: "Ada", 2: "Ada"}, person_ids=ids).people[0]
    assert (one.person_id, len(one.faces)) == ("p31", 3)


def test_two_clusters_with_one_name_are_one_person() -> None:
    faces = [face(number, PHOTOS[number]) for number in range(5)]
    album = album_of(faces, [0, 0, 1, 2, 2], {0: "Ada", 1: " Ada ", 2: "  "})
    assert [(p.name, p.photo_count) for p in album.people] == [("Ada", 3), (None, 2)]


def test_two_faces_in_one_photo_are_one_photo() -> None:
    faces = [face(0, PHOTOS[0]), face(1, PHOTOS[0]), face(2, PHOTOS[1])]
    (person,) = album_of(faces, [0, 0, 0]).people
    assert (len(person.faces), person.photo_count) == (3, 2)


def test_faces_are_ordered_by_confidence_then_time_and_the_clustering_gives_it() -> None:
    faces = [
        face(10, PHOTOS[0], confidence=0.99),
        face(11, PHOTOS[1], taken_at="2020-01-02T00:00:00"),
        face(12, PHOTOS[2], taken_at="2019-01-02T00:00:00+02:00"),
        face(13, PHOTOS[3]),
    ]
    # The ids in another order than the faces, and one that has no face any more.
    clustering = Clustering(
        np.array([13, 99, 12, 11, 10]),
        np.zeros(5, np.int32),
        np.array([0.8, 1.0, 0.5, 0.5, 0.5], np.float32),
    )
    vectors = np.eye(4, dtype=np.float32)
    (person,) = build(faces, vectors, clustering).people
    assert [f.face_id for f in person.faces] == [13, 12, 11, 10]
    assert person.faces[-1].confidence == pytest.approx(0.5)
    assert person.first_taken == "2019-01-02T00:00:00+02:00"
    assert person.last_taken == "2020-01-02T00:00:00"


def test_the_cover_is_the_medoid() -> None:
    faces = [face(number, PHOTOS[number]) for number in range(3)]
    angles = np.array([0.0, 0.3, 1.2])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    clustering = Clustering(np.arange(3), np.zeros(3, np.int32), np.ones(3, np.float32))
    assert build(faces, vectors, clustering).people[0].cover.face_id == 1


def test_a_face_that_was_never_clustered_is_refused() -> None:
    clustering = Clustering(np.array([0]), np.zeros(1, np.int32), np.ones(1, np.float32))
    faces = [face(0, PHOTOS[0]), face(5, PHOTOS[1])]
    with pytest.raises(ValueError, match=r"1 of 2 .*face 5.*cluster the gallery again"):
        build(faces, np.eye(2, dtype=np.float32), clustering)
    with pytest.raises(ValueError, match=r"expected vectors of shape \(2, d\)"):
        build(faces, np.eye(3, dtype=np.float32), clustering)


def test_an_empty_album() -> None:
    empty = np.zeros(0, np.int64)
    clustering = Clustering(empty, empty.astype(np.int32), empty.astype(np.float32))
    album = build([], np.zeros((0, 8), np.float32), clustering)
    assert album.people == () and album.noise == ()


def test_names_of_files_are_made_printable_and_their_urls_keep_every_byte() -> None:
    photo = Path("/photos/caf\udce9 #1?.jpg")
    assert face(0, photo).name == "caf\ufffd #1?.jpg"
    assert FailedPhoto("a\nb", "empty", "0 bytes").name == "a\ufffdb"
    url = file_url(photo)
    assert url == "file:///photos/caf%E9%20%231%3F.jpg"
    assert unquote_to_bytes(url.removeprefix("file://")) == b"/photos/caf\xe9 #1?.jpg"


def test_album_json_states_its_version_and_survives_a_round_trip() -> None:
    faces = [face(2**40 + number, PHOTOS[number]) for number in range(4)]
    album = album_of(faces, [0, 0, 1, -1], {0: "Ada"}, (FailedPhoto("x.jpg", "empty", "0 bytes"),))
    value = json.loads(json.dumps(album_json(album)))
    assert (value["format"], value["version"]) == ("facesearch-album", 1)
    assert value["counts"] == {
        "photos": 5,
        "photos_without_faces": 0,
        "photos_failed": 1,
        "faces": 4,
        "people": 2,
        "named_people": 1,
        "noise": 1,
    }
    ada = value["people"][0]
    assert (ada["name"], ada["photo_count"], ada["first_taken"]) == ("Ada", 2, None)
    assert ada["cover"] in [f["face_id"] for f in ada["faces"]]
    assert ada["faces"][0]["photo_url"].startswith("file:///photos/")
    assert value["noise"][0]["face_id"] == 2**40 + 3
    assert value["failed"] == [{"photo": "x.jpg", "reason": "empty", "detail": "0 bytes"}]
    assert value["partial"] == [] and value["outdated"] is None
    cut = about(album, partial=(FailedPhoto("y.jpg", "partial", "the upper half"),))
    assert album_json(cut)["partial"] == [{"photo": "y.jpg", "detail": "the upper half"}]
    assert album_json(about(album, outdated="12 faces came later"))["outdated"] == (
        "12 faces came later"
    )
