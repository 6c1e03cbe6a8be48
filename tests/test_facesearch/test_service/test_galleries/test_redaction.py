"""Where files lie is shown to who administers, and to nobody else."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.service.jobs.child_process import JobOutcome
from facesearch.service.jobs.job import JobProgress
from facesearch.service.redaction import without_paths, without_places
from support.serving.services import ROLES, clustered_gallery, open_service, served

API = "/api/v1"
PLACES = {
    "/srv/my photos": "",
    "/srv/my photos/new": "new/",
    "/srv/faces/my.gallery": "my/",
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /srv/my photos/2019/a b.jpg: empty", "cannot read 2019/a b.jpg: empty"),
        ("cannot read '/srv/my photos/new/a.jpg'", "cannot read 'new/a.jpg'"),
        ("no folder /srv/my photos", "no folder my photos"),
        ("no folder /srv/my photos/new", "no folder new"),
        ("/srv/faces/my.gallery/people.sqlite is locked", "my/people.sqlite is locked"),
        ("run: facesearch cluster /srv/faces/my.gallery.", "run: facesearch cluster my."),
        ("/srv/faces/my.gallery-old/x", "x"),
        ("OSError(/etc/secrets/key.pem, 5)", "OSError(key.pem, 5)"),
        ("see file:/opt/models/a.onnx", "see file:a.onnx"),
        ("of 3/4 and a/b", "of 3/4 and a/b"),
        ("read https://example.org/docs/a", "read https://example.org/docs/a"),
        ("a/ b / c", "a/ b / c"),
        ("/", "/"),
        ("/tmp", "tmp"),
    ],
)
def test_texts(text: str, shown: str) -> None:
    assert without_paths(text, PLACES) == shown


def test_values_of_json() -> None:
    value = {"n": 3, "x": None, "t": True, "deep": [{"at": "/srv/my photos/a.jpg"}], "f": 0.5}
    shown = {"n": 3, "x": None, "t": True, "deep": [{"at": "a.jpg"}], "f": 0.5}
    assert without_paths(value, PLACES) == shown


NAMES = st.text(string.ascii_letters + string.digits + "_.-é", min_size=1, max_size=8)


@given(folders=st.lists(NAMES, min_size=1, max_size=4), file=NAMES, words=st.text(max_size=20))
def test_no_folder_is_left_of_a_path(folders: list[str], file: str, words: str) -> None:
    path = "/" + "/".join([*(f"folder-{each}" for each in folders), file])
    for text in (f"{words} {path}", f"'{path}' {words}", f"({path}), {words}", f"{path}: {words}"):
        assert "folder-" not in without_paths(text, {})


def test_places_with_letters_that_patterns_know() -> None:
    places = {"/srv/a+b (1)[x]": "\\1/", "/srv/a": "a/"}
    assert without_places("/srv/a+b (1)[x]/y and /srv/a+b (1)[x]", places) == "\\1/y and \\1"


@pytest.mark.parametrize("role", ROLES)
def test_jobs_by_role(tmp_path: Path, role: Any) -> None:
    gallery = clustered_gallery(tmp_path)
    photos = tmp_path / "photos"
    with served(open_service(tmp_path, gallery)) as site:
        site.service.galleries[0].refresh()
        job = site.service.jobs._store.add(
            "my", "index", "ada", {"roots": [str(tmp_path / "other")]}
        )
        problem = {
            "title": "The job failed", "status": 409, "code": "failed",
            "detail": f"cannot read {photos}/1-0.png, {tmp_path}/other/x.png, "
            f"{gallery.folder}/lock and /etc/hosts",
        }  # fmt: skip
        site.service.jobs._end(job, JobOutcome(problem=problem))
        headers = site.as_role(role)
        shown = site.client.get(f"{API}/jobs/{job.key}", headers=headers).json()
        (listed,) = site.client.get(f"{API}/jobs", headers=headers).json()["jobs"]
        assert listed == shown
        if role == "administer":
            assert shown["problem"]["detail"] == problem["detail"]
        else:
            assert str(tmp_path) not in json.dumps(shown)
            assert shown["problem"]["detail"] == "cannot read 1-0.png, x.png, my/lock and hosts"
        event = [each for each in site.service.events._recent if each.name == "job"][-1]
        assert str(tmp_path) not in json.dumps(dict(event.data))  # which all who listen hear


def test_progress_and_results_too(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:
        site.service.galleries[0].refresh()
        from dataclasses import replace

        job = site.service.jobs._store.add("my", "index", "ada", {})
        place = f"{tmp_path}/photos/1-0.png"
        progress = JobProgress(1, 2, "photos", f"reading {place}")
        job = replace(job, progress=progress, result={"problems": [{"problem": place}]})
        view = site.service.job_view(job, "decide")
        assert view.progress is not None and view.progress.text == "reading 1-0.png"
        assert view.result == {"problems": [{"problem": "1-0.png"}]}


def test_answers_to_requests_name_no_folder_of_photos(tmp_path: Path) -> None:
    """Errors of all kinds pass through one place, where folders that are known become names."""
    gallery = clustered_gallery(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:
        site.service.galleries[0].refresh()
        text = f"{tmp_path}/photos/a.png, {gallery.folder}, {tmp_path}/state/service.sqlite"
        assert site.service.redacted(text) == "a.png, my, service.sqlite"
