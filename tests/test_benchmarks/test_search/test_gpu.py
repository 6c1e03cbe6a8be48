"""The GPU benchmark refuses without a GPU, and its script runs on a CPU."""

from __future__ import annotations

import sys

import pytest

from benchmarks.search import gpu
from indexer.runtime.devices import torch_gpus


@pytest.mark.skipif(torch_gpus() > 0, reason="torch finds a GPU")
def test_refuses_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, message in (([], "torch finds none"), (["--device", "cpu"], "--small")):
        monkeypatch.setattr(sys, "argv", ["gpu_search", *words])
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
