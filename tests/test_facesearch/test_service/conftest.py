"""What tests of the service have in common: a folder, a gallery in it, and its service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facesearch.gallery.gallery import Gallery
from facesearch.service.views import served_gallery
from support.serving.services import ServedTest, clustered_gallery, open_service, served
from support.serving.warm_jobs import warm_jobs


@pytest.fixture(autouse=True, scope="module")
def readers_wait_for_what_was_done() -> Iterator[None]:
    """Of what has just changed, a busy machine makes the next snapshot later than users wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served_gallery, "_PATIENCE", 10.0)
        yield


@pytest.fixture(autouse=True, scope="module")
def jobs_start_at_once() -> Iterator[None]:
    """Processes of jobs are forked: that they are started rightly is tested in ``test_jobs``."""
    with warm_jobs():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for the tests of a module."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    """Four people with three photos each."""
    return clustered_gallery(folder)


@pytest.fixture(scope="module")
def site(folder: Path, gallery: Gallery) -> Iterator[ServedTest]:
    """Its service, without a connection."""
    with served(open_service(folder, gallery)) as site:
        yield site
