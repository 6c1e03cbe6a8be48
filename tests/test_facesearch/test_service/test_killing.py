"""A service that is killed while people decide and jobs run: nothing is lost, jobs go on.

It is killed twenty times, or as often as ``FACESEARCH_KILLS`` says, at moments that
``FACESEARCH_KILL_SEED`` draws.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from facesearch.check import check_gallery
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.service.client import ServiceClient, ServiceProblemError
from facesearch.service.database import ServiceDatabase
from facesearch.service.jobs.job import JobStore
from support.fake_engine import write_photo
from support.serving.killed_service import KilledService
from support.serving.services import clustered_gallery

KILLS = int(os.environ.get("FACESEARCH_KILLS", "20"))
SEED = int(os.environ.get("FACESEARCH_KILL_SEED", "7"))
PEOPLE = 4


class Deciding(threading.Thread):
    """Names people again and again, each time with a key of its own.

    ``sent`` are all keys with what they ask for, ``answered`` those that were answered.
    """

    def __init__(self, client: ServiceClient, trial: int) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._trial = trial
        self.sent: list[tuple[str, str, str]] = []
        self.answered: set[str] = set()

    def run(self) -> None:
        gallery = self._client.gallery("my")
        for number in range(10_000):
            person, name = f"p{number % PEOPLE + 1}", f"Name {self._trial} {number}"
            key = f"trial {self._trial} request {number}"
            self.sent.append((key, person, name))
            try:
                gallery.name(person, name, key)
            except (OSError, ValueError, ServiceProblemError):
                return
            self.answered.add(key)


def send_again(client: ServiceClient, deciding: Deciding) -> None:
    """What was not answered, and the last that was: both must be entered once."""
    for key, person, name in deciding.sent[-2:]:
        client.gallery("my").name(person, name, key)


@pytest.mark.slow
def test_nothing_is_lost_when_the_service_is_killed(tmp_path: Path) -> None:
    random_moment = random.Random(SEED)
    gallery = clustered_gallery(tmp_path, PEOPLE, 2)
    photos = tmp_path / "photos"
    service = KilledService(gallery, tmp_path)
    client = service.start()
    expected: Counter[str] = Counter()
    for trial in range(KILLS):
        for number in range(40):
            write_photo(photos / f"new-{trial}-{number}.png", [1 + number % 9], 1000 + number)
        job = client.gallery("my").start_job("index")
        deciding = Deciding(client, trial)
        deciding.start()
        time.sleep(random_moment.uniform(0.0, 3.0))
        service.kill()
        deciding.join()
        client = service.start()
        send_again(client, deciding)
        expected.update(name for _, _, name in deciding.sent)
        ended = client.wait(job.id, 300)
        assert ended.state == "done", ended
        entered = Counter(each.name for each in PeopleStore(gallery.folder).decisions())
        assert entered == expected  # each once, and none lost
        live = gallery.state()
        assert len(live.photos) == PEOPLE * 2 + 40 * (trial + 1)
    service.kill()
    _require_sound(gallery, tmp_path)


def _require_sound(gallery: Gallery, folder: Path) -> None:
    findings = [each for each in check_gallery(gallery) if each.severe]
    assert findings == []
    jobs = JobStore(ServiceDatabase(folder / "state")).all()
    assert {job.state for job in jobs if job.kind == "index"} == {"done"}
