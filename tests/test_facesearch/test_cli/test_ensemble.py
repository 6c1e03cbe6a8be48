"""Two encoders as one, all the way: index, cluster, identify, upgrade to it and back, calibrate."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from facesearch.demo import DemoTruth
from facesearch.encoders import encoder_spec
from facesearch.encoders.ensemble import joined_vectors
from facesearch.gallery.gallery import Gallery
from support.calls.commands import run_command as run

NAME, FIRST, SECOND = "dlib-facenet-ensemble", "dlib-resnet-v1", "facenet-small"
Photos = tuple[Path, DemoTruth]
FACES = 14


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESEARCH_DATA", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def photos(demo_photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Some of the demo's: five of each person alone, and two of both."""
    folder, truth = tmp_path_factory.mktemp("some"), demo_photos[1]
    chosen = {}
    for shown, most in (({"a"}, 5), ({"b"}, 5), ({"a", "b"}, 2)):
        names = [name for name, people in truth.people.items() if people == shown][:most]
        chosen |= dict.fromkeys(names, frozenset(shown))
    for name in chosen:
        shutil.copy2(demo_photos[0] / name, folder)
    return folder, DemoTruth(chosen, frozenset())


@pytest.fixture(scope="module")
def galleries(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The photos indexed with the ensemble and with each of its encoders."""
    folder = tmp_path_factory.mktemp("ensemble")
    made = {name: folder / f"{name}.gallery" for name in (NAME, FIRST, SECOND)}
    for name, gallery in made.items():
        words = ("index", photos[0], "--gallery", gallery, "--encoder", name, "--quiet")
        done = run((*words, "--json"))
        assert done.code == 0, done.err
        assert done.json()["faces"] == FACES
    return made


def copied(gallery: Path, folder: Path) -> Path:
    return Path(shutil.copytree(gallery, folder / gallery.name))


def vectors_of(gallery: Path) -> np.ndarray:
    opened = Gallery.open(gallery)
    return np.asarray(opened.vectors(opened.state().live_ids()))


def qualities_of(gallery: Path) -> np.ndarray:
    opened = Gallery.open(gallery)
    state = opened.state()
    return np.array([face.quality for face in opened.faces(state.live_ids(), state)])


def photos_of(demo: Photos, *people: str) -> list[Path]:
    return [demo[0] / name for name, shown in demo[1].people.items() if shown == set(people)]


def test_a_gallery_holds_the_join_of_both_encoders_galleries(galleries: dict[str, Path]) -> None:
    both, first, second = (vectors_of(gallery) for gallery in galleries.values())
    share = encoder_spec(NAME).ensemble.share  # type: ignore[union-attr]
    np.testing.assert_allclose(both, joined_vectors(first, second, share), atol=2e-3)  # float16
    np.testing.assert_array_equal(qualities_of(galleries[NAME]), qualities_of(galleries[FIRST]))


def test_people_are_clustered_and_identified(
    galleries: dict[str, Path], photos: Photos, tmp_path: Path
) -> None:
    gallery = copied(galleries[NAME], tmp_path)
    facts = run(("cluster", gallery, "--json")).json()
    assert (facts["groups"], facts["noise"]) == (2, 0)
    known, *others = photos_of(photos, "a")
    assert run(("enroll", gallery, "Ann", known)).code == 0
    faces = run(("identify", gallery, others[-1], "--json")).json()["faces"]
    assert [face["person"] for face in faces] == ["Ann"]
    assert run(("identify", gallery, photos_of(photos, "b")[0])).code == 1
    assert run(("verify", known, others[0], "--encoder", NAME)).code == 0
    stranger = photos_of(photos, "b")[0]
    assert run(("verify", known, stranger, "--encoder", NAME)).code == 1
    assert NAME in run(("info", gallery)).out
    assert not [line for line in run(("check", gallery)).out.splitlines() if "severe" in line]


def test_a_gallery_goes_on_with_its_encoders(
    galleries: dict[str, Path], photos: Photos, tmp_path: Path
) -> None:
    gallery = copied(galleries[NAME], tmp_path)
    shutil.copytree(photos[0], tmp_path / "more")
    (tmp_path / "more" / "demo-01.jpg").rename(tmp_path / "more" / "again.jpg")
    report = run(("index", tmp_path / "more", "--gallery", gallery, "--quiet", "--json")).json()
    assert report["embedded"] == 0
    refused = run(("index", tmp_path / "more", "--gallery", gallery, "--encoder", FIRST))
    assert refused.code == 2
    assert NAME in refused.err


@pytest.mark.slow
def test_upgrade_from_the_first_encoder_and_back(
    galleries: dict[str, Path], photos: Photos, tmp_path: Path
) -> None:
    gallery = copied(galleries[FIRST], tmp_path)
    known, *others = photos_of(photos, "a")
    assert run(("enroll", gallery, "Ann", known)).code == 0
    for encoder in (NAME, FIRST):
        report = run(("upgrade", gallery, "--encoder", encoder, "--quiet", "--json")).json()
        assert report["upgraded"]
        assert report["faces"] == FACES
        np.testing.assert_allclose(
            vectors_of(gallery), vectors_of(galleries[encoder]), atol=2e-3, err_msg=encoder
        )
        assert run(("cluster", gallery, "--full", "--json")).json()["groups"] == 2
        faces = run(("identify", gallery, others[-1], "--json")).json()["faces"]
        assert [face["person"] for face in faces] == ["Ann"]


def test_users_join_encoders_too(tmp_path: Path, photos: Photos) -> None:
    added = run(
        ("encoders", "add", "mine", "--ensemble", SECOND, FIRST, "--share", "0.1", "--json")
    ).json()
    assert (added["name"], added["dimension"], added["input"]) == ("mine", 256, 150)
    both = photos_of(photos, "a", "b")
    words = ("index", *both, "--gallery", tmp_path / "g.gallery", "--encoder", "mine", "--quiet")
    assert run((*words, "--json")).json()["faces"] == 2 * len(both)
    assert "guesses" in run(("cluster", tmp_path / "g.gallery")).err
    listed = {each["name"]: each for each in run(("encoders", "--json")).json()}
    assert listed["mine"]["weights"] == "present"
    assert listed["mine"]["source"].startswith(f"{SECOND} and {FIRST}, with 0.1 and 0.9")
    assert run(("encoders", "remove", "mine")).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--ensemble", FIRST, SECOND), "expected --share"),
        (("--ensemble", FIRST, SECOND, "--share", "0.5", "--preset", "sface"), "no --preset"),
        (("--ensemble", FIRST, SECOND, "--share", "0.5", "--mean", "1"), "no --mean"),
        (("--ensemble", FIRST, FIRST, "--share", "0.5"), "two different encoders"),
        (("--ensemble", FIRST, SECOND, "--share", "1"), "above 0 and below 1"),
        (("--onnx", "none.onnx", "--share", "0.5"), "--share with --ensemble"),
        (("--onnx", "none.onnx", "--ensemble", FIRST, SECOND), "not allowed with"),
    ],
)
def test_mistakes_are_refused_in_words(words: tuple[str, ...], message: str) -> None:
    done = run(("encoders", "add", "mine", *words))
    assert done.code == 2
    assert message in done.err
