"""The GPU benchmark refuses without a GPU, and its script runs on a CPU."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search import gpu, gpu_jobs
from indexer.exact.brute_force import exact_search
from indexer.runtime.devices import torch_gpus
from indexer.types import Block
from support.vectors import unit_vectors

SCRIPT = Path(gpu.__file__).parents[1] / "gpu.sh"


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
    options |= {"dimension": 128, "ways": gpu.KINDS}
    result = gpu.measure(options)
    assert result["equal_to_the_oracle"]
    assert {"torch bf16", "faiss flat, fp32"} <= set(result["ways"])
    for name, way in result["ways"].items():
        for setting in way["settings"].values():
            assert set(setting["batches"]) == {"1", "20"}
            assert setting["recall_at_1"] == 1 if "IVF" not in name else True
            shares = [each.get("share") for each in setting["batches"].values()]
            assert all(share is None if "IVF" in name else share > 0 for share in shares)


def test_a_part_of_the_ways_in_another_dimension(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CHECKED": 5, "PROVED": 5, "SINGLES": 2}.items():
        monkeypatch.setattr(gpu, name, value)
    options = {**gpu.SMALL, "device": "cpu", "count": 1000, "batches": (1, 5), "repeats": 1}
    result = gpu.measure({**options, "dimension": 160, "ways": ["exhaustive"]})
    assert result["dimension"] == 160
    assert result["equal_to_the_oracle"]
    assert {*result["ways"]} == {"torch fp32", "torch bf16", "torch fp16", "faiss flat, fp32"}


def test_cagra_and_flat_are_built_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The branches for FAISS on a GPU, with FAISS' flat index in the places of those of a GPU."""

    class Graph(gpu.faiss.IndexFlatL2):
        def __init__(self, resources: object, dimension: int, metric: int, config: object) -> None:
            super().__init__(dimension)
            assert config.graph_degree < config.intermediate_graph_degree  # type: ignore[attr-defined]

        def train(self, vectors: np.ndarray) -> None:
            self.add(vectors)

    fakes = {
        "StandardGpuResources": object,
        "GpuIndexCagraConfig": type("Config", (), {}),
        "GpuIndexCagra": Graph,
    }
    for name, value in fakes.items():
        monkeypatch.setattr(gpu.faiss, name, value, raising=False)
    monkeypatch.setattr(gpu, "faiss_gpus", lambda module: 1)
    monkeypatch.setattr(gpu, "torch_device", lambda device: device)
    monkeypatch.setattr(gpu, "to_device", lambda index, device, half: index)
    vectors = unit_vectors(300, 16, seed=0)
    ways = dict(gpu.all_ways("cuda:0", len(vectors)))
    kinds = {name: gpu.kind_of(name, way) for name, way in ways.items()}
    assert {*kinds.values()} == {*gpu.KINDS}
    for name in ("faiss flat, fp16", "faiss CAGRA"):
        way = ways[name]
        (search,) = (prepare(way.build(vectors)) for prepare in way.settings.values())
        assert (search(vectors[:9])[:, 0] == np.arange(9)).all()


def test_encoder_graph_and_training_run_small() -> None:
    options = {**gpu_jobs.SMALL, "device": "cpu", "count": 300, "repeats": 1, "encoded": (1,)}
    result = gpu_jobs.measure(options)
    (encoder,) = result["encoders"].values()
    assert encoder["1"]["faces_per_second"] > 0
    assert result["training"]["2"]["steps_per_second"] > 0
    assert (result["graph"]["done"], result["graph"]["neighbours"]) == (300, gpu_jobs.NEIGHBOURS)


def test_the_script_runs_its_steps_and_reports_what_time_does_not_allow(tmp_path: Path) -> None:
    """With a program in the place of Python that notes what it is asked to run."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    environment = {**os.environ, "PYTHON": str(program)}
    for words, code in (([], 0), (["--small"], 0), (["0"], 1)):
        command = [str(SCRIPT), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    assert "NOT MEASURED" in done.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(asked) == 6
    for line in asked:
        module = importlib.import_module(line.split()[1])
        known = {*re.findall(r'add_argument\("(--\w+)"', inspect.getsource(module)), "--busy"}
        assert {*re.findall(r"--\w+", line)} <= known, line


@pytest.mark.gpu
@pytest.mark.skipif(not gpu.has_cagra(), reason="this FAISS has no cuVS, or no GPU")
def test_cagra_finds_nearly_all() -> None:
    vectors = unit_vectors(2000, 16, seed=0)
    blocks = [Block(np.arange(len(vectors)), vectors)]
    truth = exact_search(blocks, vectors[:50], gpu.NEIGHBOURS).ids
    found = gpu.by_faiss(gpu.cagra_index(vectors, "cuda"))(vectors[:50])
    assert gpu.recall(found, truth)["recall"] > 0.95
