"""How many clicks and keystrokes it takes to name ten people: in the web application, by commands.

    python -m benchmarks.jobs.naming_effort

A made gallery of clear people is served and opened in Chromium. Names are typed one after the
other, as a person would; every key that the page hears and every click is counted, and the names
are then looked up in the gallery. The commands are those that name the same people, one each, with
the key that ends a line. Looking at the faces is left out on both sides: in the application they
are beside the field, for the commands they are in the report. Needs playwright, Chromium and the
extra ``serve``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from playwright.sync_api import Page, sync_playwright

from benchmarks.common.record import record
from benchmarks.common.vector_gallery import add_faces, vector_gallery
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import save_run
from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.service.face_service import FaceService
from facesearch.service.options import ServiceOptions
from facesearch.service.server.http_server import server_config

SEED = 0
DIMENSION = 64
FACES_EACH = 5
SPREAD = 0.05  # of a person's faces, of the length of a vector
THRESHOLD = 0.5
NAMES = (
    "Anna Berg",
    "Ben Carter",
    "Chiara Conti",
    "David Okoye",
    "Elif Kaya",
    "Fatima Haddad",
    "Georg Huber",
    "Hana Sato",
    "Ivan Petrov",
    "Julia Kowalska",
)
COUNTER = """
    window.effort = { keys: 0, clicks: 0 };
    addEventListener("keydown", (event) => { window.effort.keys += event.isTrusted; }, true);
    addEventListener("pointerdown", (event) => { window.effort.clicks += event.isTrusted; }, true);
"""


def main() -> None:
    """Name people both ways and record what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=12, help="in the gallery, at least ten")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        gallery = made_gallery(Path(scratch) / "me.gallery", args.people)
        application = {**named_in_the_application(gallery, Path(scratch)), "names": len(NAMES)}
        commands = [
            f'facesearch people name me.gallery {person.key} "{person.name}"'
            for person in PeopleEditor(gallery).everyone().values()
            if person.name
        ]
    if len(commands) != len(NAMES):
        raise RuntimeError(f"expected {len(NAMES)} people with names, got {len(commands)}")
    result = {
        "seed": SEED,
        "letters": sum(map(len, NAMES)),
        "application": application,
        "commands": {"keys": sum(len(line) + 1 for line in commands), "clicks": 0},
    }
    print(json.dumps(result, indent=2))
    print(f"recorded in {record('naming_effort', result)}")


def made_gallery(folder: Path, people: int) -> Gallery:
    """A gallery of ``people`` who resemble nobody else, clustered."""
    rng = np.random.default_rng(SEED)
    labels = np.repeat(np.arange(people), FACES_EACH)
    vectors = rng.normal(size=(people, DIMENSION))[labels]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    noise = rng.normal(size=vectors.shape)
    vectors += SPREAD * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery = vector_gallery(folder, DIMENSION)
    add_faces(gallery, vectors.astype(np.float32), np.arange(len(vectors)))
    options = ClusterOptions("agglomerative", THRESHOLD)
    save_run(gallery, run_clustering(gallery, gallery.state(), options))
    return gallery


@contextmanager
def served(gallery: Gallery, state: Path) -> Iterator[str]:
    """The address of a service of ``gallery``, in a thread."""
    service = FaceService(ServiceOptions((gallery.folder,), state=state, port=0))
    config = server_config(service)
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the service did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def opened(address: str) -> Iterator[Page]:
    """The application in Chromium, as on a desktop."""
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    options: dict[str, Any] = {"args": ["--no-sandbox"] if os.geteuid() == 0 else []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, found), None), **options
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(COUNTER)
        page.goto(address)
        yield page
        browser.close()


def named_in_the_application(gallery: Gallery, scratch: Path) -> dict[str, int]:
    """Give all names in the grid of people: {keys, clicks} that it took."""
    with served(gallery, scratch / "state") as address, opened(address) as page:
        page.get_by_role("button", name="Name p1", exact=True).click()
        for name in NAMES:
            page.keyboard.type(name)
            page.keyboard.press("Enter")
        page.get_by_text(f"named {NAMES[-1]}").first.wait_for()
        effort: dict[str, int] = page.evaluate("window.effort")
    return effort


if __name__ == "__main__":
    main()
