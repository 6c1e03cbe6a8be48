"""Runs commands with a fault in one of their changes of files; see ``support.failures.faults``.

A process of its own, with ``file_faults.c`` loaded before the C library. It has imported all that
commands need, and runs each in a fork, so that one takes a fraction of a second.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facesearch.api import clustering, maintenance, people
from facesearch.clustering.options import ClusterOptions
from facesearch.curation.editor import PeopleEditor
from facesearch.curation.exchange import person_entries, write_people
from facesearch.erasure.forget import Selection, forget
from facesearch.errors import FacesearchError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.report.write import write_report
from facesearch.search.gallery_index import build_index
from facesearch.search.knn_graph import refresh_graph
from indexer.errors import IndexerError
from support.failures.promises import ADA, FORGOTTEN, promising_gallery
from support.people_galleries import cluster, index

LIMIT = 60  # seconds a command may take


def _name(gallery: Gallery) -> None:
    editor = PeopleEditor(gallery)
    editor.name(editor.now.people[1], "Grace")


def _merge(gallery: Gallery) -> None:
    editor = PeopleEditor(gallery)
    editor.merge(editor.now.people[0], [editor.now.people[1]])


def _report(gallery: Gallery) -> None:
    album = clustering.gallery_album(gallery)
    write_report(album, gallery.folder / "report", workers=0)


COMMANDS: dict[str, Callable[[Gallery], Any]] = {
    "index": lambda gallery: index(gallery, gallery.folder.parent / "more"),
    "cluster": lambda gallery: cluster(gallery, ClusterOptions("agglomerative", 0.4, full=True)),
    "graph": lambda gallery: refresh_graph(gallery, 4),
    "build": build_index,
    "name": _name,
    "merge": _merge,
    "undo": lambda gallery: PeopleStore(gallery.folder).undo(),
    "forget": lambda gallery: forget(gallery, Selection(ids=FORGOTTEN)),
    "forget person": lambda gallery: forget(gallery, Selection(people=(ADA,))),
    "finish": forget,
    "report": _report,
    "export": lambda gallery: write_people(gallery.folder / "p.json", person_entries(gallery)),
}


def main() -> None:
    """Serve requests, a JSON object a line, until there are no more."""
    faults = ctypes.CDLL(os.environ["LD_PRELOAD"])
    faults.faults_seen.restype = ctypes.c_long
    _run_all_once()
    gc.freeze()  # or a collection in a fork would copy all the memory that it shares with this
    for line in sys.stdin:
        answer = _served(faults, json.loads(line))
        print(json.dumps(answer), flush=True)


def _run_all_once() -> None:
    """Have all code loaded that the commands need, so that no fork has to do it again."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as scratch:
        whole = promising_gallery(Path(scratch) / "whole").folder.parent
        for number, command in enumerate(COMMANDS.values()):
            copy = whole.with_name(str(number))
            shutil.copytree(whole, copy)
            command(Gallery.open(copy / "my.gallery"))
    logging.disable(logging.NOTSET)


def _served(faults: Any, request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(LIMIT)
        os.close(reading)
        answer = _done(faults, request)
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return {"died": died, **(json.loads(text) if text else {})}


def _done(faults: Any, request: dict[str, Any]) -> dict[str, Any]:
    folder = request["folder"]
    error, expected = "", True
    faults.faults_arm(
        os.fsencode(folder), request["kinds"], request["fault"], request["errno"], request["at"]
    )
    try:
        COMMANDS[request["command"]](Gallery.open(Path(folder)))
    except (FacesearchError, IndexerError, OSError) as found:
        error = str(found)
    except BaseException:
        error, expected = traceback.format_exc(), False
    seen = faults.faults_seen()
    faults.faults_arm(b"", 0, 0, 0, 0)
    return {"error": error, "expected": expected, "seen": seen}


_ = maintenance, people  # imported here, so that no fork has to

if __name__ == "__main__":
    main()
