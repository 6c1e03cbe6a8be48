"""Graphs of files against what they compute in plain numpy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from facesearch.encoders.catalogue.spec import ColourOrder, PixelFormat
from facesearch.encoders.graph.backend import GraphBackend
from facesearch.encoders.graph.model_file import (
    companion_of,
    graph_digest,
    graph_facts,
    read_graph,
)
from facesearch.errors import InputError, WeightsError
from support.graphs import DIMENSION, SIDE, expected, write_graph


def backend(path: Path, pixels: PixelFormat, callers: int = 1) -> GraphBackend:
    model = read_graph(path, companion_of(path))
    facts = graph_facts(model, path)
    assert (facts.side, facts.dimension) == (SIDE, DIMENSION)
    return GraphBackend(model, facts, pixels, "fp32", 1, callers)


def chips(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("fixed_batch", [False, True])
@pytest.mark.parametrize(
    ("order", "mean", "divisor"), [("RGB", 0.0, 1.0), ("BGR", 0.0, 1.0), ("BGR", 127.5, 128.0)]
)
def test_vectors_are_those_of_the_formula(  # noqa: PLR0917
    tmp_path: Path,
    channels_last: bool,
    fixed_batch: bool,
    order: ColourOrder,
    mean: float,
    divisor: float,
) -> None:
    path = write_graph(tmp_path / "g.xml", channels_last=channels_last, fixed_batch=fixed_batch)
    run = backend(path, PixelFormat(order, (mean,) * 3, (divisor,) * 3))
    for count in (0, 1, 5):
        got = run(chips(count))
        assert got.shape == (count, DIMENSION)
        np.testing.assert_allclose(
            got, expected(chips(count), order, mean, divisor), rtol=1e-4, atol=1e-4
        )


def test_means_of_single_channels_follow_the_colour_order(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.xml")
    run = backend(path, PixelFormat("BGR", (10.0, 20.0, 30.0)))  # 10 of blue
    plain = backend(path, PixelFormat("BGR"))
    bright = np.full((1, SIDE, SIDE, 3), 200, np.uint8)
    lowered = np.broadcast_to(np.array([170, 180, 190], np.uint8), bright.shape)
    np.testing.assert_allclose(run(bright), plain(lowered), rtol=1e-4, atol=1e-4)


def test_several_threads_get_separate_answers(tmp_path: Path) -> None:
    run = backend(write_graph(tmp_path / "g.xml"), PixelFormat(), callers=3)
    batches = [chips(4, seed) for seed in range(12)]
    with ThreadPoolExecutor(3) as pool:
        for batch, got in zip(batches, pool.map(run, batches), strict=True):
            np.testing.assert_allclose(got, expected(batch, "RGB", 0, 1), rtol=1e-4, atol=1e-4)


def test_the_digest_changes_with_either_file(tmp_path: Path) -> None:
    first = write_graph(tmp_path / "a.xml", seed=0)
    before = graph_digest(first, companion_of(first))
    again = write_graph(tmp_path / "b.xml", seed=1)
    assert graph_digest(again, companion_of(again)) != before
    companion = first.with_suffix(".bin")
    companion.write_bytes(companion.read_bytes() + b"\0")
    assert graph_digest(first, companion) != before


def test_of_several_outputs_one_must_be_named(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.xml", outputs=2)
    model = read_graph(path, companion_of(path))
    with pytest.raises(InputError, match=r"outputs .*quarters.*name one"):
        graph_facts(model, path)
    with pytest.raises(InputError, match="called 'other'"):
        graph_facts(model, path, "other")
    facts = graph_facts(model, path, "quarters")
    assert facts.dimension == 12
    got = GraphBackend(model, facts, PixelFormat(), "fp32", 1)(chips(2))
    np.testing.assert_allclose(got[:, 0], chips(2)[:, :6, :6, 0].mean(axis=(1, 2)), rtol=1e-4)


def saved(path: Path, results: list[object], parameters: list[object]) -> Path:
    openvino.save_model(openvino.Model(results, parameters), str(path))
    return path


def test_what_is_no_encoder_is_refused_in_words(tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("not a network")
    with pytest.raises(WeightsError, match="OpenVINO cannot read"):
        read_graph(text)
    with pytest.raises(WeightsError, match="expected an ONNX file"):
        read_graph(tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match="no such file"):
        read_graph(tmp_path / "absent.onnx")
    lone = write_graph(tmp_path / "lone.xml")
    lone.with_suffix(".bin").unlink()
    with pytest.raises(WeightsError, match=r"lone.bin: no such file"):
        read_graph(lone, companion_of(lone))

    grey = ops.parameter([1, 1, 8, 8], np.float32)
    path = saved(tmp_path / "grey.xml", [ops.relu(grey)], [grey])
    with pytest.raises(WeightsError, match="three channels and one known side"):
        graph_facts(read_graph(path, companion_of(path)), path)
    image = ops.parameter([1, 3, -1, -1], np.float32)
    path = saved(tmp_path / "any.xml", [ops.relu(image)], [image])
    with pytest.raises(WeightsError, match="three channels and one known side"):
        graph_facts(read_graph(path, companion_of(path)), path)
    chip, other = (ops.parameter([1, 3, 8, 8], np.float32) for _ in range(2))
    path = saved(tmp_path / "two.xml", [ops.add(chip, other)], [chip, other])
    with pytest.raises(WeightsError, match="one input"):
        graph_facts(read_graph(path, companion_of(path)), path)
