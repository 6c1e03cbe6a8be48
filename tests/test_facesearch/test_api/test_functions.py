"""Each command as a function: what it returns, by folder or by Gallery, and its mistakes."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facesearch import (
    ClusterOptions,
    EmbedOptions,
    EngineOptions,
    EvaluationOptions,
    Gallery,
    GalleryError,
    InputError,
    PeopleEditor,
    build_index,
    calibrate,
    check_erased,
    check_gallery,
    cluster_gallery,
    enroll,
    evaluate_clustering,
    evaluate_folder,
    evaluate_lfw,
    evaluate_slices,
    export_people,
    fetch_encoder,
    forget_faces,
    gallery_album,
    gallery_info,
    import_people,
    index_photos,
    latest_run,
    list_decisions,
    list_people,
    make_graph,
    search_many,
    show_person,
    unforget_photos,
    write_evaluation,
    write_report,
    write_sidecars,
)
from facesearch.clustering.options import LOOSER
from facesearch.encoders import DEFAULT_ENCODER, encoder_spec, thresholds_of
from facesearch.engine import EncoderChoice
from facesearch.model_files.download import DownloadedFile
from facesearch.quality import MIN_QUALITY
from support.fake_engine import FakeEngine, write_photo

ENGINE: Any = FakeEngine(DEFAULT_ENCODER)
OPTIONS = EmbedOptions(decoders=0, threads=1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three people with three photos each, and an empty file."""
    for person in (1, 2, 3):
        for number in range(3):
            write_photo(tmp_path / "photos" / f"{person}-{number}.png", [person], 10 * number)
    (tmp_path / "photos" / "empty.jpg").touch()
    return tmp_path / "photos"


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> str:
    """The folder of a gallery of them, as text."""
    index_photos(str(photos), str(tmp_path / "my.gallery"), engine=ENGINE, options=OPTIONS)
    return str(tmp_path / "my.gallery")


def test_photos_are_indexed_once(photos: Path, tmp_path: Path) -> None:
    report = index_photos(photos, tmp_path / "g", engine=ENGINE, options=OPTIONS, vectors="float32")
    assert (report.photos.embedded, report.photos.failed, report.face_count) == (9, 1, 9)
    assert report.gallery.dtype == "float32"
    again = index_photos([photos], report.gallery, engine=ENGINE, options=OPTIONS)
    assert (again.photos.embedded, again.photos.unchanged, again.face_count) == (0, 10, 9)


def test_mistakes_make_no_gallery(photos: Path, tmp_path: Path) -> None:
    for asked, message in (
        (tmp_path / "nowhere", "nowhere"),
        ([], "got none"),
        (7, "folder of photos or several"),
        ([photos, 7], "got int"),
    ):
        with pytest.raises(InputError, match=message):
            index_photos(asked, tmp_path / "g", engine=ENGINE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="separate folder for the gallery"):
        index_photos(photos, photos, engine=ENGINE)
    assert not (tmp_path / "g").exists()


def test_an_index_is_asked_for(folder: str) -> None:
    assert build_index(folder).goal == {}
    assert build_index(folder, recall=1.0, memory=10**9).goal == {"recall": 1.0, "memory": 10**9}
    assert build_index(Gallery.open(folder)).goal == {"recall": 1.0, "memory": 10**9}
    with pytest.raises(InputError, match="recall"):
        build_index(folder, recall=0.1)
    assert make_graph(folder, 3).count == 9


def test_people_are_clustered_named_and_shown(folder: str, photos: Path, tmp_path: Path) -> None:
    run = cluster_gallery(folder)
    assert run.clustering.count == 3
    assert run.path is not None and run.path.exists()
    assert latest_run(folder).path == run.path
    enrolment = enroll(folder, "Ann", [photos / "1-0.png", photos / "empty.jpg"], engine=ENGINE)
    assert [bool(each.problem) for each in enrolment.photos] == [False, True]
    album = gallery_album(folder)
    assert album.about.title == "my"
    assert sorted(person.label for person in album.people) == ["Ann", "p1", "p2", "p3"]
    page = write_report(album, workers=0)
    assert page == Path(folder).resolve() / "report" / "index.html"
    assert json.loads((page.parent / "album.json").read_text())["title"] == "my"
    assert write_report(album, str(tmp_path / "elsewhere"), workers=0).exists()
    assert (
        write_sidecars(album, tmp_path / "sidecars").written == 1
    )  # of the face that was enrolled


def test_decisions_go_to_another_gallery(folder: str, photos: Path, tmp_path: Path) -> None:
    enroll(folder, "Ann", photos / "1-0.png", engine=ENGINE)
    written = export_people(folder, str(tmp_path / "people.json"))
    assert [entry.name for entry in written] == ["Ann"]
    other = index_photos(photos, tmp_path / "other", engine=ENGINE, options=OPTIONS).gallery
    assert import_people(other, tmp_path / "people.json").faces == 1
    assert PeopleEditor(other).find("Ann").name == "Ann"
    PeopleEditor(other).undo()
    with pytest.raises(InputError, match="Ann"):
        PeopleEditor(other).find("Ann")


def test_faces_are_forgotten_and_photos_taken_again(folder: str, photos: Path) -> None:
    assert forget_faces(folder, photos=str(photos / "1-0.png")).faces == 1
    index_photos(photos, folder, engine=ENGINE, options=OPTIONS)
    assert gallery_info(folder).faces == 8
    unforget_photos(folder, photos / "1-0.png")
    index_photos(photos, folder, engine=ENGINE, options=OPTIONS)
    info = gallery_info(folder)
    assert (info.photos, info.photos_failed, info.faces) == (10, 1, 9)
    assert [record.name for record in info.failed] == ["empty.jpg"]
    assert check_gallery(folder) == []
    assert forget_faces(folder).faces == 0


def test_many_probes_are_searched_for(folder: str, photos: Path, tmp_path: Path) -> None:
    report = search_many(folder, photos, tmp_path / "found.csv", 2, engine=ENGINE)
    assert (report.faces, report.matches, report.failed) == (9, 18, 1)
    with (tmp_path / "found.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["probe"]).name for row in rows} >= {"1-0.png", "3-2.png"}
    with pytest.raises(InputError, match="exists"):
        search_many(folder, photos, tmp_path / "found.csv", engine=ENGINE)
    with pytest.raises(GalleryError, match="not a gallery"):
        search_many(tmp_path, photos, tmp_path / "other.csv", engine=ENGINE)


def test_options_are_the_encoders(folder: str) -> None:
    gallery = Gallery.open(folder)
    defaults = thresholds_of(gallery.contract)
    assert ClusterOptions.for_gallery(gallery) == ClusterOptions(
        "agglomerative",
        defaults.cluster,
        1,
        MIN_QUALITY,
        attach_threshold=min(defaults.cluster, defaults.identification),
        from_gallery=True,
        reach=LOOSER * defaults.cluster,
    )
    given = ClusterOptions.for_gallery(gallery, threshold=0.01, min_quality=0.0, min_size=3)
    assert (given.threshold, given.attach_threshold, given.from_gallery) == (0.01, 0.01, False)
    assert (given.min_quality, given.min_size) == (0.0, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "k-means"}, "method"),
        ({"threshold": 5.0}, "from 0 to 4"),
        ({"threshold": float("nan")}, "from 0 to 4"),
        ({"min_size": 0}, "of 1 or more"),
        ({"linkage": "single"}, "expected a threshold"),
    ],
)
def test_options_that_cannot_be(folder: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClusterOptions.for_gallery(Gallery.open(folder), **options)


def test_an_engine_is_as_in_the_gallery_unless_asked_otherwise() -> None:
    contract = ENGINE.contract
    assert EngineOptions().encoder_choice() == EncoderChoice()
    assert EngineOptions().encoder_choice(contract) == EncoderChoice.of(contract)
    # Another encoder may not be had in the numbers that the gallery's runs in.
    mixed = replace(contract, numerics="int8-0123456789ab+fp32")
    assert EngineOptions().encoder_choice(mixed).precision == "int8+fp32"
    assert EngineOptions(encoder="other").encoder_choice(mixed).precision == "auto"
    asked = EngineOptions(
        encoder="other", weights="file.pt", precision="bf16", flip=True, device="cpu"
    )
    assert asked.encoder_choice(contract, threads=2, callers=3) == EncoderChoice(
        "other", Path("file.pt"), "cpu", "bf16", True, 2, 3
    )


def test_people_faces_and_decisions_are_listed(folder: str) -> None:
    assert not list_people(folder).clustered
    cluster_gallery(folder)
    editor = PeopleEditor(Gallery.open(folder))
    editor.name(editor.find("p1"), "Ann")
    editor.hide(editor.find("p2"))
    editor.undo()
    editor.hide(editor.find("p3"))
    listed = list_people(folder)
    assert listed.clustered and (listed.hidden, listed.faces_of_nobody) == (1, 0)
    assert [(each.person.label, each.faces, each.confirmed) for each in listed.people] == [
        ("Ann", 3, 3),
        ("p2", 3, 0),
    ]
    assert [each.person.hidden for each in list_people(folder, hidden=True).people] == [
        *(False, False, True)
    ]
    shown = show_person(folder, "an")
    assert shown.person.key == "p1" and len(shown.faces) == 3
    assert all(each.confirmed and 0 < each.confidence <= 1 for each in shown.faces)
    numbers = [each.face.photo.name[0] for each in shown.faces]
    assert len({*numbers}) == 1
    decided = list_decisions(folder)
    assert [(each.decision.action, each.undone) for each in decided] == [
        *(("name", False), ("hide", True), ("undo", False), ("hide", False))
    ]
    forget_faces(folder, people="Ann")
    assert not any(each.person.name for each in list_people(folder, hidden=True).people)


def test_an_encoder_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = fetch_encoder(DEFAULT_ENCODER)
    assert not packaged.fetched and packaged.files[0].path.exists()
    monkeypatch.setenv("FACESEARCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "w.pt").write_bytes(b"weights")
    file = DownloadedFile("w.pt", "https://example.org/w.pt")
    spec = replace(encoder_spec("facenet-vggface2"), weights=file)
    monkeypatch.setattr("facesearch.api.encoders.encoder_spec", lambda name: spec)
    first = fetch_encoder("facenet-vggface2", folder=str(tmp_path / "files"))
    assert first.fetched and first.first_use
    assert first.files[0].path.read_bytes() == b"weights"
    again = fetch_encoder("facenet-vggface2", folder=tmp_path / "files")
    assert again.files[0].path == first.files[0].path and not again.first_use
    with pytest.raises(InputError, match="an encoder of one file"):
        fetch_encoder("facenet-vggface2", url="https://example.org", folder=tmp_path)


def test_protocols_are_functions(photos: Path, tmp_path: Path) -> None:
    for person in (1, 2, 3):
        (tmp_path / "people" / f"P{person}").mkdir(parents=True)
        for photo in photos.glob(f"{person}-*.png"):
            photo.rename(tmp_path / "people" / f"P{person}" / photo.name)
    options = EvaluationOptions(ENGINE, cache=tmp_path / "vectors")
    report = evaluate_folder(tmp_path / "people", options=options)
    assert (report.conditions.photos, report.result.same_pairs) == (9, 9)
    clustered = evaluate_clustering(str(tmp_path / "people"), threshold=0.4, options=options)
    assert clustered.protocol == "clustering"
    names = [each.name for each in write_evaluation(report, tmp_path / "out", plots=False)]
    assert names == ["report.md", "report.json"]
    with pytest.raises(InputError, match="LFW's list of pairs"):
        evaluate_lfw(tmp_path / "people", options=options)
    with pytest.raises(InputError, match="got both"):
        evaluate_slices(photos, names="{person}_*", groups="groups.csv", options=options)


def test_a_title_is_given(folder: str) -> None:
    cluster_gallery(folder)
    album = gallery_album(folder, title="Ours")
    assert album.about.title == "Ours"
    assert album.face_count == 9


def test_the_last_clustering_is_read(folder: str) -> None:
    with pytest.raises(GalleryError, match="facesearch cluster"):
        latest_run(folder)
    run = cluster_gallery(folder)
    assert latest_run(folder).path == latest_run(Gallery.open(folder)).path == run.path


def test_mistakes_are_input_errors(folder: str, photos: Path, tmp_path: Path) -> None:
    for fpir in (0, 0.5, float("nan")):
        with pytest.raises(InputError, match=r"above 0 and at most 0\.1"):
            calibrate(folder, fpir)
    with pytest.raises(InputError, match="float16 or float32, got 'int3'"):
        index_photos(photos, tmp_path / "other", engine=ENGINE, vectors="int3")  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()


def test_what_was_forgotten_is_looked_for(folder: str, photos: Path, tmp_path: Path) -> None:
    forget_faces(folder, photos=photos / "1-0.png", receipt=tmp_path / "receipt.json")
    assert check_erased(folder, str(tmp_path / "receipt.json")) == []
    with pytest.raises(InputError):
        check_erased(folder, photos / "1-0.png")
