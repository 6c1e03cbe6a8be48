"""Services for tests: in this process, over real connections, with the fake engine."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import uvicorn
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import SearchOpener
from facesearch.service.announcement import announced
from facesearch.service.auth import accounts
from facesearch.service.auth.roles import Role
from facesearch.service.client import ServiceClient
from facesearch.service.face_service import FaceService
from facesearch.service.options import ServiceOptions
from facesearch.service.server.app import create_app
from facesearch.service.server.http_server import server_config
from support.fake_engine import FakeEngine
from support.people_galleries import cluster, people_gallery

URL = "http://127.0.0.1:8484"
ROLES: tuple[Role, ...] = ("view", "decide", "administer")
PASSWORD = "correct horse battery"
# A hash that takes no time: how well passwords are kept is tested where that is the question.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
JOB_COMMAND = (sys.executable, "-m", "support.serving.job_child")


def open_service(
    folder: Path,
    *galleries: Gallery,
    open_search: SearchOpener | None = None,
    **changes: object,
) -> FaceService:
    """A service of ``galleries`` with its state in ``folder``."""
    options = ServiceOptions(
        tuple(gallery.folder for gallery in galleries),
        state=folder / "state",
        decoders=1,
        poll_seconds=0.05,
    )
    # It makes a hash at its start.
    with mock.patch.object(accounts, "PasswordHasher", lambda: QUICK):
        return FaceService(
            replace(options, **changes),  # type: ignore[arg-type]
            make_engine=lambda contract: FakeEngine(contract.name if contract else "fake"),  # type: ignore[return-value, arg-type]
            job_command=JOB_COMMAND,
            open_search=open_search,
        )


def clustered_gallery(folder: Path, people: int = 4, each: int = 3) -> Gallery:
    """A gallery whose clusters are its people."""
    gallery = people_gallery(folder, people, each)
    cluster(gallery)
    return gallery


def named_gallery(folder: Path) -> Gallery:
    """As :func:`clustered_gallery`, with names for two people: Ada and Ben."""
    gallery = clustered_gallery(folder)
    editor = PeopleEditor(gallery)
    for number, name in ((1, "Ada"), (2, "Ben")):
        editor.name(editor.find(f"p{number}"), name)
    return gallery


@dataclass
class ServedTest:
    """A service in this process; ``client`` is whoever is at the machine."""

    service: FaceService
    client: TestClient

    def as_role(self, role: Role) -> dict[str, str]:
        """The headers of somebody with a role; from then on nobody may anything without one."""
        token, _ = self.service.tokens.make(role, role, "test", None)
        return {"Authorization": f"Bearer {token}"}

    def local(self) -> dict[str, str]:
        """What a page sends where nobody has to log in."""
        return {"X-CSRF-Token": self.service.local_csrf}


@contextmanager
def served(service: FaceService, **options: object) -> Iterator[ServedTest]:
    """``service`` in this process, without a connection."""
    app = create_app(service)
    here = {"client": ("127.0.0.1", 50000), **options}
    with TestClient(app, base_url=URL, raise_server_exceptions=False, **here) as client:  # type: ignore[arg-type]
        yield ServedTest(service, client)


@contextmanager
def listening(service: FaceService) -> Iterator[str]:
    """``service`` at a port of this machine, in a thread; its address."""
    config = server_config(service)
    config.port = 0
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def found_by_commands(service: FaceService) -> Iterator[str]:
    """``service`` as with :func:`listening`, where the commands of this machine find it."""
    with listening(service) as url, announced(service, "127.0.0.1", int(url.rpartition(":")[2])):
        yield url


def local_client(url: str) -> ServiceClient:
    """A client of whoever is at the machine."""
    client = ServiceClient(url)
    client.be_local()
    return client
