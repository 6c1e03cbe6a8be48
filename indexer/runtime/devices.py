"""Which device searches: CPU or GPUs, by FAISS where its build has GPU support, else by torch.

Devices are named "cpu", "cuda" (the first GPU), "cuda:1", "cuda:0,1" (several), "cuda:all", or
"auto": a GPU where one answers and can do the work, else the CPU.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
import sys
from pathlib import Path
from typing import Any

from indexer.errors import DeviceError

logger = logging.getLogger(__name__)

_NAME = re.compile(r"auto|cpu|cuda(:(all|\d{1,3}(,\d{1,3})*))?")
_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))  # NVIDIA, AMD, WSL
_INSTALL = (
    "install FAISS for GPUs in place of faiss-cpu: pip uninstall faiss-cpu && pip install "
    "'facesearch[gpu]'"
)


def check_device(device: str) -> str:
    """``device`` if it is well named, whether or not it is there; else raises DeviceError."""
    if not isinstance(device, str) or not _NAME.fullmatch(device):
        raise DeviceError(
            f"expected a device of auto, cpu, cuda, cuda:N, cuda:N,M or cuda:all, got {device!r}"
        )
    return device


def gpu_driver() -> bool:
    """Whether there may be a GPU; quick, for asking torch itself takes seconds."""
    return sys.platform != "linux" or any(map(Path.exists, _DRIVERS))


def torch_gpus() -> int:
    """GPUs that torch reaches."""
    if not gpu_driver() or importlib.util.find_spec("torch") is None:
        return 0
    import torch  # noqa: PLC0415 - takes seconds

    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


def faiss_gpus(faiss: Any) -> int:
    """GPUs that the installed FAISS reaches: 0 for one that was built without."""
    if not hasattr(faiss, "StandardGpuResources"):
        return 0
    try:
        return int(faiss.get_num_gpus())
    except RuntimeError as error:  # of the driver, such as one that is too old
        logger.warning("FAISS cannot use the GPU: %s", error)
        return 0


def torch_device(device: str) -> str:
    """The one device for torch: "cpu" or "cuda:N".

    Of several GPUs it is the first. Raises DeviceError for a name that is none, and for a GPU that
    is not there.
    """
    numbers = _gpus(device, torch_gpus(), "torch finds no CUDA GPU (torch.cuda.is_available())")
    return f"cuda:{numbers[0]}" if numbers else "cpu"


def to_device(index: Any, device: str = "auto", *, half: bool = False) -> Any:
    """A copy of a FAISS ``index`` on ``device``, or the index itself where that is the CPU.

    ``half``: vectors of a flat index are stored as float16 (those of IVF indices as they are:
    choose a scalar quantiser for them). Several GPUs hold a copy each and share the queries. Search
    parameters, such as nprobe, are to be set on what is returned.

    Raises DeviceError for a name that is none, and unless "auto" is asked for also where no such
    GPU answers or FAISS has no GPU version of the index. It has one of flat and SQfp16, IVF flat,
    and IVF with scalar or product quantiser (without fast scan), behind id maps and transforms. Of
    an index with refinement, what is refined goes to the GPU; the refining stays.
    """
    faiss = importlib.import_module("faiss")
    missing = (
        f"no GPU answers FAISS; check the driver by nvidia-smi, or name {'cpu'!r}"
        if hasattr(faiss, "StandardGpuResources")
        else f"the installed FAISS has no GPU support; {_INSTALL}"
    )
    numbers = _gpus(device, faiss_gpus(faiss), missing)
    if not numbers:
        return index
    try:
        return _copied(faiss, index, numbers, half=half)
    except (RuntimeError, DeviceError) as error:
        if device == "auto":
            logger.warning("%s stays on the CPU: %s", type(index).__name__, error)
            return index
        raise DeviceError(
            f"expected an index that FAISS can hold on a GPU, got {type(index).__name__}: {error}; "
            "use a flat or IVF index, or search on the CPU"
        ) from error


def _gpus(device: str, count: int, missing: str) -> list[int]:
    """The numbers of the GPUs ``device`` names among ``count``; none for the CPU."""
    check_device(device)
    if device == "cpu" or (device == "auto" and not count):
        return []
    if not count:
        raise DeviceError(f"expected a device that is here, got {device!r}: {missing}")
    which = device.partition(":")[2]
    if which == "all":
        return list(range(count))
    numbers = list(dict.fromkeys(int(number) for number in which.split(",") if number)) or [0]
    if max(numbers) >= count:
        raise DeviceError(
            f"expected GPUs of 0 to {count - 1}, got {device!r}; there are {count}: "
            "name one of them, or cuda:all"
        )
    return numbers


def _copied(faiss: Any, index: Any, numbers: list[int], *, half: bool) -> Any:
    whole = faiss.downcast_index(index)
    if isinstance(whole, faiss.IndexRefine):  # which FAISS itself does not copy
        base = _copied(faiss, whole.base_index, numbers, half=half)
        refined = faiss.IndexRefine(base, whole.refine_index)
        refined.k_factor = whole.k_factor
        refined.referenced_objects = [base, index]
        return refined
    resources = [faiss.StandardGpuResources() for _ in numbers]
    several = len(numbers) > 1
    options = faiss.GpuMultipleClonerOptions() if several else faiss.GpuClonerOptions()
    options.useFloat16 = half
    if several:
        copied = faiss.index_cpu_to_gpu_multiple_py(resources, index, options, numbers)
    else:
        copied = faiss.index_cpu_to_gpu(resources[0], numbers[0], index, options)
    if not _lies_on_gpu(faiss, copied):
        raise DeviceError("FAISS has no GPU version of it and left it on the CPU")
    # The copy does not own what it allocates from.
    copied.referenced_objects = [*getattr(copied, "referenced_objects", []), *resources]
    return copied


def _lies_on_gpu(faiss: Any, index: Any) -> bool:
    """Whether what searches is on a GPU: FAISS keeps on the CPU what it has no GPU version of."""
    found = faiss.downcast_index(index)
    if isinstance(found, faiss.GpuIndex):
        return True
    if isinstance(found, (faiss.IndexReplicas, faiss.IndexShards)):
        return _lies_on_gpu(faiss, found.at(0))
    if isinstance(found, (faiss.IndexIDMap, faiss.IndexPreTransform)):
        return _lies_on_gpu(faiss, found.index)
    return False
