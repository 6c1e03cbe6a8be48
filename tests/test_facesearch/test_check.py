"""Checks find what is broken, whatever it is, and never break themselves."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from facesearch.check import Finding, check_gallery
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import save_run
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.errors import GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.schema import SCHEMA
from facesearch.gallery.state_cache import FILE as STATE_FILE
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import build_index
from indexer.storage.shards import digest_path
from support.examples import examples
from support.fake_engine import FakeEngine
from support.galleries import (
    drop_column,
    drop_table,
    keep_rows,
    rewrite_shard,
    set_dtype,
    set_value,
    small_gallery,
)

COLUMNS = [(table, name) for table, columns in SCHEMA.items() for name in columns]
CHANGES = st.one_of(
    st.sampled_from(["photos", "faces"]).map(drop_table),
    st.sampled_from(COLUMNS).map(lambda key: drop_column(*key)),
    st.sampled_from(COLUMNS).map(lambda key: set_dtype(*key, "float64")),
    st.integers(0, 3).map(lambda rows: keep_rows("faces", rows)),
    st.integers(-(2**31), 2**31 - 1)
    .filter(lambda row: not -5 <= row < 5)
    .map(lambda row: set_value("faces", "photo", 0, row)),
    st.binary(max_size=70).map(lambda value: set_value("photos", "sha256", 0, value)),
    st.binary(max_size=9).map(lambda value: set_value("photos", "status", 0, value)),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """A gallery with everything in it: index, clusters, and a name for a face of every shard."""
    gallery = small_gallery(tmp_path_factory.mktemp("whole"))
    state = gallery.state()
    build_index(gallery)
    save_run(gallery, run_clustering(gallery, state, ClusterOptions("agglomerative", 0.3)))
    PeopleStore(gallery.folder).enroll("Ann", [number << 32 for number in state.live])
    return gallery


@pytest.fixture
def gallery(whole: Gallery, tmp_path: Path) -> Gallery:
    return Gallery.open(shutil.copytree(whole.folder, tmp_path / "my.gallery"))


def severe(findings: list[Finding], subject: str) -> list[str]:
    return [each.problem for each in findings if each.severe and each.subject == subject]


def test_nothing_is_found_where_all_is_well(gallery: Gallery) -> None:
    assert check_gallery(gallery) == []


@given(change=CHANGES, number=st.integers(0, 1))
@examples(12, 25)
def test_broken_tables_are_severe(whole: Gallery, change: object, number: int) -> None:
    with TemporaryDirectory() as folder:
        gallery = Gallery.open(shutil.copytree(whole.folder, Path(folder) / "g"))
        path = gallery.shard_paths()[number]
        rewrite_shard(path, change)  # type: ignore[arg-type]
        assert severe(check_gallery(gallery), path.name)


FILES = (
    *(f"shards/{number:08d}.h5{ending}" for number in range(3) for ending in ("", ".sha256")),
    *("gallery.json", "people.sqlite", "next-shard", "state.h5", "lock"),
    *("index/index.json", "index/flat-*.faiss", "index/flat-*.faiss.verified"),
    *("clusters/000000.h5", "clusters/merges.h5"),
)
PLACES = st.integers(-20_000, 20_000)
DAMAGES = st.one_of(
    st.just(("delete", 0, b"")),
    st.just(("folder", 0, b"")),
    st.tuples(st.just("cut"), PLACES, st.just(b"")),
    st.tuples(st.just("overwrite"), PLACES, st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("content"), st.just(0), st.binary(max_size=200)),
)


def test_every_file_of_a_gallery_is_among_those_damaged(whole: Gallery) -> None:
    there = {path for path in whole.folder.rglob("*") if path.is_file()}
    assert {path for name in FILES for path in whole.folder.glob(name)} == there


@given(name=st.sampled_from(FILES), damage=DAMAGES)
@examples(25, 50)
@example(name="shards/00000000.h5.sha256", damage=("cut", -1, b""))  # only its line feed is gone
@example(name="shards/00000000.h5.sha256", damage=("cut", -2, b""))
@example(name="shards/00000000.h5.sha256", damage=("overwrite", 64, b"\t"))
def test_damaged_files_are_found_and_end_nothing(
    whole: Gallery, name: str, damage: tuple[str, int, bytes]
) -> None:
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(whole.folder, Path(folder) / "g"))
        (path,) = copy.glob(name)
        before, after = path.read_bytes(), _damage(path, *damage)
        if after == before:
            return
        try:
            gallery = Gallery.open(copy)
        except GalleryError:
            assert path.name == "gallery.json"
            return
        findings = check_gallery(gallery)
        if path.suffix == ".sha256" and after == before.removesuffix(b"\n"):
            assert findings == []  # it says all that it said
        elif path.parent.name == "shards":
            assert any(each.severe for each in findings)
        if path.parent.name in ("index", "clusters"):
            assert not any(each.severe for each in findings)


def _damage(path: Path, kind: str, place: int, piece: bytes) -> bytes | None:
    """Break a file at a byte, counted from its end where negative; what it then holds."""
    before = path.read_bytes()
    place = max(place + len(before), 0) if place < 0 else place % (len(before) + 1)
    path.unlink()
    if kind == "folder":
        path.mkdir()
    if kind in ("delete", "folder"):
        return None
    after = {
        "cut": before[:place],
        "overwrite": before[:place] + piece + before[place + len(piece) :],
        "content": piece,
    }[kind]
    path.write_bytes(after)
    return after


@pytest.fixture
def kept(gallery: Gallery) -> Gallery:
    """The gallery with a state.h5."""
    with gallery.writing():
        gallery.state()
    assert check_gallery(gallery) == []
    return gallery


@pytest.mark.parametrize("key", ["newest", "holder", "faces", "photos/size"])
def test_a_state_that_says_other_than_the_shards_is_found(kept: Gallery, key: str) -> None:
    with h5py.File(kept.folder / STATE_FILE, "r+") as file:
        file[key][0] = 1 - file[key][0]
    found = kept.state().log
    assert not found.equals(kept.state(ignore_cache=True).log)
    (finding,) = check_gallery(kept)
    assert (finding.subject, finding.severe) == (STATE_FILE, False)
    assert "does not agree with the shards" in finding.problem


def test_a_state_that_cannot_be_used_is_found(kept: Gallery) -> None:
    (kept.folder / STATE_FILE).write_bytes(b"no HDF5")
    (finding,) = check_gallery(kept)
    assert (finding.subject, finding.severe) == (STATE_FILE, False)
    assert "cannot be used" in finding.problem


def test_names_in_missing_shards_are_severe(gallery: Gallery) -> None:
    path = gallery.shard_paths()[1]
    path.unlink()
    digest_path(path).unlink()
    (problem,) = severe(check_gallery(gallery), "people.sqlite")
    assert "1 named face in missing shards (00000001.h5)" in problem


def test_names_in_missing_shards_are_found_beside_a_broken_one(gallery: Gallery) -> None:
    first, second, *_ = gallery.shard_paths()
    first.unlink()
    rewrite_shard(second, drop_table("photos"))
    findings = check_gallery(gallery)
    assert severe(findings, "people.sqlite") and severe(findings, second.name)


def test_names_of_photos_that_are_gone_are_only_a_note(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    PeopleStore(gallery.folder).enroll("Ann", gallery.state().live_ids()[-1:].tolist())
    (tmp_path / "photos" / "11.png").unlink()
    options = EmbedOptions(decoders=0, threads=1)
    embed_photos(gallery, FakeEngine(), [tmp_path / "photos"], options)  # type: ignore[arg-type]
    build_index(gallery)
    (finding,) = check_gallery(gallery)
    assert (finding.subject, finding.severe) == ("people.sqlite", False)
    assert "1 named face of deleted photos" in finding.problem


def test_copies_whose_faces_were_in_a_missing_shard_are_severe(gallery: Gallery) -> None:
    # copy.png has the content of 00.png, which is in the first shard, and is in the last itself.
    gallery.shard_paths()[0].unlink()
    (problem,) = severe(check_gallery(gallery), "shards")
    assert "1 photo with faces in missing shards" in problem


def test_stale_index_comes_with_the_command(gallery: Gallery) -> None:
    (gallery.folder / "index" / "index.json").write_text("{}")
    (finding,) = check_gallery(gallery)
    assert finding.subject == "index" and f"facesearch build {gallery.folder}" in finding.problem


def test_no_shards_folder_is_a_finding_or_an_empty_gallery(gallery: Gallery) -> None:
    shutil.rmtree(gallery.shards_folder)
    assert any(each.severe for each in check_gallery(gallery))


def test_a_spoilt_note_of_shard_numbers_is_severe(gallery: Gallery) -> None:
    (gallery.folder / "next-shard").write_text("some")
    assert "next-shard" in severe(check_gallery(gallery), "next-shard")[0]


def test_unexpected_errors_are_findings_too(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Gallery, *, ignore_cache: bool) -> None:
        raise np.exceptions.AxisError("no such axis")

    monkeypatch.setattr(Gallery, "state", broken)
    (finding,) = check_gallery(gallery)
    assert finding.severe and "AxisError: no such axis" in finding.problem
