"""Jobs: progress, order, cancelling, and going on after the service was killed."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.service.database import ServiceDatabase
from facesearch.service.jobs.job import MOST_RESUMES, Job, JobStore
from facesearch.service.jobs.queue import JobQueue
from support.fake_engine import write_photo
from support.serving.services import (
    JOB_COMMAND,
    ServedTest,
    clustered_gallery,
    listening,
    local_client,
    open_service,
    served,
)

API = "/api/v1"
SECONDS = 240.0


def run_job(site: ServedTest, body: Any, path: str = "jobs") -> Any:
    """The job when it has ended."""
    answer = site.client.post(f"{API}/galleries/my/{path}", json=body, headers=site.local())
    assert answer.status_code == 202, answer.text
    site.service.jobs.wait(int(answer.json()["id"]), SECONDS)
    return site.client.get(f"{API}/jobs/{answer.json()['id']}").json()


def test_new_photos_are_indexed_and_grouped(site: ServedTest, gallery: Gallery) -> None:
    photos = gallery.folder.parent / "photos"
    write_photo(photos / "new.png", [7, 1], 700)
    indexed = run_job(site, {"kind": "index"})
    assert indexed["state"] == "done", indexed
    assert (indexed["result"]["new"], indexed["result"]["faces"]) == (1, 2)
    assert indexed["progress"]["text"].startswith("1 of 1 photo, 2 faces")
    summary = site.client.get(f"{API}/galleries/my").json()
    assert summary["faces_since_clustering"] == 2 and summary["outdated"].startswith("2 faces")
    grouped = run_job(site, {"kind": "cluster", "options": {"threshold": 0.5}})
    assert grouped["result"]["people"] == 5
    assert site.client.get(f"{API}/galleries/my").json()["outdated"] == ""
    assert len(gallery.state().live_ids()) == 14


def test_a_report_is_written_and_shown(site: ServedTest) -> None:
    done = run_job(site, {"kind": "report"})
    assert done["state"] == "done", done
    page = site.client.get(f"{API}/galleries/my/report/index.html")
    assert page.status_code == 200 and "<html" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'; ")
    for path in ("../gallery.json", "%2e%2e/gallery.json", ".facesearch-report", "crops/../../lock",
                 "..%2f..%2fetc/passwd", "/etc/passwd"):  # fmt: skip
        answer = site.client.get(f"{API}/galleries/my/report/{path}")
        assert answer.status_code == 404, path


def test_scripts_of_a_report_of_somebody_else_do_not_run(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    report = gallery.folder / "report"
    report.mkdir()
    (report / "others.html").write_text("<script>alert(1)</script><script src=others.js></script>")
    (report / "others.js").write_text("alert(1)")
    index = report / "search-index.js"
    index.write_text("var facesearchIndex = {}; alert(1);\n")
    with served(open_service(tmp_path, gallery)) as site:

        def shown(name: str) -> Any:
            return site.client.get(f"{API}/galleries/my/report/{name}")

        policy = shown("others.html").headers["content-security-policy"]
        (scripts,) = re.findall("script-src ([^;]*);", policy)
        assert re.fullmatch("'self' 'sha256-[A-Za-z0-9+/]{43}='", scripts)
        assert [shown(name).status_code for name in ("others.js", index.name)] == [404, 404]
        index.write_text('var facesearchIndex = {"people":  []};\n')
        answer = shown(index.name)
        assert answer.text == 'var facesearchIndex = {"people":[]};\n'
        assert answer.headers["content-type"].startswith("text/javascript")


def test_enrolled_by_photos_that_are_sent(site: ServedTest, folder: Path) -> None:
    data = write_photo(folder / "sent.png", [9], 900).read_bytes()
    answer = site.client.post(
        f"{API}/galleries/my/enrol",
        data={"name": "Ninette de Valois"},
        files=[("photo", ("nina.png", data)), ("photo", ("empty.png", _faceless(folder)))],
        headers=site.local(),
    )
    assert answer.status_code == 202, answer.text
    job = site.service.jobs.wait(int(answer.json()["id"]), SECONDS)
    assert job.state == "done" and job.result is not None, job
    assert job.result["enrolled"] == 1 and len(job.result["problems"]) == 1
    people = site.client.get(f"{API}/galleries/my/people?q=ninette").json()["people"]
    assert [each["confirmed"] for each in people] == [1]
    authors = PeopleStore(site.service.galleries[0].folder).authors()
    assert authors[max(authors)].name == "this machine"
    assert (folder / "my.enrolled").is_dir()
    assert b"Ninette de Valois" not in site.service.database.path.read_bytes()


def _faceless(folder: Path) -> bytes:
    return write_photo(folder / "faceless.png", [], 901).read_bytes()


def test_forgetting_is_previewed_and_done(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:
        site.client.post(
            f"{API}/galleries/my/people/p1/name", json={"name": "Secret"}, headers=site.local()
        )
        body = {"people": ["p1"], "dry_run": True}
        path = f"{API}/galleries/my/forget"
        preview = site.client.post(path, json=body, headers=site.local())
        assert preview.status_code == 200 and preview.json()["faces"] == 3
        done = run_job(site, {**body, "dry_run": False}, "forget")
        assert done["state"] == "done" and done["result"]["faces"] == 3, done
        assert "Secret" not in json.dumps(done)
        assert b"Secret" not in site.service.database.path.read_bytes()
        assert site.client.get(f"{API}/galleries/my").json()["faces"] == 9
        nothing = site.client.post(path, json={}, headers=site.local())
        assert nothing.status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "index", "roots": ["relative"]}, 409),
        ({"kind": "index", "roots": ["/no/such/folder"]}, 409),
        ({"kind": "index", "roots": []}, 202),
        ({"kind": "cluster", "options": {"threshold": 5}}, 422),
        ({"kind": "cluster", "options": {"method": "magic"}}, 422),
        ({"kind": "calibrate", "fpir": 0.5}, 422),
        ({"kind": "suggest"}, 422),
        ({"kind": "forget"}, 422),
        ({}, 422),
    ],
)
def test_jobs_that_make_no_sense(site: ServedTest, body: Any, status: int) -> None:
    answer = site.client.post(f"{API}/galleries/my/jobs", json=body, headers=site.local())
    assert answer.status_code == status, answer.text


def test_new_folders_are_for_who_administers(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:
        (tmp_path / "more").mkdir()
        body = {"kind": "index", "roots": [str(tmp_path / "more")]}
        path = f"{API}/galleries/my/jobs"
        for asked in (body, {"kind": "upgrade"}, {"kind": "calibrate"}):
            answer = site.client.post(path, json=asked, headers=site.as_role("decide"))
            assert answer.status_code == 403
        assert (
            site.client.get(f"{API}/galleries/my", headers=site.as_role("decide")).json()["roots"]
            is None
        )


SLOW = """
    import json, signal, sys, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as jobs do
    asked = json.loads(sys.stdin.readline())
    steps = asked["arguments"].get("steps", 0)
    try:
        for step in range(steps):
            say = {"done": step, "total": steps, "unit": "steps", "text": f"step {step}"}
            print(json.dumps({"progress": say}), flush=True)
            time.sleep(0.05)
    except KeyboardInterrupt:
        sys.exit(130)
    if asked["arguments"].get("die"):
        sys.exit(7)
    print("what a library prints")
    print(json.dumps({"result": {"steps": steps}}), flush=True)
"""


class Queue:
    """A queue whose jobs count."""

    def __init__(self, folder: Path) -> None:
        script = folder / "slow.py"
        script.write_text(textwrap.dedent(SLOW), encoding="utf-8")
        self.database = ServiceDatabase(folder)
        self.store = JobStore(self.database)
        self.heard: list[Job] = []
        self.queue = JobQueue(
            self.store,
            lambda gallery: None if gallery == "gone" else folder,
            self.heard.append,
            (sys.executable, str(script)),
        )


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path)
    queue.queue.start()
    yield queue
    queue.queue.stop()


def test_jobs_of_one_gallery_run_in_order(queue: Queue) -> None:
    jobs = [queue.queue.add("a", "index", "ada", {"steps": 3}) for _ in range(3)]
    other = queue.queue.add("b", "index", "ada", {"steps": 1})
    ended = [queue.queue.wait(job.id, SECONDS) for job in (*jobs, other)]
    assert {job.state for job in ended} == {"done"}
    times = [(job.started_at, job.ended_at) for job in ended[:3]]
    for (_, end), (start, _) in itertools.pairwise(times):
        assert end is not None and start is not None and end <= start
    counted = [job.progress.done for job in queue.heard if job.id == jobs[0].id and job.progress]
    assert counted[:3] == [0, 1, 2]
    assert ended[0].result == {"steps": 3}


def test_jobs_are_cancelled_while_they_wait_and_run(queue: Queue) -> None:
    running = queue.queue.add("a", "index", "ada", {"steps": 10_000})
    waiting = queue.queue.add("a", "index", "ada", {"steps": 1})
    while (now := queue.queue.find(running.id)) is None or now.progress is None:
        time.sleep(0.01)
    assert queue.queue.cancel(waiting.id).state == "cancelled"  # type: ignore[union-attr]
    queue.queue.cancel(running.id)
    assert queue.queue.wait(running.id, SECONDS).state == "cancelled"
    assert queue.queue.cancel(999) is None
    after = queue.queue.add("a", "index", "ada", {"steps": 1})
    assert queue.queue.wait(after.id, SECONDS).state == "done"


def test_what_nobody_asked_for_makes_way(queue: Queue) -> None:
    """Comparing all faces may take minutes; who starts a job does not wait for that."""
    running = queue.queue.add("a", "suggest", "the service", {"steps": 10_000})
    while (now := queue.queue.find(running.id)) is None or now.progress is None:
        time.sleep(0.01)
    asked = [queue.queue.add("a", "index", "ada", {"steps": 2}) for _ in range(2)]
    again = queue.queue.add("a", "suggest", "the service", {"steps": 1})
    last = queue.queue.add("a", "index", "ada", {"steps": 1})
    assert queue.queue.wait(running.id, SECONDS).state == "cancelled"
    ended = [queue.queue.wait(job.id, SECONDS) for job in (*asked, last, again)]
    assert {job.state for job in ended} == {"done"}
    starts = [job.started_at for job in ended]
    assert starts == sorted(starts, key=lambda at: at or 0.0), "suggestions are made last"


def test_a_process_that_dies_is_a_failed_job(queue: Queue) -> None:
    job = queue.queue.add("a", "index", "ada", {"die": True})
    ended = queue.queue.wait(job.id, SECONDS)
    assert ended.state == "failed" and ended.problem is not None
    assert "status 7" in ended.problem["detail"]
    gone = queue.queue.wait(queue.queue.add("gone", "index", "ada", {}).id, SECONDS)
    assert gone.problem is not None and gone.problem["code"] == "no-such-gallery"


def test_what_ran_when_the_service_ended_goes_on(tmp_path: Path) -> None:
    first = Queue(tmp_path)
    first.queue.start()
    job = first.queue.add("a", "index", "ada", {"steps": 10_000, "name": "Ada"})
    second = first.queue.add("a", "index", "ada", {"steps": 1})
    while (now := first.queue.find(job.id)) is None or now.progress is None:
        time.sleep(0.01)
    first.queue.stop()
    first.database.close()
    again = Queue(tmp_path)
    assert [each.state for each in again.store.unended()] == ["running", "waiting"]
    again.queue.start()
    while (now := again.queue.find(job.id)) is None or now.progress is None:
        time.sleep(0.01)
    assert now.resumed == 1 and now.arguments["name"] == "Ada"
    again.queue.cancel(job.id)
    assert again.queue.wait(job.id, SECONDS).arguments == {"steps": 10_000}
    assert again.queue.wait(second.id, SECONDS).state == "done"
    again.queue.stop()


def test_a_job_that_always_ends_the_service_is_given_up(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    job = queue.store.add("a", "index", "ada", {})
    from dataclasses import replace

    queue.store.save(replace(job, state="running", resumed=MOST_RESUMES))
    queue.queue.start()
    ended = queue.queue.wait(job.id, SECONDS)
    assert ended.state == "failed" and "6 times" in (ended.problem or {})["detail"]
    queue.queue.stop()


def test_a_job_ends_with_the_service(tmp_path: Path) -> None:
    """Its process notices that the service was killed, and does not write on beside the next."""
    import subprocess

    gallery = clustered_gallery(tmp_path)
    with gallery.writing():  # so that the job waits
        asked = {"gallery": str(gallery.folder), "kind": "index", "by": "a", "job": 1,
                 "arguments": {"roots": [str(tmp_path / "photos")]}}  # fmt: skip
        paths = os.pathsep.join(each for each in sys.path if each)
        process = subprocess.Popen(
            JOB_COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        process.stdin.flush()
        assert b"waiting for another process" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(30) == 130


def test_events_tell_of_jobs_and_changes(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    with listening(open_service(tmp_path, gallery)) as url:
        client = local_client(url)
        events = EventReader(url)
        assert events.next()[0] == "hello"
        client.gallery("my").name("p1", "Ada")
        version = client.gallery("my").summary().version
        heard = ""
        while heard != version:  # the first may be of how it was when the service began
            name, data, number = events.next()
            assert (name, data["gallery"]) == ("gallery", "my")
            heard = data["version"]
        job = client.gallery("my").start_job("index")
        seen = []
        while not seen or seen[-1] not in ("done", "failed"):
            name, data, _ = events.next()
            if name == "job":
                seen.append(data["state"])
        assert seen[0] == "waiting" and "running" in seen and seen[-1] == "done"
        assert client.job(job.id).state == "done"
        events.close()
        again = EventReader(url, after=number)
        assert again.next()[0] == "hello"
        assert again.next()[1]["state"] == "waiting"  # what was missed
        again.close()


class EventReader:
    """A page that listens."""

    def __init__(self, url: str, after: int | None = None) -> None:
        import http.client
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        self._connection.request("GET", f"{API}/events?gallery=my", headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200

    def next(self) -> tuple[str, Any, int]:
        """The name, the data and the id of the next event."""
        found: dict[str, str] = {}
        while True:
            line = self._answer.readline().decode().rstrip("\n")
            if not line and "event" in found:
                return found["event"], json.loads(found["data"]), int(found["id"])
            name, _, value = line.partition(": ")
            found[name] = value

    def close(self) -> None:
        self._connection.close()


def test_a_signal_is_named(queue: Queue, tmp_path: Path) -> None:
    job = queue.queue.add("a", "index", "ada", {"steps": 10_000})
    while not (running := queue.queue._running.get("a")) or running.process is None:
        time.sleep(0.01)
    os.kill(running.process.pid, signal.SIGKILL)
    ended = queue.queue.wait(job.id, SECONDS)
    assert ended.state == "failed" and "memory" in (ended.problem or {})["detail"]
