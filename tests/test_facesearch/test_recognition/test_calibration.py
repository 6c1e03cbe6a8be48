"""The calibrated threshold: learnt from the gallery, kept, used, and known to be stale."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facesearch.api.session import identify_photo
from facesearch.check import check_gallery
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import save_run
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.errors import GalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.recognition.calibration import (
    USUAL_FPIR,
    Calibration,
    calibrate,
    calibrate_unasked,
    calibration_path,
    learn_calibration,
    read_calibration,
    threshold_in_use,
)
from facesearch.recognition.templates import PersonTemplates
from support.fake_engine import FakeEngine, write_photo
from support.made_folders import MadeFolder

PEOPLE = 60
ENGINE: Any = FakeEngine()
MERGED = 0.1  # clusters of the fake engine's people: variants differ by some 0.005


def clustered(folder: Path) -> None:
    """A gallery of two photos of each of 60 people; each person's first photo has number 2 n."""
    for person in range(1, PEOPLE + 1):
        for variant in range(2):
            write_photo(folder / "photos" / f"{person:03d}-{variant}.png", [person], variant)
    gallery = Gallery.create(folder / "my.gallery", ENGINE.contract)
    options = EmbedOptions(decoders=0, threads=1)
    embed_photos(gallery, ENGINE, [folder / "photos"], options)
    run = run_clustering(gallery, gallery.state(), ClusterOptions("agglomerative", MERGED))
    assert run.clustering.count == PEOPLE
    save_run(gallery, run)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeFolder:
    return MadeFolder(tmp_path_factory.mktemp("clustered"), clustered)


@pytest.fixture
def gallery(made: MadeFolder) -> Gallery:
    return Gallery.open(made.fresh() / "my.gallery")


def enroll(gallery: Gallery, people: int, faces: int = 1) -> None:
    ids = gallery.state().live_ids()
    for person in range(people):
        first = ids[2 * person : 2 * person + faces].tolist()
        PeopleStore(gallery.folder).enroll(f"Person {person:03d}", first)


def calibrated(gallery: Gallery, fpir: float = 0.05) -> Calibration:
    return calibrate(gallery, gallery.state(), fpir, cluster_threshold=MERGED)


def test_named_people_and_unnamed_clusters_are_searched_for(gallery: Gallery) -> None:
    enroll(gallery, 20)
    calibration = calibrated(gallery)
    assert (calibration.people, calibration.faces, calibration.clusters) == (20, 20, 40)
    assert calibration.beyond == MERGED
    assert calibration.result.identities == 60
    # One face of each enrolled person, both of each stranger.
    assert calibration.result.searches == 20 + 80
    assert 0 < calibration.result.low < 0.05 < calibration.result.high
    assert read_calibration(gallery) == calibration


def test_faces_of_an_enrolled_persons_cluster_are_no_strangers(gallery: Gallery) -> None:
    enroll(gallery, 20)
    threshold = calibrated(gallery).result.threshold
    enrolled = PersonTemplates.load(gallery, gallery.state())
    nearest = enrolled.groups().nearest_two(gallery.vectors(gallery.state().live_ids()[1:40:2]))
    assert nearest.distances[:, 0].max() < MERGED < threshold


def test_without_clusters_only_names_count(gallery: Gallery) -> None:
    for path in (gallery.folder / "clusters").glob("*.h5"):
        path.unlink()
    enroll(gallery, 29, faces=2)
    with pytest.raises(InputError, match=r"got 29; enroll more people, or .* facesearch cluster"):
        calibrated(gallery)
    assert read_calibration(gallery) is None
    enroll(gallery, 40, faces=2)
    calibration = calibrated(gallery)
    assert (calibration.clusters, calibration.result.searches) == (0, 80)


def test_one_enrolled_person_is_enough_among_many_clusters(gallery: Gallery) -> None:
    enroll(gallery, 1)
    assert calibrated(gallery).result.identities == PEOPLE - 1


def test_nobody_enrolled(gallery: Gallery) -> None:
    with pytest.raises(InputError, match="no person is enrolled"):
        calibrated(gallery)


def test_identify_says_where_its_threshold_comes_from(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders = SimpleNamespace(identification=0.02, cluster=MERGED)
    monkeypatch.setattr("facesearch.api.session.thresholds_in_use", lambda contract: encoders)
    enroll(gallery, 20)
    photo = write_photo(tmp_path / "probe.png", [3, 200], variant=9)

    def sources(given: float | None = None) -> tuple[str, float, float | None]:
        found = identify_photo(gallery, photo, threshold=given, engine=ENGINE)
        assert [face.person for face in found] == [None, "Person 002"]
        assert all(face.margin and face.margin > 0 for face in found)
        (used,) = {(face.threshold_from, face.threshold, face.fpir) for face in found}
        return used

    with monkeypatch.context() as few:
        few.setattr("indexer.open_set.threshold.LEAST_IDENTITIES", 10**6)
        assert sources() == ("encoder", 0.02, None)
    assert read_calibration(gallery) is None
    assert sources()[::2] == ("calibration", pytest.approx(0.01))  # by itself
    calibration = calibrated(gallery, 0.01)
    assert sources() == ("calibration", calibration.result.threshold, pytest.approx(0.01))
    assert sources(0.03) == ("given", 0.03, None)


def test_a_grown_gallery_makes_it_stale(gallery: Gallery) -> None:
    enroll(gallery, 20)
    calibration = calibrated(gallery)

    def in_use(people: int, faces: int = 1) -> tuple[str, float | None]:
        enroll(gallery, people, faces)
        enrolled = PersonTemplates.load(gallery, gallery.state())
        used = threshold_in_use(enrolled, calibration)
        assert used.value == calibration.result.threshold
        return used.source, used.fpir

    assert in_use(29) == ("calibration", pytest.approx(1 - 0.95**1.45))
    assert in_use(30) == ("stale calibration", pytest.approx(1 - 0.95**1.5))
    assert "30 now" in calibration.outgrown(30, 30)
    assert "20 enrolled faces" in calibration.outgrown(20, 40)
    assert calibration.outgrown(1, 1) == ""


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:40],
        lambda text: "[1, 2]",
        lambda text: text.replace("facesearch-calibration", "other"),
        lambda text: json.dumps({**json.loads(text), "version": 2}),
        lambda text: json.dumps({**json.loads(text), "people": "many"}),
        lambda text: json.dumps({**json.loads(text), "rule": "nearest-1"}),
        lambda text: json.dumps({**json.loads(text), "extra": 1}),
        lambda text: json.dumps({**json.loads(text), "result": {}}),
        lambda text: text.replace('"threshold": ', '"threshold": 9'),
        lambda text: text.replace('"threshold": ', '"threshold": NaN, "t": '),
    ],
)
def test_a_damaged_file_is_refused_and_says_what_to_do(gallery: Gallery, damage: Any) -> None:
    enroll(gallery, 20)
    calibrated(gallery)
    path = calibration_path(gallery)
    path.write_text(damage(path.read_text()))
    with pytest.raises(GalleryError, match=r"calibration\.json: .*facesearch calibrate"):
        read_calibration(gallery)
    path.unlink()
    assert read_calibration(gallery) is None


def test_check_tells_of_a_stale_one(gallery: Gallery) -> None:
    enroll(gallery, 20)
    calibrated(gallery)

    def found() -> list[str]:
        findings = check_gallery(gallery)
        return [each.problem for each in findings if each.subject == "calibration.json"]

    assert found() == []
    enroll(gallery, 40)
    (problem,) = found()
    assert "40 now" in problem and "facesearch calibrate" in problem


def test_clusters_and_their_faces_are_drawn_from_many(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    enroll(gallery, 20)
    monkeypatch.setattr("facesearch.recognition.calibration._MOST_CLUSTERS", 25)
    monkeypatch.setattr("facesearch.recognition.calibration._MOST_FACES", 1)
    calibration = calibrated(gallery)
    assert (calibration.clusters, calibration.result.searches) == (25, 45)


def test_people_are_rows_of_sorted_names(gallery: Gallery) -> None:
    enroll(gallery, 3, faces=2)
    PeopleStore(gallery.folder).enroll("A", gallery.state().live_ids()[10:11].tolist())
    enrolled = PersonTemplates.load(gallery, gallery.state())
    assert enrolled.names == ("A", "Person 000", "Person 001", "Person 002")
    assert [enrolled.names[row] for row in enrolled.people] == [
        *(f"Person {n:03d}" for n in (0, 0, 1, 1, 2, 2)),
        "A",
    ]
    np.testing.assert_array_equal(enrolled.vectors, gallery.vectors(enrolled.ids))


def test_a_gallery_that_was_never_calibrated_calibrates_itself(gallery: Gallery) -> None:
    enroll(gallery, 20)
    state = gallery.state()
    found = calibrate_unasked(gallery, state, MERGED)
    assert found is not None and found.result.fpir == USUAL_FPIR
    kept = read_calibration(gallery)
    assert kept is not None and kept.result == found.result
    assert found.result == learn_calibration(gallery, state, 0.01, MERGED).result


def test_what_cannot_be_kept_is_used_all_the_same(
    gallery: Gallery, caplog: pytest.LogCaptureFixture
) -> None:
    enroll(gallery, 20)
    with Gallery.open(gallery.folder).writing():  # another writer
        found = calibrate_unasked(gallery, gallery.state(), MERGED)
    assert found is not None
    assert read_calibration(gallery) is None
    assert "was not kept" in caplog.text


def test_too_few_people_calibrate_nothing(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    enroll(gallery, 20)
    monkeypatch.setattr("indexer.open_set.threshold.LEAST_IDENTITIES", 10**6)
    assert calibrate_unasked(gallery, gallery.state(), MERGED) is None
    assert read_calibration(gallery) is None
