"""What a user is told without Ray, with options that do not fit, or a gallery in a bucket."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from facesearch.api.indexing import index_photos
from facesearch.cli.main import main
from facesearch.distributed.ray_runtime import RayOptions, import_ray, ray_cluster
from facesearch.errors import InputError
from facesearch.images.remote.objects import list_objects


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"facesearch\[ray\]"):
        import_ray()


def test_without_fsspec_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match=r"facesearch\[ray\]"):
        list(list_objects("s3://bucket/photos"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RayOptions(""), "address"),
        (RayOptions(workers=0), "expected workers"),
        (RayOptions(gpus=-1), "expected GPUs"),
    ],
)
def test_options_out_of_range(options: RayOptions, message: str) -> None:
    with pytest.raises(InputError, match=message), ray_cluster(options):
        pass


def test_a_gallery_in_a_bucket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bucket_gallery"):
        index_photos(tmp_path, "s3://bucket/my.gallery")


def test_worker_options_need_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = tmp_path / "g"
    code = main(["index", str(tmp_path), "--gallery", str(gallery), "--ray-workers", "2"])
    assert code == 2
    assert "--ray ADDRESS" in capsys.readouterr().err
    assert not gallery.exists()
