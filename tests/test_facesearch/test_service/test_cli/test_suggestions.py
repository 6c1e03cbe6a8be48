"""``people suggestions`` prints the same by the service, which makes them once, and without one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from facesearch.cli.main import main
from facesearch.cli.people import review
from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.service.announcement import FILE
from facesearch.service.jobs.job import Job
from support.people_galleries import halved_people_gallery, people_gallery
from support.serving.services import found_by_commands, open_service

SECONDS = 120.0


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Four people, each in two clusters, as by too strict a threshold; one has a name."""
    gallery = halved_people_gallery(tmp_path)
    editor = PeopleEditor(gallery)
    editor.name(editor.find("p4"), "Bea")
    return gallery


@pytest.fixture
def locally(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What commands found without a service."""
    done: list[str] = []
    found = review._found

    def note(args: Any) -> Any:
        done.append(args.person or "all")
        return found(args)

    monkeypatch.setattr(review, "_found", note)
    return done


def printed(
    capsys: pytest.CaptureFixture[str], gallery: Gallery, *words: str
) -> tuple[int, str, str]:
    code = main(["people", "suggestions", str(gallery.folder), *words])
    found = capsys.readouterr()
    return code, found.out, found.err


QUESTIONS: tuple[tuple[str, ...], ...] = (
    (), ("--json",), ("--all",), ("Bea",), ("p1", "--json"), ("p8",),
)  # fmt: skip


# Between two rounds of questions.
DECISIONS = (None, ("later", "p1", "p2"), ("apart", "p1", "p2"), ("merge", "p5", "p6"))


def test_with_and_without_a_service(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, gallery: Gallery, locally: list[str]
) -> None:
    service = open_service(tmp_path, gallery)
    rounds: list[list[tuple[int, str, str]]] = []
    kept = [tmp_path / f"after-{number}" for number in range(len(DECISIONS))]
    with found_by_commands(service):
        for decision, copied in zip(DECISIONS, kept, strict=True):
            if decision is not None:
                name, *people = decision
                assert main(["people", name, str(gallery.folder), *people]) == 0
                capsys.readouterr()
            rounds.append([printed(capsys, gallery, *words) for words in QUESTIONS])
            shutil.copytree(gallery.folder, copied, ignore=shutil.ignore_patterns(FILE))
        made = [job for job in service.jobs.all() if job.kind == "suggest"]
    assert locally == []
    assert len(made) == len(rounds), "once for each state of the gallery"
    for by_service, copied in zip(rounds, kept, strict=True):
        shutil.rmtree(gallery.folder)
        copied.rename(gallery.folder)  # whose name is printed
        assert by_service == [printed(capsys, gallery, *words) for words in QUESTIONS]
    assert len(locally) == len(rounds) * len(QUESTIONS)
    listed = [json.loads(by_service[1][1])["suggestions"] for by_service in rounds]
    pairs = [{frozenset((e["person"], (e["other"] or {}).get("person"))) for e in each}
             for each in listed]  # fmt: skip
    asked = frozenset(("p1", "p2"))
    assert [asked in each for each in pairs] == [True, True, False, False]
    assert listed[1][-1]["later"] and not listed[0][-1]["later"]
    assert any(each["name"] == "Bea" for each in listed[0])


@pytest.mark.parametrize("words", [("nobody",), ("p99",)])
def test_nobody_of_that_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, gallery: Gallery, words: tuple[str, ...]
) -> None:
    with found_by_commands(open_service(tmp_path, gallery)):
        by_service = printed(capsys, gallery, *words)
    assert by_service == printed(capsys, gallery, *words) and by_service[0] == 2


def test_a_gallery_that_was_never_clustered(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gallery = people_gallery(tmp_path, 2, 2)
    with found_by_commands(open_service(tmp_path, gallery)):
        by_service = printed(capsys, gallery)
    assert by_service == printed(capsys, gallery) and by_service[0] == 2


def test_while_another_job_runs_the_command_looks_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, gallery: Gallery, locally: list[str]
) -> None:
    service = open_service(tmp_path, gallery)
    with found_by_commands(service):
        with gallery.writing():  # the job waits for it
            job = service.jobs.add("my", "forget", "ada", {"faces": [0], "people": []})
            by_service = printed(capsys, gallery)
        assert locally == ["all"] and by_service[0] == 0
        service.jobs.wait(job.id, SECONDS)


def test_what_came_for_an_older_state_is_not_taken(tmp_path: Path, gallery: Gallery) -> None:
    """A process that looked before a decision answers for what it saw, and is asked again."""
    service = open_service(tmp_path, gallery)
    served = service.galleries[0]
    suggestions = service.suggestions(served)
    added: list[str] = []
    service.jobs.add = lambda *words, **_: added.append(words[1])  # type: ignore[method-assign, assignment, return-value]
    before = served.refresh()
    assert suggestions.listed(before) is None and added == ["suggest"]
    editor = PeopleEditor(gallery)
    editor.hide(editor.find("p8"))
    after = served.refresh()
    assert suggestions.listed(after) is None and added == ["suggest"]
    job = Job(1, served.id, "suggest", "done", "service", {}, 0.0, result={"suggestions": []})
    suggestions.arrived(job)
    assert suggestions.listed(before) == () and suggestions.is_stale(after)
    assert suggestions.listed(after) is None and added == ["suggest"] * 2
    service.close()
