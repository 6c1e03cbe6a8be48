"""Graphs of files run by OpenVINO on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

from facesearch.encoders.catalogue.spec import PixelFormat
from facesearch.encoders.graph.model_file import EncoderGraphFacts, output_port
from facesearch.encoders.network_ir import Floats
from facesearch.model_files.compiled_model import CompiledModel


def prepared(model: Any, facts: EncoderGraphFacts, pixels: PixelFormat) -> tuple[Any, bool]:
    """The model taking RGB uint8 (n, side, side, 3), and whether n may be other than 1.

    Colour order and scaling become part of it, and the vector its only output.
    """
    wanted = facts.output
    model = model.clone()
    port = output_port(model, Path("the graph"), wanted) if wanted else model.outputs[0]
    model = openvino.Model([port.get_node().input_value(0)], model.get_parameters(), "encoder")
    batched = _free_batch(model, facts)
    process = PrePostProcessor(model)
    tensor = process.input().tensor()
    tensor.set_element_type(openvino.Type.u8)
    tensor.set_layout(openvino.Layout("NHWC"))
    steps = process.input().preprocess()
    steps.convert_element_type(openvino.Type.f32)
    if pixels.order == "BGR":
        steps.reverse_channels()
    if any(pixels.mean):
        steps.mean(list(pixels.mean))
    if pixels.divisor != (1.0, 1.0, 1.0):
        steps.scale(list(pixels.divisor))
    process.input().model().set_layout(openvino.Layout("NHWC" if facts.channels_last else "NCHW"))
    return process.build(), batched


def _free_batch(model: Any, facts: EncoderGraphFacts) -> bool:
    """Let the model take any number of chips at once, where its layers can; whether they can."""
    sides = [facts.side, facts.side]
    sizes = [*sides, 3] if facts.channels_last else [3, *sides]
    try:
        model.reshape(openvino.PartialShape([2, *sizes]))
        out = model.outputs[0].get_partial_shape()
        free = bool(out[0].is_static and out[0].get_length() == 2)
    except RuntimeError:
        free = False
    model.reshape(openvino.PartialShape([-1 if free else 1, *sizes]))
    return free


class GraphBackend:
    """A graph compiled for the CPU, for batches of any size.

    ``precision``: "fp32" or "bf16" (what was quantised by its makers computes so whatever is
    asked). ``callers`` threads may call at once, each on ``threads`` cores (None: a fair share).
    """

    def __init__(  # noqa: PLR0917 - called by load alone
        self,
        model: Any,
        facts: EncoderGraphFacts,
        pixels: PixelFormat,
        precision: str,
        threads: int | None = None,
        callers: int = 1,
    ) -> None:
        ready, self._batched = prepared(model, facts, pixels)
        self._model = CompiledModel(ready, precision, threads, callers)
        self._dimension = facts.dimension

    def __call__(self, pixels: NDArray[np.uint8]) -> Floats:
        """Vectors float32 (n, d), not normalised, of RGB pixels uint8 (n, side, side, 3)."""
        vectors = np.empty((len(pixels), self._dimension), np.float32)
        step = max(1, len(pixels)) if self._batched else 1
        for start in range(0, len(pixels), step):
            part = self._model(pixels[start : start + step])[0]
            vectors[start : start + step] = part.reshape(-1, self._dimension)
        return vectors
