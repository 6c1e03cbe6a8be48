"""Devices: how they are named, what is said of those that are missing, where indices end up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pytest

from indexer.errors import DeviceError
from indexer.runtime import devices
from indexer.runtime.devices import (
    check_device,
    faiss_gpus,
    to_device,
    torch_device,
    torch_gpus,
)
from support.vectors import unit_vectors

VECTORS = unit_vectors(2000, 16, seed=0)
GPUS = faiss_gpus(faiss)
on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not GPUS, reason="no GPU answers FAISS")]


def flat() -> Any:
    index = faiss.IndexFlatL2(16)
    index.add(VECTORS)
    return index


@pytest.mark.parametrize(
    "device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "cuda:0,3", "cuda:all"]
)
def test_names(device: str) -> None:
    assert check_device(device) == device


@pytest.mark.parametrize("device", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:0,", "cpu:0"])
def test_names_that_are_none(device: str) -> None:
    with pytest.raises(DeviceError, match="cuda:all"):
        check_device(device)
    with pytest.raises(DeviceError, match="expected a device"):
        to_device(flat(), device)
    with pytest.raises(DeviceError, match="expected a device"):
        torch_device(device)


@pytest.mark.skipif(GPUS > 0, reason="FAISS finds a GPU")
def test_without_a_gpu_the_index_stays_and_errors_say_what_to_do() -> None:
    index = flat()
    assert to_device(index) is to_device(index, "cpu") is index
    with pytest.raises(DeviceError, match=r"install|nvidia-smi"):
        to_device(index, "cuda")


@pytest.mark.skipif(torch_gpus() > 0, reason="torch finds a GPU")
def test_torch_without_a_gpu() -> None:
    assert torch_device("auto") == torch_device("cpu") == "cpu"
    with pytest.raises(DeviceError, match=r"'cuda:1'.*no CUDA GPU"):
        torch_device("cuda:1")


def test_torch_devices_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "torch_gpus", lambda: 2)
    found = [torch_device(name) for name in ("auto", "cuda", "cuda:1", "cuda:1,0", "cuda:all")]
    assert found == ["cuda:0", "cuda:0", "cuda:1", "cuda:1", "cuda:0"]
    with pytest.raises(DeviceError, match="0 to 1, got 'cuda:2'"):
        torch_device("cuda:2")


class Copy:
    """What :class:`Machine` makes of an index on a GPU."""


whole = faiss.downcast_index


class Machine(SimpleNamespace):
    """A FAISS of so many GPUs, which notes what is copied there and how."""

    def __init__(self, gpus: int, *, supported: bool = True) -> None:
        names = ("IndexReplicas", "IndexShards", "IndexIDMap", "IndexPreTransform", "IndexRefine")
        super().__init__(
            **{name: getattr(faiss, name) for name in names},
            StandardGpuResources=object,
            GpuClonerOptions=SimpleNamespace,
            GpuMultipleClonerOptions=SimpleNamespace,
            GpuIndex=Copy,
            downcast_index=lambda index: index if isinstance(index, Copy) else whole(index),
            get_num_gpus=lambda: gpus,
        )
        self.copied: list[tuple[list[int], bool]] = []
        self._supported = supported

    def index_cpu_to_gpu(self, resources: Any, gpu: int, index: Any, options: Any) -> Any:
        return self.index_cpu_to_gpu_multiple_py([resources], index, options, [gpu])

    def index_cpu_to_gpu_multiple_py(
        self, resources: list[Any], index: Any, options: Any, gpus: list[int]
    ) -> Any:
        assert len(resources) == len(gpus)
        self.copied.append((gpus, options.useFloat16))
        return Copy() if self._supported else faiss.clone_index(index)


def use(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.importlib, "import_module", lambda name: machine)


def test_copies_go_where_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(3)
    use(machine, monkeypatch)
    index = flat()
    for name in ("auto", "cuda:2", "cuda:0,2", "cuda:all"):
        copied = to_device(index, name)
        assert isinstance(copied, Copy)
        assert copied.referenced_objects  # resources live as long as the copy
    to_device(index, "cuda:0,1", half=True)
    assert machine.copied == [
        ([0], False),
        ([2], False),
        ([0, 2], False),
        ([0, 1, 2], False),
        ([0, 1], True),
    ]
    assert to_device(index, "cpu") is index
    with pytest.raises(DeviceError, match="0 to 2"):
        to_device(index, "cuda:3")


def test_what_faiss_leaves_on_the_cpu_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    use(Machine(1, supported=False), monkeypatch)
    index = faiss.IndexIDMap(faiss.IndexFlatL2(16))
    assert to_device(index, "auto") is index
    with pytest.raises(DeviceError, match="got IndexIDMap: FAISS has no GPU version"):
        to_device(index, "cuda")


def test_what_is_refined_goes_and_the_refining_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(1, supported=False)
    machine.GpuIndex = faiss.IndexIVFScalarQuantizer  # as if copies of it were on a GPU
    use(machine, monkeypatch)
    index = faiss.index_factory(16, "IVF16,SQ4,RFlat")
    index.train(VECTORS)
    index.add(VECTORS)
    index.k_factor = 7
    faiss.downcast_index(index.base_index).nprobe = 16
    expected = index.search(VECTORS[:50], 5)
    copied = to_device(index, "cuda")
    del index
    assert len(machine.copied) == 1
    for found, wanted in zip(copied.search(VECTORS[:50], 5), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_driver_that_fails_is_no_gpu(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> int:
        raise RuntimeError("CUDA driver version is insufficient")

    machine = Machine(1)
    machine.get_num_gpus = fail
    assert faiss_gpus(machine) == 0
    assert "insufficient" in caplog.text


@pytest.mark.parametrize(
    "recipe", ["Flat", "IVF16,Flat", "IVF16,SQ8", "IDMap,Flat", "PCA8,Flat", "IVF16,SQ4,RFlat"]
)
@pytest.mark.parametrize("device", [pytest.param("cuda", marks=on_gpu), "cpu"])
def test_equal_answers_on_every_device(recipe: str, device: str) -> None:
    index = faiss.index_factory(16, recipe)
    index.train(VECTORS)
    index.add_with_ids(VECTORS, np.arange(2000)) if "IDMap" in recipe else index.add(VECTORS)
    placed = to_device(index, device)
    for each in (index, placed):
        inner = faiss.downcast_index(getattr(each, "base_index", each))
        if hasattr(inner, "nprobe"):
            inner.nprobe = 16
    expected, found = index.search(VECTORS[:50], 5), placed.search(VECTORS[:50], 5)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-3)
    assert (found[1] == expected[1]).mean() > 0.98
    np.testing.assert_array_equal(found[1][:, 0], np.arange(50))
