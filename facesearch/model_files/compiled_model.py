"""An OpenVINO model compiled for the CPU, called by several threads at once."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray


class CompiledModel:
    """A model of one input and any outputs.

    ``precision``: "bf16" lets float layers compute so, all else is "fp32". ``callers`` threads may
    call at once, each running on ``threads`` cores (None: a fair share of all).
    """

    def __init__(
        self, model: Any, precision: str, threads: int | None = None, callers: int = 1
    ) -> None:
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "NUM_STREAMS": callers,
            "ENABLE_CPU_PINNING": False,  # other threads of the job want the cores too
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads * callers
        self._compiled = openvino_core().compile_model(model, "CPU", settings)
        self._local = threading.local()

    def __call__(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The outputs for ``pixels``, in the model's order."""
        return [np.array(output) for output in self.passing(pixels)]

    def passing(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The outputs as views of what the thread's next call writes over."""
        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        given = [np.ascontiguousarray(pixels)]
        result = self._local.request.infer(given, share_inputs=True, share_outputs=True)
        return [np.asarray(result[index], np.float32) for index in range(len(result))]


@functools.cache
def openvino_core() -> Any:
    """OpenVINO, which reads its plugins once a process."""
    return openvino.Core()
