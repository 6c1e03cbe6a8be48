"""The GPU benchmark refuses without a GPU, and its script runs on a CPU."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.search import gpu
from indexer.exact.brute_force import exact_search
from indexer.runtime.devices import torch_gpus
from indexer.types import Block
from support.vectors import unit_vectors


@pytest.mark.skipif(torch_gpus() > 0, reason="torch finds a GPU")
def test_refuses_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, message in (([], "torch finds none"), (["--device", "cpu"], "--small")):
        monkeypatch.setattr(sys, "argv", ["gpu_search", "--busy", *words])
        with pytest.raises(SystemExit, match=message):
            gpu.main()


def test_runs_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "CHECKED", 20)
    monkeypatch.setattr(gpu, "PROVED", 10)
    monkeypatch.setattr(gpu, "SINGLES", 3)
    monkeypatch.setattr(gpu, "PROBED", (4,))
    options = {**gpu.SMALL, "device": "cpu", "count": 3000, "batches": (1, 20)}
    result = gpu.measure(options)
    assert result["equal_to_the_oracle"]
    assert {"torch bf16", "faiss flat, fp32"} <= set(result["ways"])
    for name, way in result["ways"].items():
        for setting in way["settings"].values():
            assert set(setting["batches"]) == {"1", "20"}
            assert setting["recall_at_1"] == 1 if "IVF" not in name else True
            shares = [each.get("share") for each in setting["batches"].values()]
            assert all(share is None if "IVF" in name else share > 0 for share in shares)


@pytest.mark.gpu
@pytest.mark.skipif(not gpu.has_cagra(), reason="this FAISS has no cuVS, or no GPU")
def test_cagra_finds_nearly_all() -> None:
    vectors = unit_vectors(2000, 16, seed=0)
    blocks = [Block(np.arange(len(vectors)), vectors)]
    truth = exact_search(blocks, vectors[:50], gpu.NEIGHBOURS).ids
    found = gpu.by_faiss(gpu.cagra_index(vectors, "cuda"))(vectors[:50])
    assert gpu.recall(found, truth)["recall"] > 0.95
