"""The peers of the exact-search benchmark find what exact search finds."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from benchmarks.search import exact as benchmark
from benchmarks.search import faiss_process
from indexer.exact.brute_force import exact_search
from indexer.exact.int8_kernel import LANES
from indexer.exact.int8_search import CertifiedSearch
from indexer.types import Block
from support.vectors import unit_vectors

VECTORS = unit_vectors(3000, 24, seed=0)
QUERIES = unit_vectors(40, 24, seed=1)
IDS = np.arange(len(VECTORS))


def test_peers_agree_with_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "NUMPY_ROWS", 700)
    monkeypatch.setattr(benchmark, "TORCH_QUERIES", 7)
    monkeypatch.setattr(faiss_process, "SETTINGS", {"passive": {"OMP_WAIT_POLICY": "passive"}})
    ways = benchmark.peers(VECTORS, 1)
    truth = exact_search([Block(IDS, VECTORS)], QUERIES, benchmark.NEIGHBOURS)
    with benchmark.flat_index("IndexFlatL2", VECTORS, 1, benchmark.NEIGHBOURS) as (flat, seconds):
        ways["faiss"] = flat
        assert len(ways) >= 3
        assert benchmark.agreement(ways, QUERIES, truth.ids) == dict.fromkeys(ways, 1.0)
    assert list(seconds) == ["passive"] and seconds["passive"] > 0
    wrong = {"wrong": lambda asked: truth.ids[: len(asked)] + 1}
    assert benchmark.agreement(wrong, QUERIES, truth.ids)["wrong"] < 0.1


@pytest.mark.skipif(not LANES, reason="the processor multiplies no bytes (AVX2)")
def test_measured_vectors_are_few_and_at_least_the_neighbours() -> None:
    index = CertifiedSearch(IDS, VECTORS, 1)
    assert 10 <= benchmark.measured_vectors(index, QUERIES) < 1500


def test_a_way_that_takes_too_long_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(benchmark, "BATCHES", (1, 40))

    def taking(seconds: float) -> benchmark.Way:
        def search(asked: np.ndarray) -> np.ndarray:
            clock[0] += seconds * len(asked)
            return asked

        return search

    args = argparse.Namespace(repeats=3, seconds=2.0)
    ways = {"quick": taking(0.01), "slow": taking(0.1), "endless": taking(2.0)}
    batches = benchmark.timed(ways, QUERIES, args)
    spent = {name: len(way["seconds"]) for name, way in batches["1"].items()}
    assert spent == {"quick": 3, "slow": 1, "endless": 1}
    assert list(batches["40"]) == ["quick", "slow"]
    assert batches["40"]["slow"]["queries_per_second"] == pytest.approx(10)
