"""Searches while the gallery changes and its index is rebuilt: always an answer that was right."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesearch.search.gallery_index import build_index
from indexer.exact.brute_force import exact_search
from support.changing_photos import QUERIES, K, answer, change_and_rebuild, search_until_done
from support.galleries import small_gallery
from support.processes.fork_server import processes

READERS = 2


@pytest.mark.parametrize("rounds", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_every_answer_is_that_of_a_state_that_existed(tmp_path: Path, rounds: int) -> None:
    gallery = small_gallery(tmp_path)
    build_index(gallery)
    states = {answer(exact_search(gallery.blocks(gallery.state()), QUERIES, K))}
    context = processes()
    begun, done = context.Barrier(READERS + 1), context.Event()
    started = [
        context.Process(target=search_until_done, args=(gallery.folder, number, begun, done))
        for number in range(READERS)
    ]
    writing = (gallery.folder, rounds, begun, done)
    started.append(context.Process(target=change_and_rebuild, args=writing))
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * len(started)
    states |= set((tmp_path / "states").read_text().splitlines())
    for number in range(READERS):
        answers = (tmp_path / f"answers-{number}").read_text().splitlines()
        assert len(set(answers)) > 1  # else nothing changed meanwhile
        assert set(answers) <= states
        warnings = (tmp_path / f"warnings-{number}").read_text().splitlines()
        # An index is missing while faces are forgotten, and only then; it is never half there.
        assert len(warnings) < len(answers)
        for each in warnings:
            assert "there is no index" in each or "changed since" in each
