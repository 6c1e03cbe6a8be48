"""What this machine's cores can multiply: the ceilings that an encoder's speed is measured by.

    python -m benchmarks.vision.flop_peaks

Billions of operations a second (a multiplication and an addition are two) of large matrix products
and of a stack of 3 x 3 convolutions as wide as an encoder's middle, by torch (oneDNN) and OpenVINO,
on one thread and on two. The best of --repeats, as a ceiling is meant.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
import torch
from openvino import opset13 as ops

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record

MATRIX = 2048
CHANNELS, SIDE, BATCH, LAYERS = 256, 28, 8, 3


def rate(run: Callable[[], object], operations: float, repeats: int) -> float:
    """Billions of operations a second of the fastest of ``repeats`` runs."""
    run()
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return round(operations / best / 1e9, 1)


def convolution_operations() -> float:
    """Of the whole stack."""
    return 2.0 * BATCH * LAYERS * SIDE**2 * CHANNELS**2 * 9


def torch_matrix(dtype: torch.dtype) -> Callable[[], object]:
    """A product of two square matrices."""
    a, b = (torch.randn(MATRIX, MATRIX, dtype=dtype) for _ in range(2))
    return lambda: a @ b


def torch_convolutions(dtype: torch.dtype) -> Callable[[], object]:
    """The stack, channels last."""
    layers = [torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(LAYERS)]
    stack = torch.nn.Sequential(*layers).to(dtype).to(memory_format=torch.channels_last).eval()
    x = torch.randn(BATCH, CHANNELS, SIDE, SIDE, dtype=dtype)
    x = x.to(memory_format=torch.channels_last)

    def run() -> object:
        with torch.inference_mode():
            return stack(x)

    return run


def openvino_convolutions(precision: str, threads: int) -> Callable[[], object]:
    """The stack, with rectifiers, and for int8 with the quantisation of weights and activations."""
    random = np.random.default_rng(0)
    parameter = ops.parameter([BATCH, CHANNELS, SIDE, SIDE], np.float32)
    tensor: Any = parameter
    for _ in range(LAYERS):
        kernel = random.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32) / 50
        weight: Any = ops.constant(kernel)
        if precision == "int8":
            tensor = quantised(tensor, 0.0, 2.0, 256)
            weight = quantised(weight, -0.1, 0.1, 255)
        tensor = ops.relu(ops.convolution(tensor, weight, [1, 1], [1, 1], [1, 1], [1, 1]))
    # The mean, so that what comes out weighs nothing.
    model = openvino.Model([ops.reduce_mean(tensor, ops.constant([2, 3]))], [parameter])
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    x = random.random((BATCH, CHANNELS, SIDE, SIDE), np.float32)
    return lambda: request.infer([x], share_inputs=True, share_outputs=True)


def quantised(tensor: Any, low: float, high: float, levels: int) -> Any:
    """``tensor`` in that many steps from ``low`` to ``high``."""
    ends = [ops.constant(np.float32(end)) for end in (low, high)]
    return ops.fake_quantize(tensor, *ends, *ends, levels)


def measure(threads: int, repeats: int) -> dict[str, float]:
    """All ceilings on so many threads."""
    torch.set_num_threads(threads)
    ways: dict[str, tuple[Callable[[], object], float]] = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        ways[f"matrix product, torch {name}"] = torch_matrix(dtype), 2.0 * MATRIX**3
        ways[f"convolutions, torch {name}"] = torch_convolutions(dtype), convolution_operations()
    for precision in ("fp32", "bf16", "int8"):
        run = openvino_convolutions(precision, threads)
        ways[f"convolutions, OpenVINO {precision}"] = run, convolution_operations()
    return {name: rate(run, operations, repeats) for name, (run, operations) in ways.items()}


def main() -> None:
    """Measure and record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    result = {f"threads_{threads}": measure(threads, args.repeats) for threads in (1, 2)}
    print(json.dumps(result, indent=2))
    sizes = {
        "matrix": MATRIX, "channels": CHANNELS, "side": SIDE, "batch": BATCH, "layers": LAYERS
    }  # fmt: skip
    print(
        f"recorded in {record('peaks', {'sizes': sizes, 'billion_operations_per_second': result})}"
    )


if __name__ == "__main__":
    main()
