"""Every copy of a photo counts, and photos on a drive that is not connected lose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from facesearch.api.clustering import gallery_album, write_sidecars
from facesearch.curation.editor import PeopleEditor
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.report.crops import prepare_pictures
from support.people_galleries import cluster, index, people_gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Ada is on photos 1-0 and 1-1; of the first there are copies, one in another root."""
    gallery = people_gallery(tmp_path, people=2, each=2)
    photos = tmp_path / "photos"
    for copy in (photos / "sub" / "copy.png", tmp_path / "backup" / "again.png"):
        copy.parent.mkdir()
        shutil.copy(photos / "1-0.png", copy)
    index(gallery, photos)
    index(gallery, tmp_path / "backup")
    PeopleStore(gallery.folder).enroll("Ada", [0, 1])
    cluster(gallery)
    return gallery


def test_each_copy_has_its_sidecar(gallery: Gallery, tmp_path: Path) -> None:
    done = write_sidecars(gallery_album(gallery))
    names = {
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*.xmp")
        if "Ada" in path.read_text()
    }
    assert names == {
        "photos/1-0.png.xmp", "photos/1-1.png.xmp", "photos/sub/copy.png.xmp",
        "backup/again.png.xmp",
    }  # fmt: skip
    assert done.written == 4 and done.skipped == ()
    write_sidecars(gallery_album(gallery), tmp_path / "out")
    assert len([*(tmp_path / "out").rglob("*.xmp")]) == 4


def test_a_copy_that_is_deleted_has_none(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "photos" / "sub" / "copy.png").unlink()
    index(gallery, tmp_path / "photos")
    assert write_sidecars(gallery_album(gallery)).written == 3


@pytest.mark.parametrize("text", ["1-0.png", "copy.png", "sub/copy.png", "again.png"])
def test_a_face_is_chosen_by_any_copy_of_its_photo(gallery: Gallery, text: str) -> None:
    editor = PeopleEditor(gallery)
    ada = editor.find("Ada")
    assert editor.pick(ada, [text]) == [0]
    with pytest.raises(InputError, match="expected a face of Ada"):
        editor.pick(ada, ["opy.png"])


def test_sidecars_of_photos_that_are_away_stay_while_their_names_are_right(
    gallery: Gallery, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write_sidecars(gallery_album(gallery), out)
    kept = {path: path.read_bytes() for path in out.rglob("*.xmp")}
    (tmp_path / "photos").rename(tmp_path / "unplugged")
    done = write_sidecars(gallery_album(gallery), out)
    assert {path: path.read_bytes() for path in out.rglob("*.xmp")} == kept
    assert {each.reason for each in done.skipped} == {"missing"} and done.removed == 0
    editor = PeopleEditor(gallery)
    editor.name(editor.find("Ada"), "Grace")
    write_sidecars(gallery_album(gallery), out)
    assert not [path for path in out.rglob("*.xmp") if "Ada" in path.read_text()]


def test_previews_of_photos_that_are_away_stay(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=1, each=1)
    photo = tmp_path / "photos" / "wide.tif"  # browsers show no TIFF
    Image.open(tmp_path / "photos" / "1-0.png").save(photo)
    (tmp_path / "photos" / "1-0.png").unlink()
    index(gallery, tmp_path / "photos")
    cluster(gallery)
    album = gallery_album(gallery)
    before = prepare_pictures(album.faces, tmp_path / "report", workers=0)
    assert [each[0] for each in before.previews] == [photo] and before.problems == {}
    made = {path: path.read_bytes() for path in (tmp_path / "report").rglob("*.jpg")}
    assert len(made) == 2
    photo.rename(tmp_path / "away.tif")
    after = prepare_pictures(album.faces, tmp_path / "report", workers=0)
    assert (after.crops, after.previews) == (before.crops, before.previews)
    assert {path: path.read_bytes() for path in (tmp_path / "report").rglob("*.jpg")} == made
    assert list(after.problems) == [photo]
