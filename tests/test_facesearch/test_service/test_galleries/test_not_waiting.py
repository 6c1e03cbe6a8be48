"""The service answers while somebody decides, and nobody who decides waits for its answers."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from facesearch.gallery.gallery import Gallery
from facesearch.people import ledger as ledger_module
from facesearch.people.ledger import Ledger, NewDecision
from facesearch.people.ledger_file import READING
from facesearch.people.store import PeopleStore
from support.serving.services import named_gallery, open_service, served

API = "/api/v1/galleries/my"
READS = ("", "/people", "/people?q=ada", "/people/p1", "/people/p1/faces", "/people/p1/similar",
         "/photos", "/photos?people=p1,p2", "/history", "/undo", "/settings", "/timeline",
         "/folders", "/suggestions")  # fmt: skip


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return named_gallery(tmp_path)


def test_reads_answer_while_a_decision_is_being_entered(
    tmp_path: Path, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "READING", replace(READING, seconds=0.0))
    with Ledger(gallery.folder).open() as entries:
        entries.add([NewDecision("hide", 1)])
        # Also a service that has read nothing yet.
        with served(open_service(tmp_path, gallery)) as site:
            for path in READS:
                answer = site.client.get(f"{API}{path}")
                assert answer.status_code == 200, (path, answer.text)
            people = site.client.get(f"{API}/people").json()["people"]
            assert {each["name"] for each in people} == {"Ada", "Ben", None}
            for path in ("/api/v1/health", "/api/v1/metrics", "/api/v1/galleries"):
                assert site.client.get(path).status_code == 200
    with served(open_service(tmp_path, gallery)) as site:
        people = site.client.get(f"{API}/people").json()["people"]
        assert {each["name"] for each in people} == {"Ben", None}


def test_decisions_are_entered_while_others_read(tmp_path: Path, gallery: Gallery) -> None:
    """Commands, that is, beside a service of which much is asked."""
    over = threading.Event()
    failed: list[str] = []
    with served(open_service(tmp_path, gallery)) as site:

        def read(path: str) -> None:
            while not over.is_set():
                answer = site.client.get(f"{API}{path}")
                if answer.status_code != 200:
                    failed.append(answer.text)
                PeopleStore(gallery.folder).decisions()

        readers = [threading.Thread(target=read, args=(path,)) for path in ("/people", "/history")]
        for reader in readers:
            reader.start()
        people = PeopleStore(gallery.folder)
        for number in range(30):
            people.decide([NewDecision("hide" if number % 2 else "unhide", 3)])
        over.set()
        for reader in readers:
            reader.join()
        assert failed == []
        assert site.client.get(f"{API}/history?limit=1").json()["total"] == 32
