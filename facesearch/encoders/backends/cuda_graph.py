"""A network on a GPU as one recorded graph: replayed at once, not launched operation by operation.

At batches of faces the hundreds of small kernels of a network take longer to launch than to run;
a CUDA graph (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs) launches them as
one.
"""

from __future__ import annotations

import logging
import threading

import numpy as np
import torch
from numpy.typing import NDArray

from facesearch.encoders.backends.torch_backend import TorchBackend
from facesearch.encoders.network_ir import Floats

logger = logging.getLogger(__name__)

_WARM_UP = 3  # runs before the recording, in which cuDNN chooses its algorithms


class CudaGraphBackend:
    """The work of ``backend`` for chips of ``side``, recorded for ``batch`` of them.

    May be called from several threads, which take turns. Raises RuntimeError where the network
    cannot be recorded.
    """

    def __init__(self, backend: TorchBackend, side: int, batch: int) -> None:
        self._lock = threading.Lock()
        device = backend.device
        self._pixels = torch.zeros((batch, side, side, 3), dtype=torch.uint8, device=device)
        with torch.cuda.device(device), torch.inference_mode():
            beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for _ in range(_WARM_UP):
                    backend.vectors(self._pixels)
            torch.cuda.current_stream().wait_stream(beside)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._vectors = backend.vectors(self._pixels)

    def __call__(self, pixels: NDArray[np.uint8]) -> Floats:
        """Vectors float32 (n, d) of RGB pixels uint8 (n, side, side, 3)."""
        batch = len(self._pixels)
        starts = range(0, len(pixels), batch)
        return np.concatenate(
            [self._replay(pixels[start : start + batch]) for start in starts]
            or [np.zeros((0, self._vectors.shape[1]), np.float32)]
        )

    def _replay(self, pixels: NDArray[np.uint8]) -> Floats:
        count = len(pixels)
        with self._lock, torch.inference_mode():
            self._pixels[:count].copy_(torch.from_numpy(np.ascontiguousarray(pixels)))
            self._graph.replay()
            vectors: Floats = self._vectors[:count].cpu().numpy()
        return vectors


def recorded(backend: TorchBackend, side: int, batch: int) -> TorchBackend | CudaGraphBackend:
    """``backend`` as a graph, or as it is where it cannot be recorded, with a warning."""
    try:
        return CudaGraphBackend(backend, side, batch)
    except RuntimeError as error:
        logger.warning("the network runs without a CUDA graph: %s", error)
        return backend
