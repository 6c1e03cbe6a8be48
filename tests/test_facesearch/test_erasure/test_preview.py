"""What a preview showed is what is forgotten, or nothing is."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.api.clustering import gallery_album, write_sidecars
from facesearch.api.maintenance import forget_faces
from facesearch.cli.main import main
from facesearch.curation.editor import PeopleEditor
from facesearch.erasure.forget import Selection, forget, preview
from facesearch.errors import ChangedGalleryError, InputError
from facesearch.gallery.gallery import Gallery
from support.fake_engine import write_photo
from support.people_galleries import index
from support.serving.services import named_gallery

ADA = ("Ada",)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Ada has the faces 0, 1 and 2, Ben 3, 4 and 5; two more people have no name."""
    return named_gallery(tmp_path)


def add_a_face(gallery: Gallery) -> None:
    editor = PeopleEditor(gallery)
    editor.add(editor.find("Ada"), [9])


def swap_a_face(gallery: Gallery) -> None:
    """As many faces as before, but others."""
    editor = PeopleEditor(gallery)
    editor.add(editor.find("Ada"), [9])
    editor = PeopleEditor(gallery)
    editor.add(editor.find("Ben"), [0])


def name_another_so(gallery: Gallery) -> None:
    """The name goes to others; the faces that were shown stay with who had it."""
    editor = PeopleEditor(gallery)
    editor.name(editor.find("Ada"), "Eve")
    editor = PeopleEditor(gallery)
    editor.name(editor.find("p3"), "Ada")


def lose_a_face(gallery: Gallery) -> None:
    forget(gallery, Selection(ids=(1,)))


CHANGES = [add_a_face, swap_a_face, name_another_so, lose_a_face]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_since_is_refused(gallery: Gallery, change: Callable[[Gallery], None]) -> None:
    shown = preview(gallery, Selection(people=ADA))
    assert shown.faces == 3 and shown.digest
    change(gallery)
    before = gallery.state().live_ids().tolist(), (gallery.folder / "people.sqlite").read_bytes()
    with pytest.raises(ChangedGalleryError, match="nothing was deleted") as caught:
        forget(gallery, Selection(people=ADA), previewed=shown.digest)
    now = preview(gallery, Selection(people=ADA))
    assert str(now.faces) in str(caught.value) and shown.digest in str(caught.value)
    after = gallery.state().live_ids().tolist(), (gallery.folder / "people.sqlite").read_bytes()
    assert before == after
    assert forget(gallery, Selection(people=ADA), previewed=now.digest).faces == now.faces


def test_what_is_as_it_was_shown_is_forgotten(gallery: Gallery) -> None:
    shown = preview(gallery, Selection(people=ADA, ids=(6,)))
    editor = PeopleEditor(gallery)
    editor.hide(editor.find("Ben"))  # what has nothing to do with it
    write_photo(gallery.folder.parent / "photos" / "late.png", [7], 99)
    index(gallery, gallery.folder.parent / "photos")
    done = forget(gallery, Selection(people=ADA, ids=(6,)), previewed=shown.digest)
    assert (done.faces, done.digest) == (4, None)
    assert {0, 1, 2, 6}.isdisjoint(gallery.state().live_ids().tolist())


@given(
    st.sets(st.integers(0, 11), min_size=1, max_size=5),
    st.sets(st.integers(0, 11), min_size=1, max_size=5),
)
def test_digests_are_equal_where_faces_are(
    tmp_path_factory: pytest.TempPathFactory, one: set[int], other: set[int]
) -> None:
    gallery = _kept(tmp_path_factory)
    digests = [preview(gallery, Selection(ids=tuple(each))).digest for each in (one, other)]
    assert (digests[0] == digests[1]) == (one == other)


_made: list[Gallery] = []


def _kept(factory: pytest.TempPathFactory) -> Gallery:
    """One gallery for all examples, none of which changes it."""
    if not _made:
        _made.append(named_gallery(factory.mktemp("digests")))
    return _made[0]


def test_new_sidecars_are_noticed(gallery: Gallery) -> None:
    shown = preview(gallery, Selection(people=ADA))
    assert shown.sidecars == []
    write_sidecars(gallery_album(gallery))
    assert (gallery.folder.parent / "photos" / "1-0.png.xmp").exists()
    with pytest.raises(ChangedGalleryError):
        forget(gallery, Selection(people=ADA), previewed=shown.digest)


def test_a_digest_is_text(gallery: Gallery) -> None:
    with pytest.raises(InputError, match="digest of a preview"):
        forget_faces(gallery, ids=[0], previewed=7)  # type: ignore[arg-type]


class Answers(io.StringIO):
    """A terminal at which somebody thinks while something happens."""

    def __init__(self, gallery: Gallery, happens: Callable[[Gallery], None] | None) -> None:
        super().__init__("y\n")
        self._gallery, self._happens = gallery, happens

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> str:
        if self._happens is not None:
            self._happens(self._gallery)
        return super().readline()


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_who_confirms_deletes_what_was_shown(
    gallery: Gallery,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    change: Callable[[Gallery], None] | None,
) -> None:
    monkeypatch.setattr("sys.stdin", Answers(gallery, change))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    code = main(["forget", str(gallery.folder), "--person", "Ada"])
    printed = capsys.readouterr()
    assert "3 faces would be deleted for good" in printed.err
    if change is None:
        assert code == 0 and printed.out.startswith("3 faces forgotten, 3 of them named\n")
        assert gallery.state().face_count == 9
    else:
        assert code == 2 and "have changed since" in printed.err
        assert gallery.state().face_count == (11 if change is lose_a_face else 12)


def test_the_digest_of_a_dry_run_is_for_the_command(
    gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["forget", str(gallery.folder), "--person", "Ada"]
    assert main([*words, "--dry-run", "--json"]) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]
    assert main([*words, "--dry-run"]) == 0
    assert re.search(r"--previewed ([0-9a-f]{16})$", capsys.readouterr().out, re.M)[1] == digest  # type: ignore[index]
    add_a_face(gallery)
    assert main([*words, "--previewed", digest]) == 2
    assert "4 faces" in capsys.readouterr().err
    assert main([*words, "--dry-run", "--json"]) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]
    assert main([*words, "--previewed", digest, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["faces"] == 4
