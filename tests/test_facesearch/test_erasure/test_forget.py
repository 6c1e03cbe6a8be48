"""What is forgotten is gone: from every answer at once, from every byte on the disk, for good."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesearch.check import check_gallery
from facesearch.cli.main import main
from facesearch.clustering.dendrogram_cache import dendrogram_path
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import latest_run, run_at, run_paths, save_run
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.erasure import forget as forget_module
from facesearch.erasure.forget import ForgetReport, Selection, forget, lift
from facesearch.errors import ChangedGalleryError, InputError
from facesearch.gallery.face_table import FaceTable
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.state_cache import FILE as STATE_FILE
from facesearch.gallery.tombstones import Tombstone, Tombstones
from facesearch.images.walk.left_out import REPORT_MARKER
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import build_index, load_index, refresh_index
from facesearch.search.knn_graph import refresh_graph
from indexer.exact.brute_force import exact_search
from indexer.storage.atomic_files import sha256_of
from indexer.storage.shards import Shard
from indexer.types import Ids
from support.fake_engine import DIMENSION, FakeEngine, write_photo
from support.made_folders import MadeFolder
from support.search import require_equal, search_gallery

ENGINE: Any = FakeEngine()
OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=5)
GONE = 2  # the first face of photo 01, which is named
CLUSTERED = 8  # of the same person as GONE, as the last clustering has it


def index_photos(gallery: Gallery) -> None:
    embed_photos(gallery, ENGINE, [gallery.folder.parent / "photos"], OPTIONS)


def photo(gallery: Gallery, name: str) -> Path:
    return gallery.folder.parent / "photos" / name


def full_gallery(folder: Path, dtype: Any = "float16") -> Gallery:
    """Two shards, and all that is derived from them."""
    for number in range(7):
        write_photo(folder / "photos" / f"{number:02d}.png", [1 + number % 3, 6], variant=number)
    gallery = Gallery.create(folder / "my.gallery", ENGINE.contract, dtype)
    index_photos(gallery)
    state = gallery.state()
    build_index(gallery)
    PeopleStore(gallery.folder).enroll("Annabel Lee", [GONE])
    PeopleStore(gallery.folder).enroll("Bob", [0, 4])
    save_run(gallery, run_clustering(gallery, state, ClusterOptions("agglomerative", 0.3)))
    save_run(gallery, run_clustering(gallery, state, ClusterOptions("hdbscan", 0.3)))
    refresh_graph(gallery, 3)
    report = gallery.folder / "report"
    (report / "crops").mkdir(parents=True)
    for name in (REPORT_MARKER, "index.html", "album.json", "crops/1.jpg"):
        (report / name).write_bytes(b"x" + gallery.vectors(state.live_ids()).tobytes())
    return gallery


@pytest.fixture(scope="module", params=["float16", "float32"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MadeFolder:
    folder = tmp_path_factory.mktemp("full")
    return MadeFolder(folder, lambda place: full_gallery(place, request.param))


@pytest.fixture
def gallery(made: MadeFolder) -> Gallery:
    return Gallery.open(made.fresh() / "my.gallery")


def require_without(gallery: Gallery, gone: Ids, ids_before: Ids, vectors_before: Any) -> None:
    """Everything but ``gone`` is as it was; those are in no answer and in no file."""
    state = gallery.state()
    kept = ~np.isin(ids_before, gone)
    assert state.live_ids().tolist() == ids_before[kept].tolist()
    np.testing.assert_array_equal(gallery.vectors(ids_before[kept]), vectors_before[kept])
    found = search_gallery(gallery, state, vectors_before, 99)
    require_equal(found, exact_search(gallery.blocks(state), vectors_before, found.ids.shape[1]))
    assert not np.isin(gone, found.ids).any()
    assert load_index(gallery, state).coverage.base == kept.sum()
    for path in run_paths(gallery):
        assert not np.isin(gone, run_at(path).clustering.ids).any()
    assert not dendrogram_path(gallery).exists()
    assert latest_run(gallery).clustering.ids.tolist() == ids_before[kept].tolist()
    assert not np.isin(gone, PeopleStore(gallery.folder).memberships().ids).any()
    for vector in vectors_before[~kept]:
        require_no_bytes(gallery, vector)
    assert not [each for each in check_gallery(gallery) if each.severe]


def require_no_bytes(gallery: Gallery, vector: Any) -> None:
    needles = [vector.astype(dtype).tobytes() for dtype in ("<f2", "<f4", "<f8")]
    for path in gallery.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for needle in needles:
            # Half of it would be enough to know a face by.
            for part in (needle, needle[: len(needle) // 2], needle[len(needle) // 2 :]):
                assert part not in content, path


def before(gallery: Gallery) -> tuple[Ids, Any]:
    ids = gallery.state().live_ids()
    return ids, gallery.vectors(ids)


def test_the_bytes_are_looked_for_rightly(gallery: Gallery) -> None:
    with pytest.raises(AssertionError):
        require_no_bytes(gallery, before(gallery)[1][0])


@pytest.mark.parametrize(
    ("select", "gone"),
    [
        (lambda gallery: Selection(ids=(GONE, (1 << 32) | 3)), [GONE, (1 << 32) | 3]),
        (lambda gallery: Selection(photos=(photo(gallery, "01.png"),)), [2, 3]),
        (lambda gallery: Selection(people=(" Annabel  Lee",)), [GONE, CLUSTERED]),
        (lambda gallery: Selection(ids=(0,), people=("Annabel Lee", "Bob")), [0, 2, 4, CLUSTERED]),
    ],
)
def test_forgotten_faces_are_gone(
    gallery: Gallery, select: Callable[[Gallery], Selection], gone: list[int]
) -> None:
    ids, vectors = before(gallery)
    report = forget(gallery, select(gallery))
    assert report.faces == len(gone) and report.removed == ["graph.h5", "merges.h5", "report"]
    assert report.named == len({0, GONE, 4} & set(gone)) and report.clusterings == 2
    require_without(gallery, np.array(gone), ids, vectors)
    if GONE in gone:
        content = (gallery.folder / "people.sqlite").read_bytes()
        assert b"Annabel" not in content and (b"Bob" in content) == (4 not in gone)


def test_indexing_again_brings_nothing_back(gallery: Gallery) -> None:
    ids, vectors = before(gallery)
    forget(gallery, Selection(ids=(GONE,)))
    moved = photo(gallery, "moved.png")
    photo(gallery, "01.png").rename(moved)
    shutil.copy(moved, photo(gallery, "copy.png"))
    index_photos(gallery)
    require_without(gallery, np.array([GONE]), ids, vectors)


def test_a_lost_shard_brings_nothing_back_either(gallery: Gallery) -> None:
    vectors = before(gallery)[1]
    forget(gallery, Selection(ids=(GONE,)))
    gallery.shard_paths()[0].unlink()
    index_photos(gallery)
    state = gallery.state()
    assert state.face_count == 13
    require_no_bytes(gallery, vectors[2])


def test_lifting_makes_the_photo_new(gallery: Gallery) -> None:
    _, vectors = before(gallery)
    forget(gallery, Selection(ids=(GONE, 4)))
    digest = bytes.fromhex(sha256_of(photo(gallery, "01.png")))
    assert digest in (gallery.folder / STATE_FILE).read_bytes()
    report = lift(gallery, [photo(gallery, "01.png")])
    assert digest not in (gallery.folder / STATE_FILE).read_bytes()
    assert (report.faces, report.shards) == (0, 1)
    assert gallery.state().face_count == 11
    require_no_bytes(gallery, vectors[3])
    index_photos(gallery)
    state = gallery.state()
    new = state.live_ids()[-2:]
    assert (new >> 32).tolist() == [2, 2] and state.face_count == 13
    np.testing.assert_array_equal(gallery.vectors(new), vectors[2:4])
    assert check_gallery(gallery)[0].subject != "shards"
    # Of the other photo nothing comes back, and the photo lifted can be forgotten once more.
    require_no_bytes(gallery, vectors[4])
    assert forget(gallery, Selection(photos=(photo(gallery, "01.png"),))).faces == 2
    require_no_bytes(gallery, vectors[2])


def test_what_a_shard_may_lose_is_in_no_other_file_before(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (gallery.folder / STATE_FILE).exists()

    def crash(*_: object) -> None:
        assert not (gallery.folder / STATE_FILE).exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(forget_module, "replace_shard", crash)
    with pytest.raises(KeyboardInterrupt):
        lift(gallery, [photo(gallery, "01.png")])
    assert not (gallery.folder / STATE_FILE).exists()


def test_forgetting_twice_does_nothing_more(gallery: Gallery) -> None:
    forget(gallery, Selection(ids=(GONE,)))
    assert forget(gallery, Selection(ids=(GONE,))) == ForgetReport()
    assert forget(gallery) == ForgetReport()


def test_faces_of_photos_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    gallery = full_gallery(tmp_path)
    vectors = before(gallery)[1]
    photo(gallery, "01.png").unlink()
    # What is at another place now is not what is at this one.
    photo(gallery, "02.png").rename(photo(gallery, "moved.png"))
    write_photo(photo(gallery, "02.png"), [9], variant=77)
    index_photos(gallery)
    places = (photo(gallery, "01.png"), photo(gallery, "02.png"))
    assert forget(gallery, Selection(photos=places)).faces == 3
    for row in (2, 3):
        require_no_bytes(gallery, vectors[row])
    assert {4, 5} <= set(gallery.state().live_ids().tolist())


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(ids=(14,)), "no face 14"),
        (Selection(ids=(7 << 32,)), f"no face {7 << 32}"),
        (Selection(ids=(-1,)), "no face -1"),
        (
            Selection(people=("Zoe",)),
            "no person in this gallery is named 'Zoe'; named people: Annabel Lee",
        ),
        (Selection(photos=(Path("/nowhere.png"),)), "no photo /nowhere.png"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, selection: Selection, message: str) -> None:
    gallery = full_gallery(tmp_path)
    with pytest.raises(InputError, match=message):
        forget(gallery, selection)
    assert gallery.state().face_count == 14


@pytest.mark.parametrize("stride", [18, pytest.param(3, marks=pytest.mark.slow)])
def test_a_crash_at_any_moment_leaves_nothing_to_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    whole = full_gallery(tmp_path)
    ids, vectors = before(whole)
    gone = np.array([GONE, (1 << 32) | 1])
    counted = count_steps(whole, tmp_path / "copy-counted", gone, monkeypatch)
    assert counted > 10
    for step in sorted({*range(4), *range(4, counted, stride), counted - 1}):
        gallery = Gallery.open(Path(shutil.copytree(whole.folder, tmp_path / f"copy-{step}")))
        with monkeypatch.context() as patch, pytest.raises(InterruptedError):
            crash_at(step, patch)
            forget(gallery, Selection(ids=tuple(gone.tolist())))
        state = gallery.state()
        assert state.live_ids().tolist() in (ids.tolist(), np.setdiff1d(ids, gone).tolist())
        found = search_gallery(gallery, state, vectors, 99)
        assert set(found.ids[0].tolist()) == set(state.live_ids().tolist())
        nothing_yet = len(state.live_ids()) == len(ids)
        forget(gallery, Selection(ids=tuple(gone.tolist())) if nothing_yet else Selection())
        refresh_index(gallery)
        require_without(gallery, gone, ids, vectors)


def count_steps(whole: Gallery, copy: Path, gone: Ids, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many calls change what is on the disk."""
    shutil.copytree(whole.folder, copy)
    with monkeypatch.context() as patch:
        calls = crash_at(10**6, patch)
        forget(Gallery.open(copy), Selection(ids=tuple(gone.tolist())))
    return next(calls)


def crash_at(step: int, patch: pytest.MonkeyPatch) -> Iterator[int]:
    """Fail at the ``step``-th call that changes what is on the disk, and at all after it."""
    calls = count()

    def failing(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if "copy-" in str(args[0]) and next(calls) >= step:
                raise InterruptedError(args[0])
            return call(*args, **kwargs)

        return wrapped

    patch.setattr(Path, "replace", failing(Path.replace))
    patch.setattr(Path, "unlink", failing(Path.unlink))
    patch.setattr(shutil, "rmtree", failing(shutil.rmtree))
    return calls


def test_readers_of_an_older_state_are_reported(gallery: Gallery) -> None:
    ids, vectors = before(gallery)
    state = gallery.state()
    forget(gallery, Selection(ids=(GONE,)))
    (gallery.folder / "index" / "index.json").unlink()
    for ask in (
        lambda: search_gallery(gallery, state, vectors, 3),
        lambda: gallery.vectors(ids),
        lambda: gallery.faces(ids, state),
        lambda: FaceTable.read(gallery, state),
    ):
        with pytest.raises(ChangedGalleryError, match="ask again"):
            ask()


def test_forgotten_rows_hold_nothing(gallery: Gallery) -> None:
    forget(gallery, Selection(ids=(GONE,)))
    with Shard.open(gallery.shard_paths()[0]) as shard:
        assert shard.vectors()[GONE].tolist() == [1.0] + [0.0] * (DIMENSION - 1)
        assert shard.verify() == []
        faces = shard.table("faces")
        assert faces.pop("photo")[GONE] == ~1
        assert not any(np.any(values[GONE]) for values in faces.values())


def test_nothing_of_a_name_is_left_in_free_pages(tmp_path: Path) -> None:
    people = PeopleStore(tmp_path)
    for number in range(200):
        people.enroll(f"Somebody {number:04d}", [number])
    assert people.forget(np.arange(1, 200)) == 199
    content = (tmp_path / "people.sqlite").read_bytes()
    assert content.count(b"Somebody") == 1
    assert people.memberships().by_id() == {0: "Somebody 0000"}
    assert [each.name for each in tmp_path.iterdir()] == ["people.sqlite"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = full_gallery(tmp_path)
    words = ["forget", str(gallery.folder)]
    shown = str(photo(gallery, "01.png"))
    assert main([*words, "--photo", shown, "--face", "0", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["faces"], printed["named"], printed["shards"]) == (3, 2, 1)
    assert main(["info", str(gallery.folder), "--json"]) == 0
    coverage = json.loads(capsys.readouterr().out)["index"]["coverage"]
    assert coverage == {"base": 11, "hidden": 0, "fresh": 0}
    assert main([*words, "--person", "Bob"]) == 0
    assert capsys.readouterr().out.startswith("1 face forgotten, 1 of them named\n")
    assert main([*words, "--lift", shown]) == 0
    assert "next facesearch index treats these photos as new" in capsys.readouterr().out
    assert main([*words, "--lift", shown, "--face", "2"]) == 2
    assert "either --lift or faces" in capsys.readouterr().err


def test_info_tells_of_hidden_and_fresh_faces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = full_gallery(tmp_path)
    photo(gallery, "01.png").unlink()
    write_photo(photo(gallery, "new.png"), [9], variant=77)
    index_photos(gallery)
    main(["info", str(gallery.folder)])
    assert (
        "92.3% of the faces; 1 newer one searched separately; 2 deleted ones skipped"
        in capsys.readouterr().out
    )
    (problem,) = (each.problem for each in check_gallery(gallery) if each.subject == "index")
    assert problem.startswith(
        "out of date: 1 new face searched separately, 2 deleted faces skipped"
    )


def test_unfinished_work_is_found_by_check(tmp_path: Path) -> None:
    gallery = full_gallery(tmp_path)
    Tombstones([Tombstone(GONE, "a" * 64, (0, 0, 1, 1))]).write(gallery.folder)
    (problem,) = (each.problem for each in check_gallery(gallery) if each.severe)
    assert f"to delete them, run: facesearch forget {gallery.folder}" in problem
    forget(gallery)
    assert not [each for each in check_gallery(gallery) if each.severe]
