"""While one command computes for long, others decide, search and show."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from facesearch.api.clustering import cluster_gallery, gallery_album
from facesearch.api.info import gallery_info
from facesearch.check import check_gallery
from facesearch.clustering import run as run_module
from facesearch.curation.editor import PeopleEditor
from facesearch.errors import BusyGalleryError
from facesearch.people.store import PeopleStore
from support.failures.promises import ADA, IDA, promising_gallery
from support.people_galleries import CLEAR
from support.search import search_gallery


def test_decisions_and_searches_do_not_wait_for_a_clustering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = promising_gallery(tmp_path)
    computing, decided = threading.Event(), threading.Event()
    partition = run_module.partition_faces

    def long(*args: object, **named: object) -> object:
        computing.set()
        assert decided.wait(300)
        return partition(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "partition_faces", long)
    errors: list[Exception] = []

    def work() -> None:
        try:
            cluster_gallery(gallery.folder, CLEAR)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert computing.wait(300)
    store, state = PeopleStore(gallery.folder), gallery.state()
    store.enroll("Grace", [6])
    editor = PeopleEditor(gallery)
    editor.name(editor.find(ADA), "Bea")
    assert store.undo()
    found = search_gallery(gallery, state, gallery.vectors(state.live_ids()), 1)
    assert found.ids[:, 0].tolist() == state.live_ids().tolist()
    assert gallery_info(gallery).faces == 9 and gallery_album(gallery).people
    assert not [each for each in check_gallery(gallery) if each.severe]
    with pytest.raises(BusyGalleryError, match="another process is writing"):
        cluster_gallery(gallery.folder, CLEAR)  # at once, not after the work
    decided.set()
    thread.join()
    assert errors == []
    # What was decided meanwhile holds, also with the new clustering.
    assert {ADA, "Grace", IDA} == {*PeopleStore(gallery.folder).memberships().names}
    assert PeopleEditor(gallery).find("Grace").id > 0
