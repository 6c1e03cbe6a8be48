"""A session answers as one-shot functions do, reads a gallery once, and sees every change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from facesearch.api.indexing import index_photos
from facesearch.api.maintenance import forget_faces
from facesearch.api.people import enroll
from facesearch.api.session import GallerySession, identify_photo, search_photo, verify_photos
from facesearch.embed import EmbedOptions
from facesearch.errors import ContractError, GalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.version import GalleryVersion
from facesearch.people.store import PeopleStore
from indexer.storage.shards import Shard
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import people_gallery

ENGINE = FakeEngine()
OPTIONS = EmbedOptions(decoders=0, threads=1)


@pytest.fixture(autouse=True)
def encoder_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the fake encoder, which is none of ours."""
    thresholds = SimpleNamespace(identification=0.3, verification=0.3, cluster=0.3)
    monkeypatch.setattr("facesearch.api.session.thresholds_in_use", lambda contract: thresholds)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Four people, two of whom have names."""
    made = people_gallery(tmp_path)
    for person, name in ((1, "Ann"), (2, "Bob")):
        photos = [tmp_path / "photos" / f"{person}-{number}.png" for number in range(2)]
        enroll(made, name, photos, engine=ENGINE)  # type: ignore[arg-type]
    return made


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    return write_photo(tmp_path / "probe.png", [2, 3, 1], variant=99)


@pytest.fixture
def session(gallery: Gallery) -> GallerySession:
    return GallerySession(gallery, ENGINE)  # type: ignore[arg-type]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often shards were opened, and the ledger of decisions read."""
    counts: Counter[str] = Counter()

    def count(owner: type, name: str) -> None:
        plain: Callable[..., object] = getattr(owner, name)

        def counting(*args: object) -> object:
            counts[name] += 1
            return plain(*args)

        monkeypatch.setattr(owner, name, counting)

    count(Shard, "open")
    count(PeopleStore, "memberships")
    count(PeopleStore, "decided")
    return counts


def names(session: GallerySession, photo: Path) -> list[str | None]:
    """The people in a photo, from left to right."""
    return [face.person for face in sorted(session.identify(photo), key=lambda face: face.box)]


def test_answers_are_those_of_the_functions(
    session: GallerySession, gallery: Gallery, probe: Path
) -> None:
    assert names(session, probe) == ["Bob", None, "Ann"]
    assert session.people == ("Ann", "Bob")
    one_shot = identify_photo(str(gallery.folder), str(probe), engine=ENGINE)  # type: ignore[arg-type]
    assert session.identify(probe) == one_shot
    found = search_photo(gallery, probe, 3, engine=ENGINE)  # type: ignore[arg-type]
    assert session.search(probe, 3) == found
    assert [len(face.matches) for face in found] == [3, 3, 3]
    same = session.verify(probe, gallery.folder.parent / "photos" / "1-2.png")
    assert same == verify_photos(probe, gallery.folder.parent / "photos" / "1-2.png", engine=ENGINE)  # type: ignore[arg-type]


def test_what_was_read_is_not_read_again(
    session: GallerySession, probe: Path, opened: Counter[str]
) -> None:
    first = session.identify(probe), session.search(probe, 3)
    assert opened["memberships"] > 0 and opened["open"] > 0
    opened.clear()
    again = session.identify(probe), session.search(probe, 3)
    assert again == first
    assert opened["memberships"] == opened["decided"] == 0
    # Only what the matches show: their photos and boxes.
    assert opened["open"] <= 3


def test_identifying_again_opens_no_shard(
    session: GallerySession, probe: Path, opened: Counter[str]
) -> None:
    session.identify(probe)
    opened.clear()
    session.identify(probe)
    assert not opened


def test_a_new_name_is_seen(session: GallerySession, gallery: Gallery, probe: Path) -> None:
    assert names(session, probe) == ["Bob", None, "Ann"]
    photo = gallery.folder.parent / "photos" / "3-0.png"
    enroll(gallery, "Cid", photo, engine=ENGINE)  # type: ignore[arg-type]
    assert names(session, probe) == ["Bob", "Cid", "Ann"]


def test_new_and_forgotten_faces_are_seen(
    session: GallerySession, gallery: Gallery, probe: Path, tmp_path: Path
) -> None:
    before = session.search(probe, 50)
    write_photo(tmp_path / "more" / "2-77.png", [2], variant=77)
    index_photos(tmp_path / "more", gallery, engine=ENGINE, options=OPTIONS)  # type: ignore[arg-type]
    grown = session.search(probe, 50)
    assert {len(face.matches) for face in grown} == {len(before[0].matches) + 1}
    forget_faces(gallery, photos=tmp_path / "more" / "2-77.png")
    assert session.search(probe, 50) == before
    forget_faces(gallery, people=["Bob"])
    assert names(session, probe) == [None, None, "Ann"]
    assert session.people == ("Ann",)


def test_faces_forgotten_between_reading_and_answering(
    session: GallerySession, gallery: Gallery, probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.search(probe, 50)
    version = GalleryVersion.of(gallery)
    forget_faces(gallery, people="Bob")
    versions = iter([version])
    plain = GalleryVersion.of
    monkeypatch.setattr(GalleryVersion, "of", lambda of: next(versions, None) or plain(of))
    left = session.search(probe, 50)
    assert all(match.person != "Bob" for face in left for match in face.matches)


def test_a_given_threshold_is_used(session: GallerySession, probe: Path) -> None:
    found = session.identify(probe, threshold=0.0)
    assert {(face.person, face.threshold_from) for face in found} == {(None, "given")}


def test_mistakes_say_what_to_do(tmp_path: Path, gallery: Gallery, probe: Path) -> None:
    with pytest.raises(GalleryError, match="not a gallery"):
        GallerySession.open(tmp_path / "nothing", engine=ENGINE)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="other"):
        GallerySession(gallery, FakeEngine("other"))  # type: ignore[arg-type]
    session = GallerySession(gallery, ENGINE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot use the photo"):
        session.identify(tmp_path / "no.png")
    with pytest.raises(InputError, match="expected a photo, got int"):
        session.identify(7)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="k, a whole number of 1 or more"):
        session.search(probe, 0)
    empty = Gallery.create(tmp_path / "empty.gallery", ENGINE.contract)
    nobody = GallerySession(empty, ENGINE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no person is enrolled"):
        nobody.identify(probe)
    with pytest.raises(InputError, match="no faces to search"):
        nobody.search(probe)


@pytest.mark.parametrize("threshold", [-1.0, 4.5, float("nan"), "0.3"])
def test_a_threshold_is_a_squared_distance(
    session: GallerySession, probe: Path, threshold: float
) -> None:
    with pytest.raises(InputError, match="squared distance as threshold, a number from 0 to 4"):
        session.identify(probe, threshold=threshold)
    with pytest.raises(InputError, match="squared distance as threshold, a number from 0 to 4"):
        session.verify(probe, probe, threshold=threshold)
