"""A service whose galleries are searched in parts elsewhere: what it says when some are away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.cli.main import main
from facesearch.gallery.gallery import Gallery
from support.cluster.parted_searches import PartedSearches, parted_searches
from support.fake_engine import write_photo
from support.people_galleries import index
from support.serving.services import (
    ServedTest,
    clustered_gallery,
    open_service,
    served,
)

API = "/api/v1/galleries/my"


@pytest.fixture
def searches() -> Iterator[PartedSearches]:
    with parted_searches() as searches:
        yield searches


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Four people in two shards."""
    gallery = clustered_gallery(tmp_path)
    for person in (1, 2, 3, 4):
        write_photo(tmp_path / "late" / f"{person}.png", [person], 70 + person)
    index(gallery, tmp_path / "late")
    return gallery


@pytest.fixture
def site(tmp_path: Path, gallery: Gallery, searches: PartedSearches) -> Iterator[ServedTest]:
    with served(open_service(tmp_path, gallery, open_search=searches.open)) as site:
        yield site


def search(site: ServedTest, photo: Path, question: str = "search") -> Any:
    files = {"photo": ("x.png", photo.read_bytes())}
    return site.client.post(f"{API}/{question}", files=files, headers=site.local())


def test_answers_are_those_of_one_memory(
    site: ServedTest, gallery: Gallery, tmp_path: Path
) -> None:
    photo = tmp_path / "photos" / "2-0.png"
    found = search(site, photo).json()
    with served(open_service(tmp_path / "other", gallery)) as plain:
        assert found == search(plain, photo).json()
        for path in ("/people/p1/similar", f"/faces/{found['faces'][0]['matches'][0]['face']['id']}"
                     "/neighbours"):  # fmt: skip
            assert site.client.get(API + path).json() == plain.client.get(API + path).json()
    assert found["unsearched"] == []


def test_what_is_away_is_named_in_every_answer(
    site: ServedTest, gallery: Gallery, searches: PartedSearches, tmp_path: Path
) -> None:
    photo = tmp_path / "photos" / "2-0.png"
    whole = search(site, photo).json()
    face = whole["faces"][0]["matches"][0]["face"]["id"]
    searches.lose(1)
    partial = search(site, photo).json()
    (missing,) = partial["unsearched"]
    assert missing == {"first_shard": 1, "last_shard": 1, "faces": 4}
    found = [each["face"]["id"] for each in partial["faces"][0]["matches"]]
    assert found and all(int(each) >> 32 == 0 for each in found)
    for path in (f"/faces/{face}/neighbours", f"/faces/{face}/candidates", "/people/p1/similar"):
        answer = site.client.get(API + path)
        assert answer.json()["unsearched"] == [missing]
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
    refused = search(site, photo, "commands/search")
    assert refused.status_code == 503
    assert refused.json()["code"] == "partial"
    assert "shards 1 to 1 with 4 faces" in refused.json()["detail"]
    assert search(site, photo, "identify").status_code == 409  # nobody has a name: as ever
    searches.find_again()
    assert search(site, photo).json() == whole
    answer = site.client.get(f"{API}/people/p1/similar")
    assert answer.json()["unsearched"] == [] and "etag" in answer.headers


def test_new_photos_are_found_at_once(site: ServedTest, gallery: Gallery, tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "new" / "nina.png", [200], 1)
    assert search(site, photo).json()["faces"][0]["matches"][0]["distance"] > 0.1
    index(gallery, tmp_path / "new")
    site.service.galleries[0].refresh()
    (found,) = search(site, photo).json()["faces"]
    assert found["matches"][0]["distance"] < 0.01


def test_parts_are_of_a_cluster(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(gallery.folder), "--cluster-parts", "2"]) == 2
    assert "expected --cluster ADDRESS" in capsys.readouterr().err
    assert main(["serve", "s3://bucket/my.gallery"]) == 2
    assert "facesearch pull" in capsys.readouterr().err
    assert main(["cluster", str(gallery.folder), "--ray", "local"]) == 2
    assert "expected --partitions N" in capsys.readouterr().err
