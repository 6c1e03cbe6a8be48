"""The commands end to end, with the real models, on the demo's photos."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from facesearch.demo import DemoTruth
from facesearch.gallery.gallery import Gallery
from indexer.storage.shards import Shard
from support.calls.commands import Done, run_command

COMMAND = (sys.executable, "-m", "facesearch.cli.main")


@dataclass(frozen=True)
class Demo:
    photos: Path
    gallery: Path
    truth: DemoTruth

    def photo_of(self, *people: str) -> Path:
        """The first photo that shows exactly ``people``."""
        names = (name for name, shown in self.truth.people.items() if shown == set(people))
        return self.photos / next(names)


def run(*words: object) -> Done:
    return run_command(words)


@pytest.fixture(scope="module")
def demo(demo_photos: tuple[Path, DemoTruth], tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Indexed by a process of its own, as users run it; later commands run in this one."""
    folder, truth = tmp_path_factory.mktemp("demo"), demo_photos[1]
    shutil.copytree(demo_photos[0], folder / "photos")
    words = ("index", folder / "photos", "--gallery", folder / "demo.gallery", "--json")
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["embedded"] == len(truth.people)
    assert report["failed"] == len(truth.unreadable)
    return Demo(folder / "photos", folder / "demo.gallery", truth)


@pytest.fixture
def copy(demo: Demo, tmp_path: Path) -> Demo:
    """The demo's gallery, to be changed at will."""
    shutil.copytree(demo.gallery, tmp_path / "demo.gallery")
    return Demo(demo.photos, tmp_path / "demo.gallery", demo.truth)


def test_every_person_is_found_and_nobody_else(demo: Demo) -> None:
    gallery = Gallery.open(demo.gallery)
    state = gallery.state()
    found: dict[str, int] = dict.fromkeys(demo.truth.people, 0)
    for face in gallery.faces(state.live_ids(), state):
        found[face.photo.name] += 1
    assert found == {name: len(people) for name, people in demo.truth.people.items()}


def test_index_again_does_nothing(copy: Demo) -> None:
    done = run("index", copy.photos, "--gallery", copy.gallery, "--json")
    report = done.json()
    assert report["unchanged"] == report["found"] and not report["shards"]


def test_search_finds_the_photo_itself_first(demo: Demo) -> None:
    photo = demo.photo_of("a")
    faces = run("search", demo.gallery, photo, "-k", "3", "--json").json()["faces"]
    assert len(faces) == 1
    best, second, third = faces[0]["matches"]
    assert best["photo"] == str(photo) and best["distance"] < 1e-4
    assert best["distance"] <= second["distance"] <= third["distance"]
    for match in (second, third):
        assert "a" in demo.truth.people[Path(match["photo"]).name]


def test_search_table_is_for_people(demo: Demo) -> None:
    done = run("search", demo.gallery, demo.photo_of("a", "b"), "-k", "2")
    assert len(re.findall(r"^face \d at ", done.out, re.MULTILINE)) == 2
    assert re.search(r"^ *rank +distance +person +photo$", done.out, re.MULTILINE)


def test_photo_without_a_face_is_said_to_be(demo: Demo) -> None:
    done = run("search", demo.gallery, demo.photo_of())
    assert (done.code, done.out) == (0, "") and "no face" in done.err


def test_verify_answers_by_exit_code(demo: Demo) -> None:
    names = [name for name, people in demo.truth.people.items() if people == {"a"}]
    same = run("verify", demo.photos / names[0], demo.photos / names[5])
    assert same.code == 0 and "same person" in same.out
    other = run("verify", demo.photo_of("a"), demo.photo_of("b"), "--json")
    assert other.code == 1 and other.json()["distance"] > other.json()["threshold"]


def test_enroll_identify_and_the_named_album(copy: Demo) -> None:
    assert run("identify", copy.gallery, copy.photo_of("a")).code == 2  # nobody enrolled yet
    done = run("enroll", copy.gallery, "Ann", copy.photo_of("a"))
    assert done.code == 0, done.err
    names = [name for name, people in copy.truth.people.items() if people == {"a"}]
    known = run("identify", copy.gallery, copy.photos / names[-1], "--json")
    assert known.code == 0
    assert [face["person"] for face in known.json()["faces"]] == ["Ann"]
    unknown = run("identify", copy.gallery, copy.photo_of("b"))
    assert unknown.code == 1 and "unknown" in unknown.out

    assert run("cluster", copy.gallery).code == 0
    report = run("report", copy.gallery, "--json").json()
    album = json.loads((copy.gallery / "report" / "album.json").read_text())
    (ann,) = [person for person in album["people"] if person["name"] == "Ann"]
    with_a = {name for name, people in copy.truth.people.items() if "a" in people}
    assert {face["photo"] for face in ann["faces"]} == with_a
    assert "Ann" in Path(report["report"]).read_text()

    photos = {path: path.read_bytes() for path in copy.photos.iterdir()}
    done = run("report", copy.gallery, "--xmp", "--xmp-beside", "--json")
    assert done.json()["sidecars"] == 2 * len(with_a) and not done.json()["sidecars_skipped"]
    apart = {path.name for path in (copy.gallery / "report" / "xmp").iterdir()}
    beside = {path.name for path in copy.photos.glob("*.xmp")}
    assert apart == beside == {f"{name}.xmp" for name in with_a}
    assert all(path.read_bytes() == data for path, data in photos.items())


def test_calibration_needs_strangers_to_learn_from(copy: Demo) -> None:
    assert run("enroll", copy.gallery, "Ann", copy.photo_of("a")).code == 0
    done = run("calibrate", copy.gallery, "--fpir", "0.05")
    assert done.code == 2 and "too few other people" in done.err
    assert "not calibrated" in run("info", copy.gallery).out
    assert run("calibrate", copy.gallery, "--fpir", "0.5").code == 2


def test_searches_for_a_folder_of_photos(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "matches.jsonl"
    done = run(
        "search", demo.gallery, "--probes", demo.photos, "-k", 1, "--out", out, "--quiet", "--json"
    )
    assert done.code == 0, done.err
    report, rows = done.json(), [json.loads(line) for line in out.read_text().splitlines()]
    assert report["matches"] == sum(map(len, demo.truth.people.values()))
    assert report["failed"] == len(demo.truth.unreadable)
    # Each photo is in the gallery, and its vectors there are of float16.
    found = [row for row in rows if not row["reason"]]
    assert all(row["match_photo"] == row["probe"] and row["distance"] < 1e-4 for row in found)
    again = run("search", demo.gallery, "--probes", demo.photos, "--out", out)
    assert again.code == 2 and "exists" in again.err


def test_graph_is_made_once(copy: Demo) -> None:
    facts = run("graph", copy.gallery, "-k", 3, "--json", "--quiet").json()
    assert facts["searched"] == facts["faces"] == 32 and Path(facts["file"]).exists()
    assert "up to date" in run("graph", copy.gallery, "-k", "3").out


def test_clusters_are_the_people(copy: Demo) -> None:
    facts = run("cluster", copy.gallery, "--json").json()
    assert (facts["groups"], facts["noise"]) == (2, 0)


def test_another_threshold_is_a_cut_and_other_linkages_need_one(copy: Demo) -> None:
    assert "saved merges" not in run("cluster", copy.gallery, "--json").json()["why"]
    again = run("cluster", copy.gallery, "--threshold", "0.12", "--json").json()
    assert "saved merges" in again["why"] and again["threshold"] == 0.12 and again["cut"] is True
    assert "give one with --threshold" in run("cluster", copy.gallery, "--linkage", "single").err
    for linkage in ("complete", "single"):
        words = ("--linkage", linkage, "--threshold", "0.2", "--json")
        facts = run("cluster", copy.gallery, *words).json()
        assert (facts["linkage"], facts["exact"], facts["graph"]) == (linkage, True, "all pairs")
        assert facts["groups"] >= 2


def test_a_face_of_low_quality_is_said_to_be_one(copy: Demo, tmp_path: Path) -> None:
    with Image.open(copy.photo_of("a")) as photo:
        upright = ImageOps.exif_transpose(photo).convert("RGB")
    noise = np.random.default_rng(0).normal(0, 40, (upright.height, upright.width, 3))
    pixels = np.clip(np.asarray(upright) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noisy.png")
    sharp = run("enroll", copy.gallery, "Ann", copy.photo_of("a"), "--json")
    assert "low quality" not in sharp.err
    assert sharp.json()["enrolled"][0]["quality"] > 0.5
    noisy = run("enroll", copy.gallery, "Ann", tmp_path / "noisy.png")
    assert noisy.code == 0 and "of low quality" in noisy.err
    assert run("info", copy.gallery, "--json").json()["faces_of_low_quality"] == 1
    found = run("search", copy.gallery, tmp_path / "noisy.png", "-k", "2", "--json").json()
    (face,) = found["faces"]
    assert face["quality"] < 0.3 and face["matches"][0]["quality"] < 0.3


def test_poor_faces_can_be_let_in_or_kept_out(copy: Demo) -> None:
    out = run("cluster", copy.gallery, "--min-quality", "1", "--json").json()
    assert (out["groups"], out["noise"], out["min_quality"]) == (0, out["faces"], 1)
    let_in = run("cluster", copy.gallery, "--min-quality", "0", "--json").json()
    assert (let_in["noise"], let_in["min_quality"]) == (0, 0)
    assert "0 to 1" in run("cluster", copy.gallery, "--min-quality", "2").err


def test_density_clusters_are_pure(copy: Demo) -> None:
    facts = run("cluster", copy.gallery, "--method", "hdbscan", "--json").json()
    assert facts["groups"] >= 2
    assert run("report", copy.gallery).code == 0
    album = json.loads((copy.gallery / "report" / "album.json").read_text())
    for person in album["people"]:
        shown = [copy.truth.people[face["photo"]] for face in person["faces"]]
        assert frozenset.intersection(*shown), "a group of two people"


def test_info_and_check(copy: Demo) -> None:
    facts = run("info", copy.gallery, "--json").json()
    assert facts["photos_failed"] == len(copy.truth.unreadable)
    assert {Path(each["photo"]).name for each in facts["failed"]} == copy.truth.unreadable
    assert run("check", copy.gallery).out.endswith("no problems found\n")
    path = next((copy.gallery / "shards").glob("*.h5"))
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"damage")
    done = run("check", copy.gallery)
    assert done.code == 1 and "DAMAGED" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("info", "nowhere"), "not a gallery"),
        (("index", "nowhere", "--gallery", "{tmp}/g"), "nowhere"),
        (("search", "{gallery}", "nowhere.jpg"), "nowhere.jpg"),
        (("cluster", "nowhere"), "not a gallery"),
        (("search", "{gallery}", "{photo}", "--detector", "x"), "YuNet"),
        (("verify", "{photo}", "nowhere.jpg"), "nowhere.jpg"),
        (("index", "{tmp}", "--gallery", "{tmp}"), "separate folder for the gallery"),
        (("enroll", "{tmp}/typo", "Ann", "{photo}"), "not a gallery"),
        (("enroll", "{gallery}", "Ann", "{tmp}"), "folder"),
        (("enroll", "{gallery}", " ", "{photo}"), "name"),
        (("search", "{gallery}"), "PHOTO, or both --probes DIR and --out FILE"),
        (("search", "{gallery}", "{photo}", "--probes", "{photo}"), "PHOTO, or both"),
        (("search", "{gallery}", "--probes", "{tmp}", "--out", "{tmp}/m.txt"), "*.jsonl"),
        (("search", "{gallery}", "--probes", "{tmp}/no", "--out", "{tmp}/m.csv"), "found nothing"),
        (("calibrate", "{gallery}"), "no person is enrolled"),
        (("graph", "{gallery}", "-k", "70000"), "k of 1 to 65535"),
        (("graph", "{gallery}", "--search-device", "cuda:99"), "'cuda:99'"),
    ],
)
def test_mistakes_are_one_clear_line(
    demo: Demo, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    places = {"tmp": tmp_path, "gallery": demo.gallery, "photo": demo.photo_of("a")}
    done = run(*(word.format(**places) for word in words))
    assert done.code == 2
    assert done.err.startswith("facesearch: ") and message in done.err
    assert "Traceback" not in done.err and len(done.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [], "a mistake left something behind"


def test_arguments_are_explained() -> None:
    done = run("search", "g", "p", "-k", "0")
    assert done.code == 2 and "expected a whole number above 0, got '0'" in done.err
    done = run("search", "g", "p", "--search-device", "gpu")
    assert done.code == 2 and "cuda:all, got 'gpu'" in done.err


def test_absurd_k_is_all_there_is(demo: Demo) -> None:
    done = run("search", demo.gallery, demo.photo_of("a"), "-k", "2000000000", "--json")
    assert len(done.json()["faces"][0]["matches"]) == 32


def test_enrolled_twice_by_links_is_one_face(copy: Demo, tmp_path: Path) -> None:
    link = tmp_path / "link.jpg"
    link.symlink_to(copy.photo_of("a"))
    done = run("enroll", copy.gallery, "Ann", copy.photo_of("a"), link, "--json")
    assert done.code == 0, done.err
    assert len({each["face_id"] for each in done.json()["enrolled"]}) == 1
    assert run("info", copy.gallery, "--json").json()["faces_named"] == 1


def test_report_of_an_older_clustering_says_so(copy: Demo, tmp_path: Path) -> None:
    assert run("cluster", copy.gallery).code == 0
    shutil.copy(copy.photo_of("b"), tmp_path / "new.jpg")
    with (tmp_path / "new.jpg").open("ab") as file:
        file.write(b"\0")  # other content, the same photo
    assert run("enroll", copy.gallery, "Bob", tmp_path / "new.jpg").code == 0
    done = run("report", copy.gallery)
    assert done.code == 0 and "1 face was added" in done.err


def test_gallery_without_faces_has_a_report(tmp_path: Path, demo: Demo) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(demo.photo_of(), tmp_path / "photos")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"")
    gallery = tmp_path / "g"
    for words in (("index", tmp_path / "photos", "--gallery", gallery), ("cluster", gallery)):
        assert run(*words).code == 0
    assert run("report", gallery).code == 0
    assert "broken.jpg" in (gallery / "report" / "index.html").read_text()
    done = run("search", gallery, demo.photo_of("a"))
    assert done.code == 2 and "no faces" in done.err


@pytest.mark.slow
def test_interrupted_job_keeps_what_it_did(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "i.gallery"
    job = subprocess.Popen(
        [*COMMAND, "index", str(demo.photos), "--gallery", str(folder), "--shard-photos", "4"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    wait_for_shards(folder, 1, job)
    job.send_signal(signal.SIGINT)
    _, err = job.communicate()
    if job.returncode != 0:  # it may have ended before the signal came
        assert job.returncode == 130
        assert b"interrupted" in err and b"Traceback" not in err
    assert run("index", demo.photos, "--gallery", folder).code == 0
    assert_same_galleries(demo.gallery, folder)


@pytest.mark.slow
def test_killed_job_resumes_to_the_same_rows(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "k.gallery"
    words = ("index", str(demo.photos), "--gallery", str(folder), "--shard-photos", "4")
    for sealed in (0, 1, 3, 5):
        job = subprocess.Popen(
            [*COMMAND, *words], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_for_shards(folder, sealed, job)
        job.kill()
        job.wait()
    assert run(*words).code == 0
    assert_same_galleries(demo.gallery, folder)
    assert run("check", folder).code == 0


def wait_for_shards(folder: Path, count: int, job: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 240
    while len(list((folder / "shards").glob("*.h5"))) < count and job.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_same_galleries(one: Path, other: Path) -> None:
    """Equal rows in equal order, whatever the division into shards."""
    for table in ("photos", "faces"):
        first, second = (all_columns(each, table) for each in (one, other))
        assert first.keys() == second.keys()
        rounded = {"norm", "quality"} if table == "faces" else set()
        for name in first.keys() - {"photo"} - rounded:
            assert np.array_equal(first[name], second[name]), name
        for name in rounded:  # the encoder's rounding depends on what shares its batch
            assert np.allclose(first[name], second[name], rtol=1e-4)
    states = [Gallery.open(each) for each in (one, other)]
    vectors = [gallery.vectors(gallery.state().live_ids()) for gallery in states]
    assert np.allclose(vectors[0], vectors[1], atol=1e-4)


def all_columns(folder: Path, table: str) -> dict[str, Any]:
    parts = []
    for path in Gallery.open(folder).shard_paths():
        with Shard.open(path) as shard:
            parts.append(shard.table(table))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
